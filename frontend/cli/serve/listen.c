#include "frontend/cli/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };
static const char unix_mark[] = "unix:";

static const char *unix_path(const char *where) {
    return !strncmp(where, unix_mark, sizeof unix_mark - 1) ? where + sizeof unix_mark - 1 : NULL;
}

// A socket that nobody listens at any more, of a server that was killed, may be replaced; nothing else may.
static bool is_left(const char *path, const struct sockaddr_un *to) {
    struct stat st;
    if (lstat(path, &st) || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof *to) && errno == ECONNREFUSED;
    if (fd >= 0) close(fd);
    return dead;
}

static int listen_unix(const char *path, diag *d) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof to.sun_path)
        return diag_error(d, "--listen", "unix:%.200s: a path has 1 to %zu bytes", path,
                          sizeof to.sun_path - 1),
               -1;
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && !bind(fd, (struct sockaddr *)&to, sizeof to);
    if (fd >= 0 && !bound && errno == EADDRINUSE) {
        if (is_left(path, &to))
            bound = !unlink(path) && !bind(fd, (struct sockaddr *)&to, sizeof to);
        else
            errno = EADDRINUSE;
    }
    if (bound && !listen(fd, BACKLOG)) return fd;
    diag_error(d, "--listen", "unix:%.200s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

// host and port of "HOST:PORT"; false: it is none.
static bool split(const char *where, char *host, size_t size, const char **port) {
    const char *colon = strrchr(where, ':'), *from = where;
    size_t n = colon ? (size_t)(colon - where) : 0;
    *port = colon ? colon + 1 : where;
    if (!colon) from = "127.0.0.1", n = strlen(from);
    if (n >= 2 && from[0] == '[' && from[n - 1] == ']')
        from++, n -= 2;
    else if (memchr(from, ':', n))
        return false; // an IPv6 address without brackets
    if (!n || n >= size || !**port || strspn(*port, "0123456789") != strlen(*port) || strlen(*port) > 5 ||
        atoi(*port) > 65535)
        return false;
    memcpy(host, from, n);
    host[n] = 0;
    return true;
}

// Addresses are numbers, or localhost: nothing is looked up.
typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

static bool parse(const char *host, uint16_t port, address *to, socklen_t *size) {
    *to = (address){0};
    if (!strcmp(host, "localhost")) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(port);
        *size = sizeof to->v4;
        return true;
    }
    *to = (address){0};
    if (inet_pton(AF_INET6, host, &to->v6.sin6_addr) != 1) return false;
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(port);
    *size = sizeof to->v6;
    return true;
}

static bool is_loopback(const address *a) {
    return a->any.sa_family == AF_INET ? ntohl(a->v4.sin_addr.s_addr) >> 24 == 127
                                       : IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

// Where it is bound to then, port 0 filled in, stands in *to.
static int bind_to(address *to, socklen_t size) {
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, &to->any, size) && !listen(fd, BACKLOG) && !getsockname(fd, &to->any, &size)) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int listen_at(const char *where, char *name, size_t size, bool *loopback, diag *d) {
    char host[64];
    const char *port, *path = unix_path(where);
    address to;
    socklen_t length;
    *loopback = true;
    snprintf(name, size, "%s", where);
    if (path) return listen_unix(path, d);
    if (!split(where, host, sizeof host, &port) || !parse(host, (uint16_t)atoi(port), &to, &length)) {
        diag_error(d, "--listen",
                   "\"%.200s\" is none of ADDRESS:PORT, [IPv6]:PORT, PORT, unix:PATH; an address is as "
                   "127.0.0.1, or "
                   "localhost",
                   where);
        return -1;
    }
    int fd = bind_to(&to, length);
    if (fd < 0) return diag_error(d, "--listen", "%.200s: %s", where, strerror(errno)), -1;
    bool v4 = to.any.sa_family == AF_INET;
    *loopback = is_loopback(&to);
    snprintf(name, size, v4 ? "http://%s:%u" : "http://[%s]:%u", host,
             ntohs(v4 ? to.v4.sin_port : to.v6.sin6_port));
    return fd;
}

void listen_end(const char *where) {
    const char *path = unix_path(where);
    if (path) unlink(path);
}
