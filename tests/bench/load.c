#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LATE_SECONDS 0.010

// --- A connection that is used again and again

typedef struct peer {
    const char *at;
    int fd; // -1: none
    char *reply;
    size_t room;
} peer;

static int connect_to(const char *at) {
    char host[128];
    const char *colon = strrchr(at, ':');
    if (!strncmp(at, "unix:", 5)) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        snprintf(to.sun_path, sizeof to.sun_path, "%s", at + 5);
        if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof to)) return fd;
        if (fd >= 0) close(fd);
        return -1;
    }
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (!colon || (size_t)(colon - at) >= sizeof host) return -1;
    snprintf(host, sizeof host, "%.*s", (int)(colon - at), at);
    to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof to)) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static void peer_end(peer *p) {
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
}

static bool put(int fd, const char *bytes, size_t n) {
    for (ssize_t sent; n; bytes += sent, n -= (size_t)sent)
        if ((sent = send(fd, bytes, n, MSG_NOSIGNAL)) <= 0) return false;
    return true;
}

// Reads a reply of a said length; its status, 0: none came. The body stands at *body, until the next one.
static int read_reply(peer *p, char **body) {
    size_t n = 0, whole = 0, head = 0;
    int status = 0;
    for (;;) {
        if (p->room - n < 65536) {
            char *grown = realloc(p->reply, p->room + 131072);
            if (!grown) return 0;
            p->reply = grown;
            p->room += 131072;
        }
        ssize_t got = recv(p->fd, p->reply + n, p->room - n - 1, 0);
        if (got <= 0) return 0;
        n += (size_t)got;
        p->reply[n] = 0;
        char *end = whole ? NULL : strstr(p->reply, "\r\n\r\n");
        if (end) {
            const char *length = strcasestr(p->reply, "\r\nContent-Length:");
            if (!length || length > end || sscanf(p->reply, "HTTP/1.1 %d", &status) != 1) return 0;
            head = (size_t)(end - p->reply) + 4;
            whole = head + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
        }
        if (whole && n >= whole) break;
    }
    *body = p->reply + head;
    (*body)[whole - head] = 0;
    return status;
}

// A kept connection may have been closed meanwhile: one more try on a new one.
static int ask(peer *p, const char *path, const char *body, char **reply) {
    char head[256];
    int n = snprintf(
        head, sizeof head,
        "%s %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        body ? "POST" : "GET", path, body ? strlen(body) : 0);
    for (int turn = 0; turn < 2; turn++) {
        bool kept = p->fd >= 0;
        if (!kept) p->fd = connect_to(p->at);
        if (p->fd < 0) return 0;
        int status = put(p->fd, head, (size_t)n) && (!body || put(p->fd, body, strlen(body)))
                         ? read_reply(p, reply)
                         : 0;
        if (status) return status;
        peer_end(p);
        if (!kept) return 0;
    }
    return 0;
}

char *load_ask(const char *at, const char *path, const char *body, int *status) {
    peer p = {.at = at, .fd = -1};
    char *reply = NULL;
    int got = ask(&p, path, body, &reply);
    char *copy = got ? strdup(reply) : NULL;
    peer_end(&p);
    free(p.reply);
    if (status) *status = got;
    return copy;
}

// --- The load

typedef struct load {
    const load_options *options;
    double begin, *due; // [sent] seconds since `begin`; NULL: at once
    int64_t count;
    _Atomic int64_t next, answered, refused, failed, wrong, late;
    double *latencies; // [count], of those answered
    _Atomic int64_t used;
    pthread_mutex_t lock;
    double last;
} load;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void wait_until(double when) {
    struct timespec t = {.tv_sec = (time_t)when, .tv_nsec = (long)((when - floor(when)) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static void count_reply(load *l, int status, int which, const char *reply, double seconds) {
    const load_options *o = l->options;
    if (status == 429) {
        l->refused++;
    } else if (status != 200) {
        l->failed++;
    } else {
        l->latencies[atomic_fetch_add(&l->used, 1)] = seconds;
        l->answered++;
        if (o->expected && strcmp(reply, o->expected[which]) != 0) l->wrong++;
    }
}

static void *work(void *argument) {
    load *l = argument;
    const load_options *o = l->options;
    peer p = {.at = o->at, .fd = -1};
    for (int64_t i; (i = atomic_fetch_add(&l->next, 1)) < l->count;) {
        double due = l->due ? l->begin + l->due[i] : now();
        int which = (int)(((uint64_t)i * 2654435761u + o->seed) % (uint64_t)o->body_count);
        char *reply = NULL;
        if (!l->due && due - l->begin > o->seconds) break;
        if (l->due) wait_until(due);
        if (now() - due > LATE_SECONDS) l->late++;
        int status = ask(&p, o->path, o->bodies[which], &reply);
        double end = now();
        count_reply(l, status, which, reply, end - due);
        pthread_mutex_lock(&l->lock);
        if (end > l->last) l->last = end;
        pthread_mutex_unlock(&l->lock);
    }
    peer_end(&p);
    free(p.reply);
    return NULL;
}

// A number from 0 to 1, without 0.
static double draw(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return ((double)((x ^ x >> 31) >> 11) + 1) * 0x1p-53;
}

// The times at which requests go out.
static bool plan(load *l) {
    const load_options *o = l->options;
    uint64_t state = o->seed;
    size_t room = 0;
    if (!(o->rate > 0)) return l->count = 1 << 24, true;
    for (double t = -log(draw(&state)) / o->rate; t < o->seconds; t -= log(draw(&state)) / o->rate) {
        if ((size_t)l->count == room) {
            double *grown = realloc(l->due, (room = 2 * room + 1024) * sizeof *l->due);
            if (!grown) return false;
            l->due = grown;
        }
        l->due[l->count++] = t;
    }
    return true;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool load_run(const load_options *o, load_result *r) {
    load l = {.options = o};
    pthread_t *threads = calloc((size_t)o->connections, sizeof *threads);
    int started = 0;
    bool ok = threads && plan(&l);
    if (ok) l.latencies = malloc(((size_t)l.count + 1) * sizeof *l.latencies);
    ok = ok && l.latencies;
    pthread_mutex_init(&l.lock, NULL);
    l.begin = l.last = now();
    for (; ok && started < o->connections; started++)
        if (pthread_create(&threads[started], NULL, work, &l)) break;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&l.lock);
    *r = (load_result){.answered = l.answered,
                       .refused = l.refused,
                       .failed = l.failed,
                       .wrong = l.wrong,
                       .late = l.late,
                       .seconds = l.last - l.begin,
                       .count = l.used,
                       .latencies = l.latencies};
    r->sent = r->answered + r->refused + r->failed;
    if (r->count) qsort(r->latencies, (size_t)r->count, sizeof *r->latencies, compare);
    free(threads);
    free(l.due);
    return ok && started > 0;
}

void load_free(load_result *r) {
    free(r->latencies);
    *r = (load_result){0};
}

double load_quantile(const load_result *r, double q) {
    if (!r->count) return NAN;
    int64_t i = (int64_t)ceil(q * (double)r->count) - 1;
    return r->latencies[i < 0 ? 0 : i];
}
