#include "frontend/cli/serve/listen.h"

#include <errno.h>
#include <netdb.h>
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

static bool is_loopback(const struct sockaddr *a) {
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static int bind_one(const struct addrinfo *a) {
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG)) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int listen_at(const char *where, char *name, size_t size, bool *loopback, diag *d) {
    char host[256];
    const char *port, *path = unix_path(where);
    *loopback = true;
    snprintf(name, size, "%s", where);
    if (path) return listen_unix(path, d);
    if (!split(where, host, sizeof host, &port))
        return diag_error(d, "--listen", "\"%.200s\" is none of HOST:PORT, [IPv6]:PORT, PORT, unix:PATH",
                          where),
               -1;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) return diag_error(d, "--listen", "%.200s: %s", where, gai_strerror(failed)), -1;
    int fd = bind_one(found);
    if (fd < 0) {
        diag_error(d, "--listen", "%.200s: %s", where, strerror(errno));
    } else {
        struct sockaddr_storage at;
        socklen_t n = sizeof at;
        char number[8] = "?";
        *loopback = is_loopback(found->ai_addr);
        if (!getsockname(fd, (struct sockaddr *)&at, &n))
            getnameinfo((struct sockaddr *)&at, n, NULL, 0, number, sizeof number, NI_NUMERICSERV);
        snprintf(name, size, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host, number);
    }
    freeaddrinfo(found);
    return fd;
}

void listen_end(const char *where) {
    const char *path = unix_path(where);
    if (path) unlink(path);
}
