#include "frontend/cli/serve/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/cli/serve/connections.h"
#include "frontend/cli/serve/routes.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

enum { SWEEP_MICROSECONDS = 100000 };

struct http {
    server *server;
    log_kind log;
    struct MHD_Daemon *daemons[TEXT_LIST_MAX];
    int count;
    connections all;
    pthread_t sweeper;
    bool sweeps;
    _Atomic bool closing;
};

// A request on its way through the transport.
typedef struct exchange {
    http *http;
    call *call;
    connection *connection;
    struct MHD_Connection *to;
    const char *method;
    bool ends;     // nothing more is read from the connection
    bool discards; // the body is read and dropped: there is a reply already
} exchange;

// --- What a request's head says

static const char *header(struct MHD_Connection *c, const char *name) {
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

// In a time that does not tell how much of the key is right.
static bool same_key(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    unsigned different = n != m;
    for (size_t i = 0; i < m; i++) different |= (unsigned char)(n ? a[i % n] : 0) ^ (unsigned char)b[i];
    return !different;
}

static bool has_key(const server *s, struct MHD_Connection *c) {
    const char *given = header(c, MHD_HTTP_HEADER_AUTHORIZATION);
    bool found = !s->options.api_keys.count;
    if (!given || strncasecmp(given, "Bearer ", 7) != 0) return found;
    for (int i = 0; i < s->options.api_keys.count; i++)
        found |= same_key(given + 7, s->options.api_keys.v[i]);
    return found;
}

static bool is_json(const char *kind) {
    size_t n = strlen("application/json");
    return kind && !strncasecmp(kind, "application/json", n) &&
           (!kind[n] || kind[n] == ';' || kind[n] == ' ');
}

static enum MHD_Result count_length(void *user, enum MHD_ValueKind kind, const char *name,
                                    const char *given) {
    int *lengths = user;
    (void)kind, (void)given;
    *lengths += !strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return MHD_YES;
}

// A body of two lengths: a proxy in front may have taken the other one, and what follows for another client's request.
static bool check_length(exchange *x) {
    int lengths = 0;
    MHD_get_connection_values(x->to, MHD_HEADER_KIND, count_length, &lengths);
    if (lengths + (header(x->to, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) < 2) return true;
    x->ends = true;
    return call_fail(x->call, 400, FAILURE_REQUEST, "Validation",
                     "the head gives the body's length twice (Content-Length, Transfer-Encoding)");
}

static bool check_head(exchange *x, const char *url) {
    call *c = x->call;
    const char *name, *size = header(x->to, MHD_HTTP_HEADER_CONTENT_LENGTH);
    size_t length = 0;
    const route *r = c->route = routes_find(c->server, url, &name, &length);
    bool get = !strcmp(x->method, "GET") || !strcmp(x->method, "HEAD"), post = !strcmp(x->method, "POST");
    if (!r) return call_fail(c, 404, FAILURE_REQUEST, "Validation", "there is no %.200s", c->path);
    if (!strcmp(x->method, "OPTIONS")) return c->status = 204, false;
    if (!(get && r->get) && !(post && (r->post || r->by_task)))
        return call_fail(c, 405, FAILURE_REQUEST, "Validation", "%s takes %s, not %.20s", r->path,
                         r->get ? "GET" : "POST", x->method);
    if (!(r->open && get) && !has_key(c->server, x->to))
        return call_fail(c, 401, FAILURE_REQUEST, "Validation",
                         "the header Authorization: Bearer KEY is missing or wrong");
    if (!call_find_model(c, name, length)) return false;
    c->by_path = name != NULL;
    if (!post) return true;
    if (r->by_task) c->route = routes_of_task(c->model);
    if (!is_json(header(x->to, MHD_HTTP_HEADER_CONTENT_TYPE)))
        return call_fail(c, 415, FAILURE_REQUEST, "Validation",
                         "Expected request with `Content-Type: application/json`");
    if (size && strtoull(size, NULL, 10) > (unsigned long long)c->server->options.payload_limit)
        return call_fail(c, 413, FAILURE_REQUEST, "Validation",
                         "length limit exceeded: a body has at most %lld bytes",
                         (long long)c->server->options.payload_limit);
    return true;
}

// --- The body

static void take_body(exchange *x, const char *data, size_t n) {
    call *c = x->call;
    if (x->discards) return;
    if (c->size + n > (size_t)c->server->options.payload_limit) {
        call_fail(c, 413, FAILURE_REQUEST, "Validation",
                  "length limit exceeded: a body has at most %lld bytes",
                  (long long)c->server->options.payload_limit);
        x->discards = true;
        return;
    }
    if (c->room < c->size + n + 1) {
        size_t room = 2 * c->room > c->size + n + 1 ? 2 * c->room : c->size + n + 1;
        char *grown = memory_grow(c->body, room, 1);
        if (!grown) {
            call_fail(c, 503, FAILURE_OVERLOADED, "Overloaded", "out of memory for the body");
            x->discards = true;
            return;
        }
        c->body = grown;
        c->room = room;
    }
    memcpy(c->body + c->size, data, n);
    c->size += n;
    c->body[c->size] = 0;
}

// --- Replies

static void add_header(struct MHD_Response *r, const char *name, const char *format, double x) {
    char text[40];
    snprintf(text, sizeof text, format, x);
    MHD_add_response_header(r, name, text);
}

// text-embeddings-inference's, in milliseconds.
static void add_times(struct MHD_Response *r, const call *c) {
    double queue = 0, run = 0;
    int n = c->work.count;
    if (!n) return;
    for (int i = 0; i < n; i++) {
        queue += (c->work.jobs[i].started - c->work.jobs[i].arrived) * 1e3 / n;
        run += (c->work.jobs[i].ended - c->work.jobs[i].started) * 1e3 / n;
    }
    MHD_add_response_header(r, "x-compute-type", "cpu");
    add_header(r, "x-compute-time", "%.0f", (c->replied - c->began) * 1e3);
    add_header(r, "x-compute-characters", "%.0f", (double)c->characters);
    add_header(r, "x-compute-tokens", "%.0f", (double)c->tokens);
    add_header(r, "x-total-time", "%.0f", (c->replied - c->began) * 1e3);
    add_header(r, "x-tokenization-time", "%.0f", (c->tokenized - c->read) * 1e3 / n);
    add_header(r, "x-queue-time", "%.0f", queue);
    add_header(r, "x-inference-time", "%.0f", run);
}

static void add_headers(const exchange *x, struct MHD_Response *r) {
    const call *c = x->call;
    const char *cors = c->server->options.cors;
    const char *methods = c->route && !c->route->get ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    if (c->type) MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, c->type);
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (c->type && !strncmp(c->type, "text/html", 9))
        MHD_add_response_header(
            r, "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (cors) {
        MHD_add_response_header(r, "Access-Control-Allow-Origin", cors);
        MHD_add_response_header(r, "Access-Control-Allow-Methods", "GET, POST");
        MHD_add_response_header(r, "Access-Control-Allow-Headers", "content-type, authorization");
    }
    if (c->status == 204 || c->status == 405) MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, methods);
    if (c->status == 401) MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (c->status == 429) MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (x->http->closing || x->ends) MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
}

static enum MHD_Result reply(exchange *x) {
    call *c = x->call;
    static char nothing[1];
    c->replied = seconds_now();
    if (c->status == 200 && c->route->post)
        metrics_observe(&c->server->counts, HISTOGRAM_TOTAL, c->replied - c->began);
    struct MHD_Response *r = MHD_create_response_from_buffer(
        c->reply.size, c->reply.text ? c->reply.text : nothing, MHD_RESPMEM_PERSISTENT);
    if (!r) return MHD_NO;
    add_times(r, c);
    add_headers(x, r);
    connections_set(&x->http->all, x->connection, CONNECTION_WRITING);
    enum MHD_Result queued = MHD_queue_response(x->to, (unsigned)c->status, r);
    MHD_destroy_response(r);
    return queued;
}

// On the engine's thread.
static void resume(void *user) {
    exchange *x = user;
    MHD_resume_connection(x->to);
}

// The name that the key `model` gives, where the path gave none.
static bool find_model(call *c) {
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(c->json, "model");
    if (!name || cJSON_IsNull(name) || strncmp(c->path, c->route->path, strlen(c->route->path)) != 0)
        return true;
    if (!cJSON_IsString(name)) return call_wrong(c, "`model` must be a string");
    return call_find_model(c, name->valuestring, strlen(name->valuestring));
}

// True: the engine has the texts, and the connection is suspended.
static bool begin(exchange *x) {
    call *c = x->call;
    server *s = c->server;
    c->read = seconds_now();
    connections_set(&x->http->all, x->connection, CONNECTION_WORKING);
    if (c->route->post && (!call_parse(c) || !find_model(c))) return false;
    c->work.model = c->model;
    c->work.options.size = sizeof c->work.options;
    if (!served_can(c->model, c->route->needs))
        return call_fail(c, 424, FAILURE_MODEL_TYPE, "Backend", "model is not %s",
                         ability_name(c->route->needs));
    if (!c->route->begin(c)) return false;
    atomic_fetch_add(&s->counts.requests[!c->single], 1);
    if (c->route->task >= 0) atomic_fetch_add(&s->counts.asked[c->route->task], (uint64_t)c->work.count);
    c->tokenized = seconds_now();
    c->work.done = resume;
    c->work.user = x;
    MHD_suspend_connection(x->to);
    if (engine_submit(s->engine, &c->work)) return true;
    MHD_resume_connection(x->to);
    return call_fail(c, 429, FAILURE_OVERLOADED, "Overloaded", "Model is overloaded");
}

// --- libmicrohttpd's callbacks

// The path of an address; proxies are sent whole ones: http://HOST/PATH.
static const char *path_of(const char *url) {
    if (strncasecmp(url, "http://", 7) != 0) return url;
    const char *path = strchr(url + 7, '/');
    return path ? path : "/";
}

static enum MHD_Result start(http *h, struct MHD_Connection *to, const char *url, const char *method,
                             void **state) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(to, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const char *expect = header(to, MHD_HTTP_HEADER_EXPECT);
    url = path_of(url);
    exchange *x = memory_zero(1, sizeof *x);
    call *c = memory_zero(1, sizeof *c);
    char *path = memory_strdup(url);
    if (!x || !c || !path || !info || !info->socket_context) {
        free(x);
        free(c);
        free(path);
        return MHD_NO;
    }
    for (char *p = path; *p; p++)
        if (*p < 0x20 || *p > 0x7e) *p = '?';
    *c = (call){.server = h->server, .path = path, .began = seconds_now()};
    *x = (exchange){.http = h, .call = c, .connection = info->socket_context, .to = to, .method = method};
    *state = x;
    connections_set(&h->all, x->connection, CONNECTION_READING);
    if (check_length(x) && check_head(x, url)) return MHD_YES;
    x->discards = true;
    // Who asks first whether a body is welcome is told at once. Others' bodies are read to their ends, or a reply might be lost.
    return expect || x->ends ? reply(x) : MHD_YES;
}

static enum MHD_Result handle(void *user, struct MHD_Connection *to, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
    (void)version;
    exchange *x = *state;
    if (!x) return start(user, to, url, method, state);
    if (*size) {
        take_body(x, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (x->call->work.done && !x->call->status) { // all its texts are done
        call_finish(x->call);
        return reply(x);
    }
    if (!x->discards && begin(x)) return MHD_YES;
    // Where the engine took nothing, the connection was suspended for a moment: it is called again.
    if (!x->discards && x->call->work.done) return x->discards = true, MHD_YES;
    return reply(x);
}

static void write_address(struct MHD_Connection *to, char *text, size_t size) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(to, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    snprintf(text, size, "unix");
    if (a && a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text, (socklen_t)size);
    if (a && a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text,
                  (socklen_t)size);
}

static void completed(void *user, struct MHD_Connection *to, void **state,
                      enum MHD_RequestTerminationCode why) {
    http *h = user;
    exchange *x = *state;
    char from[64];
    (void)why;
    if (!x) return;
    write_address(to, from, sizeof from);
    log_request(h->log, x->call, x->method, from);
    connections_set(&h->all, x->connection, CONNECTION_IDLE);
    call_free(x->call);
    free(x);
    *state = NULL;
}

static void connected(void *user, struct MHD_Connection *to, void **context,
                      enum MHD_ConnectionNotificationCode what) {
    http *h = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = connections_add(
            &h->all, MHD_get_connection_info(to, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else if (*context)
        connections_remove(&h->all, *context);
}

// Paths have no character that is written by its number, and %00 must not end one.
static size_t keep_path(void *user, struct MHD_Connection *to, char *path) {
    (void)user, (void)to;
    return strlen(path);
}

static void ignore(void *user, const char *format, va_list a) {
    (void)user, (void)format, (void)a; // what clients do wrong
}

// --- Opening and closing

static void *sweep(void *user) {
    http *h = user;
    while (!h->closing) {
        connections_sweep(&h->all, (double)h->server->options.timeout);
        usleep(SWEEP_MICROSECONDS);
    }
    return NULL;
}

http *http_open(server *s, log_kind log, diag *d) {
    http *h = memory_zero(1, sizeof *h);
    if (!h) return diag_error(d, NULL, "out of memory"), NULL;
    h->server = s;
    h->log = log;
    connections_open(&h->all);
    h->sweeps = pthread_create(&h->sweeper, NULL, sweep, h) == 0;
    if (!h->sweeps) diag_error(d, NULL, "no thread can be started");
    return h;
}

bool http_listen(http *h, int socket, diag *d) {
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle,
        h, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_UNESCAPE_CALLBACK, keep_path, NULL,
        MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_NOTIFY_COMPLETED, completed, h,
        MHD_OPTION_NOTIFY_CONNECTION, connected, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)h->server->options.max_connections, MHD_OPTION_END);
    if (!daemon) {
        close(socket);
        return diag_error(d, "--listen", "the server does not start: %s", strerror(errno));
    }
    h->daemons[h->count++] = daemon;
    return true;
}

// Nothing more is accepted but what the system has accepted already.
static void quiesce(struct MHD_Daemon *daemon) {
    int listens = MHD_quiesce_daemon(daemon);
    if (listens < 0) return;
    for (;;) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(listens, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) break;
        MHD_add_connection(daemon, fd, (const struct sockaddr *)&from, size);
    }
    close(listens);
}

void http_drain(http *h, double seconds) {
    double until = seconds_now() + seconds;
    h->closing = true;
    if (h->sweeps) pthread_join(h->sweeper, NULL);
    for (int i = 0; i < h->count; i++) quiesce(h->daemons[i]);
    while (connections_drain(&h->all, 0.2) && seconds_now() < until) {
        connections_sweep(&h->all, (double)h->server->options.timeout);
        usleep(SWEEP_MICROSECONDS / 10);
    }
}

void http_close(http *h) {
    for (int i = 0; i < h->count; i++) MHD_stop_daemon(h->daemons[i]);
    connections_close(&h->all);
    free(h);
}
