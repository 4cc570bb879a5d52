// Requests and replies over HTTP, by libmicrohttpd: a thread for each address that is listened at reads requests, hands
// their texts to the engine, suspends the connection meanwhile, and writes the replies.
#ifndef BERTC_CLI_HTTP_H
#define BERTC_CLI_HTTP_H

#include "frontend/cli/serve/call.h"
#include "frontend/cli/serve/log.h"

typedef struct http http;
http *http_open(server *s, log_kind log, diag *d);
// Listens at a socket, which is the http's then.
bool http_listen(http *h, int socket, diag *d);
// Accepts nothing more, and waits for the replies to what was accepted, at most `seconds`.
void http_drain(http *h, double seconds);
// Frees all. The engine has been stopped: no connection waits for it.
void http_close(http *h);

#endif
