// The open connections, and how long each has been reading a request, or writing a reply.
#ifndef BERTC_CLI_CONNECTIONS_H
#define BERTC_CLI_CONNECTIONS_H

#include <pthread.h>
#include <stdbool.h>

typedef enum connection_state {
    CONNECTION_FRESH,   // no request has come whole yet
    CONNECTION_IDLE,    // between two requests
    CONNECTION_READING, // behind a request's head
    CONNECTION_WORKING, // a request is being answered
    CONNECTION_WRITING
} connection_state;

typedef struct connection {
    int fd;
    connection_state state;
    double since;
    bool ended; // told to end
    struct connection *next, **at;
} connection;

typedef struct connections {
    pthread_mutex_t lock;
    connection *first;
    int count;
} connections;

void connections_open(connections *all);
void connections_close(connections *all);
connection *connections_add(connections *all, int fd); // NULL: no memory
void connections_remove(connections *all, connection *c);
void connections_set(connections *all, connection *c, connection_state state);
// Ends connections that have been in a state for longer than `timeout` seconds, but for those that are being answered. A client
// that has not sent a request whole in that time is told so, with 408.
void connections_sweep(connections *all, double timeout);
// Ends those between two requests on which nothing more has come for `grace` seconds. Returns how many connections there are.
int connections_drain(connections *all, double grace);

#endif
