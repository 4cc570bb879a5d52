// `bertc serve`: answers over HTTP, with the routes of text-embeddings-inference, OpenAI's embeddings, and bertc's own.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/serve/http.h"
#include "frontend/cli/serve/listen.h"
#include "frontend/cli/serve/routes.h"
#include "ir/memory.h"

enum { SPARE_FILES = 64, TOKENS_PER_THREAD = 512 };

static void add_network(option_table *t, server_options *o) {
    t->group = "address and access";
    options_add(t, (option_row){"listen", 0, OPTION_TEXTS, "WHERE",
                                "where the server waits: ADDRESS:PORT, [IPv6]:PORT, PORT or unix:PATH. Give "
                                "the option again for more (default 127.0.0.1:8080)",
                                &o->listen});
    options_add(t, (option_row){"api-key", 0, OPTION_TEXTS, "KEY",
                                "refuse requests without `Authorization: Bearer KEY`. Give the option again "
                                "for more keys (default: API_KEY of the environment)",
                                &o->api_keys});
    options_add(t, (option_row){"cors-allow-origin", 0, OPTION_TEXT, "ORIGIN",
                                "let web pages of this origin use the server; *: all pages (default: the "
                                "server's own page alone)",
                                &o->cors});
    options_add(t, (option_row){"log", 0, OPTION_TEXT, "HOW",
                                "write a line per request on stderr: text (default), json, none", &o->log});
}

static void add_limits(option_table *t, server_options *o) {
    t->group = "limits";
    options_add(t, (option_row){"max-client-batch-size", 0, OPTION_INT, "N",
                                "the most texts per request (default 32)", &o->max_client_batch_size, 1});
    options_add(t,
                (option_row){"payload-limit", 0, OPTION_INT, "BYTES",
                             "the most bytes of a request's body (default 2000000)", &o->payload_limit, 1});
    options_add(t, (option_row){"max-concurrent-requests", 0, OPTION_INT, "N",
                                "the most texts that wait or are answered. More get status 429 (default 512)",
                                &o->max_concurrent_requests, 1});
    options_add(t, (option_row){"max-connections", 0, OPTION_INT, "N",
                                "the most connections at a time (default 1024)", &o->max_connections, 1});
    options_add(
        t, (option_row){
               "timeout", 0, OPTION_INT, "SECONDS",
               "the most seconds to send a request, to wait in the queue, or to read a reply (default 60)",
               &o->timeout, 1});
    options_add(t, (option_row){"auto-truncate", 0, OPTION_FLAG, NULL,
                                "cut texts that are too long, unless the request says otherwise",
                                &o->auto_truncate});
}

static void add_batches(option_table *t, server_options *o) {
    t->group = "batches";
    options_add(t, (option_row){"max-batch-tokens", 0, OPTION_INT, "N",
                                "the most tokens per call of a model (default: 512 per thread)",
                                &o->max_batch_tokens, 1});
    options_add(t, (option_row){"max-batch-requests", 0, OPTION_INT, "N",
                                "the most texts per call of a model (default: no limit)",
                                &o->max_batch_requests, 1});
    options_add(t,
                (option_row){"max-wait-us", 0, OPTION_INT, "N",
                             "the most microseconds that a text waits for others to join its call; 0: none "
                             "(default: texts wait only in a queue, no longer than earlier calls took)",
                             &o->max_wait_us, 0});
    options_add(t, (option_row){"threads", 'j', OPTION_INT, "N", "threads per call (default: one per CPU)",
                                &o->threads, 1});
    options_add(t, (option_row){"huge-pages", 0, OPTION_FLAG, NULL, "copy the weights into 2 MB pages first",
                                &o->huge_pages});
}

static void table_init(option_table *t, server_options *o) {
    *t = (option_table){
        .usage = "bertc serve [NAME=]model.so|MODEL... [OPTION]...",
        .summary = "Answers texts over HTTP: the routes of text-embeddings-inference and OpenAI's "
                   "/v1/embeddings, and routes\nwith the keys of `bertc run --json`. A page at / tries "
                   "the models. A checkpoint is compiled in memory first.",
        .example = "bertc serve sentiment.so --listen 127.0.0.1:8080"};
    *o = (server_options){.max_client_batch_size = 32,
                          .payload_limit = 2000000,
                          .max_concurrent_requests = 512,
                          .max_connections = 1024,
                          .timeout = 60,
                          .max_wait_us = -1};
    add_network(t, o);
    add_limits(t, o);
    add_batches(t, o);
    build_options_add(t, &o->build, "native");
}

// --- Opening

static bool open_models(server *s, const arguments *words, diag *d) {
    served_options so = {
        .build = &s->options.build, .threads = (int)s->options.threads, .huge_pages = s->options.huge_pages};
    s->models = memory_must(memory_zero((size_t)words->count, sizeof *s->models));
    for (int i = 0; i < words->count; i++) {
        served *m = &s->models[s->model_count++];
        if (!served_open(m, words->v[i], &so, d)) return false;
        if (routes_has(m->name))
            return diag_error(d, words->v[i], "\"%s\" is a route's name: say NAME=%s", m->name, m->path);
        for (int k = 0; k < i; k++)
            if (!strcmp(s->models[k].name, m->name))
                return diag_error(d, words->v[i], "a second model is named \"%s\": say NAME=%s", m->name,
                                  m->path);
    }
    return true;
}

// Each connection is a file.
static void raise_limit(server *s) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur != RLIM_INFINITY &&
        (rlim_t)s->options.max_connections + SPARE_FILES > files.rlim_cur && files.rlim_cur > 2 * SPARE_FILES)
        s->options.max_connections = (int64_t)files.rlim_cur - SPARE_FILES;
}

static bool listen_everywhere(server *s, http *h, log_kind log, diag *d) {
    const text_list *all = &s->options.listen;
    for (int i = 0; i < all->count; i++) {
        char name[400];
        bool loopback;
        int fd = listen_at(all->v[i], name, sizeof name, &loopback, d);
        if (fd < 0) return false;
        s->listening++;
        if (!http_listen(h, fd, d)) return false;
        log_event(log, "info", "listening at %s", name);
        if (!loopback && !s->options.api_keys.count)
            log_event(log, "warn", "%s can be reached from other machines, and no --api-key is asked for",
                      name);
    }
    return true;
}

static int wait_for_signal(const sigset_t *signals) {
    int signal = 0;
    while (sigwait(signals, &signal)) {
    }
    return signal;
}

static void serve(server *s, log_kind log, diag *d) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    // SIGHUP: the terminal is gone, but for nohup.
    if (signal(SIGHUP, SIG_DFL) == SIG_IGN)
        signal(SIGHUP, SIG_IGN);
    else
        sigaddset(&signals, SIGHUP);
    // Blocked in all threads that are started from here on.
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    engine_options eo = {.max_batch_tokens = s->options.max_batch_tokens,
                         .max_batch_requests = s->options.max_batch_requests,
                         .max_wait_us = s->options.max_wait_us,
                         .max_concurrent_requests = s->options.max_concurrent_requests,
                         .timeout = (double)s->options.timeout};
    s->engine = engine_open(&eo, &s->counts, d);
    http *h = s->engine ? http_open(s, log, d) : NULL;
    if (h && !diag_failed(d) && listen_everywhere(s, h, log, d)) {
        for (int i = 0; i < s->model_count; i++)
            log_event(log, "info", "model %s: %s", s->models[i].name, s->models[i].path);
        log_event(log, "info", "ready");
        int which = wait_for_signal(&signals);
        log_event(log, "info", "%s: answering what was accepted",
                  which == SIGINT   ? "SIGINT"
                  : which == SIGHUP ? "SIGHUP"
                                    : "SIGTERM");
        signal(SIGINT, SIG_DFL); // a second one ends it at once
        signal(SIGTERM, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    }
    // Before the sockets are closed: a server that begins meanwhile has its own of that name.
    for (int i = 0; i < s->listening; i++) listen_end(s->options.listen.v[i]);
    if (h) http_drain(h, (double)s->options.timeout);
    if (s->engine) engine_stop(s->engine);
    if (h) http_close(h);
    if (s->engine) engine_free(s->engine);
    log_event(log, "info", "ended");
}

// --- The command

static void add_defaults(server_options *o) {
    const char *key = getenv("API_KEY");
    if (!o->api_keys.count && key && *key) o->api_keys = (text_list){1, {key}};
    if (!o->listen.count) o->listen = (text_list){1, {"127.0.0.1:8080"}};
    if (!o->threads) o->threads = bertc_cpu_count();
    // More does not make a token cheaper: its numbers leave the caches between two layers.
    if (!o->max_batch_tokens) o->max_batch_tokens = TOKENS_PER_THREAD * o->threads;
}

int command_serve(int argc, char **argv) {
    option_table t;
    server s = {0};
    arguments rest;
    log_kind log;
    table_init(&t, &s.options);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count < 1) return usage_error(&t, "needs an artefact or a checkpoint");
    if (!log_kind_of(s.options.log, &log))
        return usage_error(&t, "--log: '%s' is none of text, json, none", s.options.log);
    for (int i = 0; i < rest.count; i++) {
        status = build_options_check(&t, &s.options.build, rest.v[i], false);
        if (status >= 0) return status;
    }
    add_defaults(&s.options);
    diag d;
    diag_init(&d);
    raise_limit(&s);
    if (open_models(&s, &rest, &d)) serve(&s, log, &d);
    for (int i = 0; i < s.model_count; i++) served_close(&s.models[i]);
    free(s.models);
    return finish(&d);
}
