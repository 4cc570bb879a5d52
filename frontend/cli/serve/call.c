#include "frontend/cli/serve/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/text.h"
#include "ir/memory.h"

void call_free(call *c) {
    work_free(&c->work);
    cJSON_Delete(c->json);
    nul_close(&c->nul);
    out_free(&c->reply);
    for (int i = 0; i < c->owned_count; i++) free(c->owned[i]);
    free(c->owned);
    free(c->body);
    free(c->path);
    free(c);
}

void *call_own(call *c, void *memory) {
    if (!memory) return NULL;
    c->owned = memory_must(memory_grow(c->owned, (size_t)c->owned_count + 1, sizeof *c->owned));
    c->owned[c->owned_count++] = memory;
    return memory;
}

// --- Replies

static void write_error(call *c, int status, const char *kind, const char *message) {
    out *o = &c->reply;
    o->size = 0;
    o->bad = false;
    if (c->route && c->route->openai) {
        out_text(o, "{\"message\": ");
        out_quoted(o, message);
        out_format(o, ", \"code\": %d, \"type\": ", status);
    } else {
        out_text(o, "{\"error\": ");
        out_quoted(o, message);
        out_text(o, ", \"error_type\": ");
    }
    out_quoted(o, kind);
    out_text(o, "}");
    c->status = status;
    c->type = "application/json";
}

bool call_fail(call *c, int status, failure_id failure, const char *kind, const char *format, ...) {
    char message[700];
    va_list a;
    va_start(a, format);
    vsnprintf(message, sizeof message, format, a);
    va_end(a);
    size_t n = strlen(message); // it may have been cut in the middle of a character
    message[hub_utf8_prefix(message, n)] = 0;
    atomic_fetch_add(&c->server->counts.failures[failure], 1);
    c->failure = failure;
    write_error(c, status, kind, message);
    return false;
}

bool call_wrong(call *c, const char *format, ...) {
    char message[700];
    va_list a;
    va_start(a, format);
    vsnprintf(message, sizeof message, format, a);
    va_end(a);
    return call_fail(c, 422, FAILURE_VALIDATION, "Validation", "%s", message);
}

void call_reply(call *c) {
    if (c->reply.bad) {
        call_fail(c, 503, FAILURE_INFERENCE, "Backend", "out of memory for the answer");
        return;
    }
    c->status = 200;
    if (!c->type) c->type = "application/json";
}

// --- The body

static bool not_json(call *c, const char *why) {
    return call_fail(c, 400, FAILURE_REQUEST, "Validation", "Failed to parse the request body as JSON: %s",
                     why);
}

// A key that appears twice in the object; NULL: none does.
static const char *key_twice(const cJSON *object) {
    for (const cJSON *a = object->child; a; a = a->next)
        for (const cJSON *b = object->child; b != a; b = b->next)
            if (!strcmp(a->string, b->string)) return a->string;
    return NULL;
}

bool call_parse(call *c) {
    const char *why, *end;
    char where[64];
    if (!c->size) return not_json(c, "the body is empty");
    if (hub_utf8_prefix(c->body, c->size) < c->size) return not_json(c, "it is not UTF-8");
    if (!nul_open(&c->nul, c->body, c->size, NULL, &why)) return not_json(c, why);
    const char *text = c->nul.copy ? c->nul.copy : c->body;
    size_t n = c->nul.copy ? c->nul.size : c->size;
    c->json = cJSON_ParseWithLengthOpts(text, n + 1, &end, false);
    while (c->json && end < text + n && strchr(" \t\r\n", *end)) end++;
    if (!c->json || end < text + n) {
        const char *at = c->json ? end : cJSON_GetErrorPtr();
        snprintf(where, sizeof where, "it goes wrong at byte %lld",
                 at >= text && at <= text + n ? (long long)(at - text) + 1 : 1);
        return not_json(c, where);
    }
    if (!cJSON_IsObject(c->json)) return call_wrong(c, "the body is no JSON object");
    if (cJSON_GetArraySize(c->json) > 64) return call_wrong(c, "the body has more than 64 keys");
    if ((why = key_twice(c->json))) return call_wrong(c, "the key \"%.80s\" appears twice", why);
    return true;
}

bertc_text call_text(const call *c, cJSON *string) {
    size_t n = strlen(string->valuestring);
    nul_restore(&c->nul, string->valuestring, n);
    return (bertc_text){.text = string->valuestring, .size = n};
}

// --- The model

static void list_models(const server *s, char *to, size_t size) {
    size_t used = 0;
    *to = 0;
    for (int i = 0; i < s->model_count && used < size; i++)
        used += (size_t)snprintf(to + used, size - used, "%s%s", i ? ", " : "", s->models[i].name);
}

bool call_find_model(call *c, const char *name, size_t n) {
    server *s = c->server;
    char known[300];
    served *first = NULL;
    for (int i = 0; i < s->model_count; i++) {
        served *m = &s->models[i];
        if (name && strlen(m->name) == n && !memcmp(m->name, name, n)) return c->model = m, true;
        if (!first && served_can(m, c->route ? c->route->needs : ABLE_ANY)) first = m;
    }
    // One model answers to every name, as in text-embeddings-inference.
    c->model = first ? first : &s->models[0];
    if (!name || s->model_count == 1) return true;
    list_models(s, known, sizeof known);
    return call_fail(c, 404, FAILURE_REQUEST, "Validation", "no model is named \"%.*s\": there are %s",
                     (int)(n < 100 ? n : 100), name, known);
}

// --- What was answered

// What the model can't answer is, on text-embeddings-inference's routes, its "Inference failed".
static void text_failed(call *c, int i, const char *why) {
    char which[24] = "";
    bool theirs = c->route->task >= 0;
    if (c->work.count > 1) snprintf(which, sizeof which, "text %d: ", i);
    call_fail(c, theirs ? 424 : 422, FAILURE_INFERENCE, theirs ? "Backend" : "Validation", "%s%s", which,
              why);
}

static bool any_error(call *c) {
    for (int i = 0; i < c->work.count; i++) {
        const job *j = &c->work.jobs[i];
        if (!j->error && !j->late) continue;
        if (j->late)
            call_fail(c, 503, FAILURE_OVERLOADED, "Overloaded", "the text waited longer than %lld s",
                      (long long)c->server->options.timeout);
        else
            text_failed(c, i, j->error);
        return true;
    }
    return false;
}

static void observe(call *c) {
    metrics *m = &c->server->counts;
    int n = c->work.count;
    atomic_fetch_add(&m->successes[!c->single], 1);
    if (c->route->task >= 0) atomic_fetch_add(&m->answered[c->route->task], (uint64_t)n);
    for (int i = 0; i < n; i++) {
        const job *j = &c->work.jobs[i];
        c->tokens += j->tokens;
        metrics_observe(m, HISTOGRAM_INPUT_LENGTH, (double)j->tokens);
        metrics_observe(m, HISTOGRAM_QUEUE, j->started - j->arrived);
        metrics_observe(m, HISTOGRAM_INFERENCE, j->ended - j->started);
        metrics_observe(m, HISTOGRAM_TOKENIZATION, (c->tokenized - c->read) / n);
    }
}

void call_finish(call *c) {
    if (any_error(c)) return;
    observe(c);
    c->route->finish(c);
    if (!c->status) call_reply(c);
}
