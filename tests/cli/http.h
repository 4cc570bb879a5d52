// A server in a process of its own, and requests to it: `bertc serve` as its tests use it.
#ifndef BERTC_TESTS_HTTP_H
#define BERTC_TESTS_HTTP_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct web {
    pid_t pid;
    char folder[64], socket[96], log[96];
} web;

// `words`: models and options, NULL behind the last one. It listens at a Unix socket. The test fails where it doesn't come up.
web web_open(const char *const *words);
// Sends the signal and waits; the exit status, or 256 and the signal that it died of.
int web_close(web *w, int signal);
int web_connect(const web *w);
// What the log holds, until the next call.
const char *web_log(const web *w);

// A reply; `body` ends in NUL. http_free frees it.
typedef struct http_reply {
    int status; // 0: the connection ended without one
    char *head, *body;
    size_t size;
} http_reply;
void http_free(http_reply *r);
// Reads one reply. The head ends at the body's first byte; a body without a length reaches to the connection's end.
http_reply http_read(int fd);
bool http_send(int fd, const char *bytes, size_t size);
// One request on a connection of its own. `body` NULL: none. `more`: further lines of the head, each with \r\n; NULL: none.
http_reply http_ask(const web *w, const char *method, const char *path, const char *more, const char *body);
http_reply http_post(const web *w, const char *path, const char *body);

// The reply has that status, and that body, or that part in it; frees it.
void expect_body(http_reply r, int status, const char *body);
void expect_part(http_reply r, int status, const char *part);

// A suite of them, with time enough for a slow machine.
typedef struct web_case {
    const char *name;
    const TTest *test;
} web_case;
Suite *web_suite(const char *name, const web_case *all, size_t count);

#endif
