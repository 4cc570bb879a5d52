// Sockets that a server listens at.
#ifndef BERTC_CLI_LISTEN_H
#define BERTC_CLI_LISTEN_H

#include "frontend/cli/cli.h"

// "ADDRESS:PORT", "[IPv6]:PORT", "PORT" (of 127.0.0.1) or "unix:PATH". *name: where it listens, as text, with the port that the
// system chose for port 0. -1 with a diagnostic.
int listen_at(const char *where, char *name, size_t size, bool *loopback, diag *d);
// Removes the file of a Unix socket; of others nothing.
void listen_end(const char *where);

#endif
