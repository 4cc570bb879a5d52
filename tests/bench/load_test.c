// The load client against a server whose delays are known: one request at a time, a millisecond each, and once a long stall. Who waits
// behind the stall has waited, whether his request was sent or was still to be sent.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"

enum { STALL_MS = 600 };
static int server;
static _Atomic int answered;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *serve_one(void *argument) {
    int fd = (int)(intptr_t)argument;
    char request[4096];
    for (ssize_t n; (n = recv(fd, request, sizeof request - 1, 0)) > 0;) {
        request[n] = 0;
        while (!strstr(request, "{}")) { // the body comes by itself
            ssize_t more = recv(fd, request + n, sizeof request - 1 - (size_t)n, 0);
            if (more <= 0) return close(fd), NULL;
            request[n += more] = 0;
        }
        pthread_mutex_lock(&turn);
        int which = answered++;
        usleep(which == 100 ? STALL_MS * 1000 : 1000);
        pthread_mutex_unlock(&turn);
        static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        static const char full[] = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n";
        const char *what = which % 50 == 49 ? full : reply;
        if (send(fd, what, strlen(what), MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
    return NULL;
}

static void *serve(void *unused) {
    (void)unused;
    for (int fd; (fd = accept(server, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (!pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd)) pthread_detach(thread);
    }
    return NULL;
}

static int failures;
static void expect(bool ok, const char *what, double value) {
    if (!ok) failures++;
    printf("%s: %s (%.4f)\n", ok ? "ok" : "FAILED", what, value);
}

// `connections`: whether all who wait are on their way, or some not even sent, the shares must be the same.
static void stalled(const char *at, int connections) {
    static const char *const bodies[] = {"{}"}, *const expected[] = {"ok"};
    load_options o = {.at = at,
                      .path = "/",
                      .bodies = bodies,
                      .body_count = 1,
                      .rate = 200,
                      .seconds = 4,
                      .connections = connections,
                      .seed = 7,
                      .expected = expected};
    load_result r = {0};
    answered = 0;
    bool ok = load_run(&o, &r);
    expect(ok, "the load runs", connections);
    double n = (double)r.sent, slow = 0, half = 0;
    for (int64_t i = 0; i < r.count; i++)
        slow += r.latencies[i] > 0.010, half += r.latencies[i] > (double)STALL_MS / 2000;
    expect(n > 800 - 120 && n < 800 + 120, "requests of 4 seconds at 200", n);
    expect(r.seconds > 3.8 && r.seconds < 5, "seconds", r.seconds);
    expect(r.refused == r.sent / 50, "every 50th is refused", (double)r.refused);
    expect(!r.failed && !r.wrong, "none fails, none is wrong", (double)(r.failed + r.wrong));
    // Some 120 come in the 600 ms; half of them wait longer than half of it. The queue is empty again 150 ms later.
    expect(half > 40 && half < 120, "wait half of the stall or more", half);
    expect(slow > 90, "wait at all", slow);
    expect(load_quantile(&r, 1) > 0.55, "the longest wait is the stall", load_quantile(&r, 1));
    expect(load_quantile(&r, 0.5) < 0.2, "the median is no stall", load_quantile(&r, 0.5));
    expect(connections > 200 ? (double)r.late < n / 4 : r.late > 20, "late ones", (double)r.late);
    load_free(&r);
}

// A reply that is not the expected one is counted.
static void wrong(const char *at) {
    static const char *const bodies[] = {"{}"}, *const expected[] = {"no"};
    load_options o = {.at = at,
                      .path = "/",
                      .bodies = bodies,
                      .body_count = 1,
                      .seconds = 0.2,
                      .connections = 2,
                      .expected = expected};
    load_result r = {0};
    expect(load_run(&o, &r) && r.answered > 20 && r.wrong == r.answered, "wrong replies of a full load",
           (double)r.wrong);
    load_free(&r);
}

int main(void) {
    char folder[] = "/tmp/bertc-load-XXXXXX", at[80];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    pthread_t thread;
    if (!mkdtemp(folder)) return 1;
    snprintf(at, sizeof at, "unix:%s/s", folder);
    snprintf(to.sun_path, sizeof to.sun_path, "%s/s", folder);
    server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&to, sizeof to) || listen(server, 512) ||
        pthread_create(&thread, NULL, serve, NULL))
        return 1;
    stalled(at, 256);
    stalled(at, 4);
    wrong(at);
    unlink(to.sun_path);
    rmdir(folder);
    return failures != 0;
}
