// Tokens of texts, and whom each token looks at.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/serve/inputs.h"
#include "frontend/cli/serve/routes.h"
#include "ir/memory.h"

// Behind a token's text, its place in characters.
static void write_token(out *o, const call *c, const bertc_text *text, const bertc_token *t) {
    const char *of = t->text == 1 ? text->pair : text->text;
    bool special = t->text < 0;
    out_format(o, "{\"id\": %d, \"text\": ", t->id);
    if (special)
        out_quoted(o, bertc_token_text(c->model->model, t->id));
    else
        out_string(o, of + t->byte_start, t->byte_end - t->byte_start);
    if (special)
        out_text(o, ", \"special\": true, \"start\": null, \"stop\": null}");
    else
        out_format(o, ", \"special\": false, \"start\": %u, \"stop\": %u}", t->char_start, t->char_end);
}

static bool write_tokens(call *c, const bertc_text *text, const bertc_text_options *how, bool special) {
    const bertc_token *tokens;
    bertc_error e;
    size_t n;
    bool any = false;
    if (!bertc_tokenize_with(c->model->reader, text, how, &tokens, &n, &e))
        return call_fail(c, 422, FAILURE_TOKENIZATION, "Tokenizer", "Tokenizer error: %s", e.message);
    if (!c->work.left && !c->work.done) c->tokens += (int64_t)n; // else the engine's are counted
    out_text(&c->reply, "[");
    for (size_t i = 0; i < n; i++) {
        if (!special && tokens[i].text < 0) continue;
        if (any) out_text(&c->reply, ", ");
        write_token(&c->reply, c, text, &tokens[i]);
        any = true;
    }
    out_text(&c->reply, "]");
    return true;
}

bool look_write_vector_tokens(call *c, const job *j) {
    const bertc_token *tokens;
    bertc_error e = {""};
    size_t n = 0;
    pthread_mutex_lock(&c->model->reading);
    bool ok = bertc_text_tokens(c->model->reader, &j->text, &c->work.options, &tokens, &n, &e);
    out_text(&c->reply, "[");
    for (int64_t i = 0; ok && i < j->rows; i++) {
        if (i) out_text(&c->reply, ", ");
        write_token(&c->reply, c, &j->text, &tokens[j->places ? j->places[i] : i]);
    }
    pthread_mutex_unlock(&c->model->reading);
    out_text(&c->reply, "]");
    return ok || call_fail(c, 422, FAILURE_TOKENIZATION, "Tokenizer", "Tokenizer error: %s", e.message);
}

bool tokenize_begin(call *c) {
    cJSON *inputs = cJSON_GetObjectItemCaseSensitive(c->json, "inputs");
    bool special = true, plain = true, ok = true;
    if (!inputs_read_lines(c, inputs, "inputs") ||
        !settings_flag(c, c->json, "add_special_tokens", &special) ||
        !settings_flag(c, c->json, "plain_text", &plain))
        return false;
    bertc_text_options how = {BERTC_SIZED(bertc_text_options), .plain_text = plain};
    if (!settings_text(c, c->json, "prompt_name", &how.prompt_name)) return false;
    pthread_mutex_lock(&c->model->reading);
    out_text(&c->reply, "[");
    for (int i = 0; ok && i < c->work.count; i++) {
        if (i) out_text(&c->reply, ", ");
        ok = inputs_check_length(c, &c->work.jobs[i].text, true) &&
             write_tokens(c, &c->work.jobs[i].text, &how, special);
    }
    pthread_mutex_unlock(&c->model->reading);
    if (!ok) return false;
    out_text(&c->reply, "]");
    call_reply(c);
    return false;
}

// --- Ids

// Would the token's text be taken for a special token, where texts may hold such?
static bool is_special(const call *c, int32_t id) {
    const char *name = bertc_token_text(c->model->model, id);
    bertc_text text = {.text = name, .size = strlen(name)};
    bertc_text_options how = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
    const bertc_token *tokens;
    size_t n;
    bool made = false;
    for (int plain = 0; plain < 2; plain++) {
        bool found = false;
        how.plain_text = plain;
        if (!bertc_tokenize_with(c->model->reader, &text, &how, &tokens, &n, NULL)) continue;
        for (size_t i = 0; i < n; i++) found |= tokens[i].text >= 0 && tokens[i].id == id;
        if (plain && found) return false;
        made |= found;
    }
    return made;
}

static bool read_ids(call *c, const cJSON *list, const char ***tokens, size_t *n, bool skip) {
    size_t count = 0;
    *tokens = call_own(c, memory_must(memory_zero((size_t)cJSON_GetArraySize(list) + 1, sizeof **tokens)));
    for (const cJSON *x = list->child; x; x = x->next) {
        double v = cJSON_IsNumber(x) ? x->valuedouble : -1;
        if (!(v >= 0 && v <= INT32_MAX && v == floor(v)))
            return call_wrong(c, "`ids` must be a list of token ids, or a list of such lists");
        const char *text = bertc_token_text(c->model->model, (int32_t)v);
        if (!text) return call_wrong(c, "`ids` holds %.0f, which is no id of the model's vocabulary", v);
        if (!skip || !is_special(c, (int32_t)v)) (*tokens)[count++] = text;
    }
    *n = count;
    return true;
}

static bool write_decoded(call *c, const cJSON *list, bool skip) {
    const char **tokens = NULL;
    size_t n = 0;
    out text = {0};
    pthread_mutex_lock(&c->model->reading);
    bool ok = read_ids(c, list, &tokens, &n, skip);
    pthread_mutex_unlock(&c->model->reading);
    if (!ok) return false;
    decode_tokens(&text, c->model->decodes, tokens, n);
    out_string(&c->reply, text.text ? text.text : "", text.size);
    c->reply.bad |= text.bad;
    out_free(&text);
    return true;
}

bool decode_begin(call *c) {
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(c->json, "ids");
    int64_t most = c->server->options.max_client_batch_size;
    bool skip = true, list = cJSON_IsArray(ids) && cJSON_IsArray(ids->child);
    if (!ids) return call_wrong(c, "missing field `ids`");
    if (!cJSON_IsArray(ids))
        return call_wrong(c, "`ids` must be a list of token ids, or a list of such lists");
    if (!ids->child) return call_fail(c, 400, FAILURE_EMPTY, "Empty", "`ids` cannot be empty");
    if (list && cJSON_GetArraySize(ids) > most)
        return call_fail(c, 413, FAILURE_BATCH_SIZE, "Validation",
                         "batch size %d > maximum allowed batch size %lld", cJSON_GetArraySize(ids),
                         (long long)most);
    if (!settings_flag(c, c->json, "skip_special_tokens", &skip)) return false;
    c->single = !list;
    out_text(&c->reply, "[");
    for (const cJSON *x = list ? ids->child : ids; x; x = list ? x->next : NULL) {
        if (!cJSON_IsArray(x)) return call_wrong(c, "`ids` mixes ids and lists of ids");
        if (x != ids && x != ids->child) out_text(&c->reply, ", ");
        if (!write_decoded(c, x, skip)) return false;
    }
    out_text(&c->reply, "]");
    call_reply(c);
    return false;
}

// --- Attention

bool attention_begin(call *c) {
    char name[48];
    c->work.options.plain_text = true;
    if (!inputs_read_lines(c, cJSON_GetObjectItemCaseSensitive(c->json, "inputs"), "inputs") ||
        !settings_read(c, c->json, "inputs layer head", true) ||
        !settings_int(c, c->json, "layer", 0, INT32_MAX, &c->layer) ||
        !settings_int(c, c->json, "head", 0, INT32_MAX, &c->head))
        return false;
    if (!c->single) return call_wrong(c, "`inputs` must be one text");
    snprintf(name, sizeof name, "attentions.%lld", (long long)c->layer);
    c->work.output = served_output(c->model, name);
    if (c->work.output < 0)
        return call_wrong(c, "`layer` is %lld, and the model does not give that layer's attention",
                          (long long)c->layer);
    return inputs_count(c, true);
}

void attention_finish(call *c) {
    const job *j = &c->work.jobs[0];
    int64_t n = j->tokens, heads = j->width ? j->rows / n : 0;
    bertc_text_options how = c->work.options;
    if (c->head >= heads) {
        call_wrong(c, "`head` is %lld: there are heads 0 to %lld", (long long)c->head, (long long)heads - 1);
        return;
    }
    how.max_tokens = c->model->info.max_length;
    out_format(&c->reply,
               "{\"layer\": %lld, \"head\": %lld, \"heads\": %lld, \"tokens\": ", (long long)c->layer,
               (long long)c->head, (long long)heads);
    pthread_mutex_lock(&c->model->reading);
    bool ok = write_tokens(c, &j->text, &how, true);
    pthread_mutex_unlock(&c->model->reading);
    if (!ok) return;
    out_text(&c->reply, ", \"attention\": [");
    for (int64_t i = 0; i < n; i++) {
        if (i) out_text(&c->reply, ", ");
        out_floats(&c->reply, j->numbers + (c->head * n + i) * n, (size_t)n);
    }
    out_text(&c->reply, "]}");
}
