#include "frontend/cli/serve/connections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "frontend/cli/cli.h"
#include "ir/memory.h"

void connections_open(connections *all) {
    *all = (connections){0};
    pthread_mutex_init(&all->lock, NULL);
}

void connections_close(connections *all) {
    while (all->first) connections_remove(all, all->first);
    pthread_mutex_destroy(&all->lock);
}

connection *connections_add(connections *all, int fd) {
    connection *c = memory_zero(1, sizeof *c);
    if (!c) return NULL;
    pthread_mutex_lock(&all->lock);
    *c = (connection){.fd = fd, .since = seconds_now(), .next = all->first, .at = &all->first};
    if (c->next) c->next->at = &c->next;
    all->first = c;
    all->count++;
    pthread_mutex_unlock(&all->lock);
    return c;
}

void connections_remove(connections *all, connection *c) {
    pthread_mutex_lock(&all->lock);
    *c->at = c->next;
    if (c->next) c->next->at = c->at;
    all->count--;
    pthread_mutex_unlock(&all->lock);
    free(c);
}

void connections_set(connections *all, connection *c, connection_state state) {
    pthread_mutex_lock(&all->lock);
    c->state = state;
    c->since = seconds_now();
    pthread_mutex_unlock(&all->lock);
}

static void end(connection *c) {
    c->ended = true;
    shutdown(c->fd, SHUT_RDWR); // its thread sees that and closes it
}

static void say_timeout(const connection *c) {
    static const char body[] =
        "{\"error\": \"the request did not come in time\", \"error_type\": \"Validation\"}";
    char reply[300];
    int n = snprintf(reply, sizeof reply,
                     "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     sizeof body - 1, body);
    send(c->fd, reply, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL); // as much as fits: it is a courtesy
}

void connections_sweep(connections *all, double timeout) {
    double now = seconds_now();
    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c; c = c->next) {
        if (c->ended || c->state == CONNECTION_WORKING || now - c->since <= timeout) continue;
        if (c->state == CONNECTION_FRESH || c->state == CONNECTION_READING) say_timeout(c);
        end(c);
    }
    pthread_mutex_unlock(&all->lock);
}

static bool nothing_came(const connection *c) {
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int connections_drain(connections *all, double grace) {
    double now = seconds_now();
    pthread_mutex_lock(&all->lock);
    for (connection *c = all->first; c; c = c->next) {
        bool between = c->state == CONNECTION_FRESH || c->state == CONNECTION_IDLE;
        if (!c->ended && between && now - c->since > grace && nothing_came(c)) end(c);
    }
    int count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}
