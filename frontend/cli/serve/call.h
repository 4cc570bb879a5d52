// One HTTP request, apart from its transport: what was asked, the texts that the engine answers, and the reply.
#ifndef BERTC_CLI_CALL_H
#define BERTC_CLI_CALL_H

#include "frontend/cli/data/nul.h"
#include "frontend/cli/serve/engine.h"

typedef struct server_options {
    build_options build;
    text_list listen, api_keys;
    const char *log, *cors, *model_name;
    int64_t threads, max_client_batch_size, payload_limit, timeout, max_connections;
    int64_t max_batch_tokens, max_batch_requests, max_wait_us, max_concurrent_requests;
    bool huge_pages, auto_truncate;
} server_options;

typedef struct server {
    server_options options;
    served *models;
    int model_count;
    int listening; // at the first so many of options.listen
    metrics counts;
    engine *engine;
    double started;
} server;

struct route;
typedef struct call {
    server *server;
    const struct route *route;
    served *model;
    const char *method; // of the transport
    char *path;         // owned
    char *body;
    size_t size, room;
    nul_line nul;
    cJSON *json;
    work work;
    bool by_path; // the path names the model
    bool single;  // one text, which was not in a list
    // What only some routes ask for.
    bool base64, return_tokens, return_text, raw_scores, normalize;
    int dimensions; // 0: not said
    bool documents; // ranked in the form of Cohere's and Jina's
    int64_t top_n;
    int64_t layer, head;
    char **owned; // freed with the call
    int owned_count;
    // The reply.
    int status; // 0: none yet
    out reply;
    const char *type; // of its content
    failure_id failure;
    // For headers, metrics and the log.
    double began, read, tokenized, replied;
    int64_t characters, tokens;
} call;

typedef struct route {
    const char *path;
    bool get, post;
    bool open;    // no key is asked for
    bool openai;  // errors have OpenAI's keys
    bool by_task; // a POST is one to the route of the model's task
    ability needs;
    int task; // of METRIC_TASKS, -1: none
    // Reads the body and fills in the work, which is then queued, or a reply. False: there is a reply that says why not.
    bool (*begin)(call *c);
    // The reply to a work that is done; NULL: begin gave it.
    void (*finish)(call *c);
} route;

void call_free(call *c);
// Replies with an error, and returns false.
bool call_fail(call *c, int status, failure_id failure, const char *type, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// The same of a request that is not as it must be: 422.
bool call_wrong(call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Keeps memory that is freed with the call; NULL stays NULL.
void *call_own(call *c, void *memory);
// Parses the body into c->json, an object.
bool call_parse(call *c);
// A string's text and its bytes, with its NULs.
bertc_text call_text(const call *c, cJSON *string);
// Finds c->model, by its name or because it can do what the route needs. `name` NULL: none was said.
bool call_find_model(call *c, const char *name, size_t n);
// Where the reply's JSON is whole, its status is 200; else 503.
void call_reply(call *c);
// The reply to a work that is done: an error, where one of its texts has one.
void call_finish(call *c);

#endif
