#include "frontend/cli/serve/inputs.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

// As in text-embeddings-inference: a text of more characters for each token that the model takes is not even cut.
enum { CHARACTERS_PER_TOKEN = 250 };

// --- Room for texts

static bool make_room(call *c, int64_t count, const char *key) {
    int64_t most = c->server->options.max_client_batch_size;
    if (!count) return call_fail(c, 400, FAILURE_EMPTY, "Empty", "`%s` cannot be empty", key);
    if (count > most)
        return call_fail(c, 413, FAILURE_BATCH_SIZE, "Validation",
                         "batch size %lld > maximum allowed batch size %lld", (long long)count,
                         (long long)most);
    c->work.jobs = memory_must(memory_zero((size_t)count, sizeof(job)));
    c->work.count = (int)count;
    for (int i = 0; i < (int)count; i++) c->work.jobs[i].of = &c->work;
    return true;
}

static bool set_text(call *c, int i, bertc_text text, const char *key) {
    if (!text.size && !text.pair_size)
        return call_fail(c, 400, FAILURE_EMPTY, "Empty", "`%s` cannot be empty", key);
    c->work.jobs[i].text = text;
    return true;
}

bool inputs_read_one(call *c, bertc_text text) {
    c->single = true;
    return make_room(c, 1, "inputs") && set_text(c, 0, text, "inputs");
}

// --- Token ids

static bool all_numbers(const cJSON *list) {
    if (!cJSON_IsArray(list) || !list->child) return false;
    for (const cJSON *x = list->child; x; x = x->next)
        if (!cJSON_IsNumber(x)) return false;
    return true;
}

static bool set_ids(call *c, int i, const cJSON *list, const char *key) {
    job *j = &c->work.jobs[i];
    j->tokens = cJSON_GetArraySize(list);
    if (j->tokens > c->model->info.max_length)
        return call_fail(c, 413, FAILURE_VALIDATION, "Validation",
                         "Input validation error: `%s` must have less than %lld tokens. Given: %lld", key,
                         (long long)c->model->info.max_length, (long long)j->tokens);
    j->ids = memory_must(memory_zero((size_t)j->tokens, sizeof *j->ids));
    j->types = memory_must(memory_zero((size_t)j->tokens, sizeof *j->types));
    size_t at = 0;
    for (const cJSON *x = list->child; x; x = x->next) {
        if (!(x->valuedouble >= 0 && x->valuedouble <= INT32_MAX && x->valuedouble == floor(x->valuedouble)))
            return call_wrong(c, "`%s` holds %.9g, which is no token id", key, x->valuedouble);
        if (!bertc_token_text(c->model->model, (int32_t)x->valuedouble))
            return call_wrong(c, "`%s` holds %.0f, which is no id of the model's vocabulary", key,
                              x->valuedouble);
        j->ids[at++] = (int32_t)x->valuedouble;
    }
    return true;
}

static bool set_input(call *c, int i, cJSON *x, const char *key) {
    bool ids = c->work.kind == WORK_OUTPUT;
    if (cJSON_IsString(x) && !ids) return set_text(c, i, call_text(c, x), key);
    if (all_numbers(x) && ids) return set_ids(c, i, x, key);
    if (cJSON_IsString(x) || all_numbers(x)) return call_wrong(c, "`%s` mixes texts and token ids", key);
    return call_wrong(c, "`%s` must hold strings, or lists of token ids", key);
}

bool inputs_read(call *c, cJSON *inputs, const char *key) {
    if (!inputs) return call_wrong(c, "missing field `%s`", key);
    c->single = cJSON_IsString(inputs) || all_numbers(inputs);
    if (!c->single && !cJSON_IsArray(inputs))
        return call_wrong(c, "`%s` must be a string, a list of token ids, or a list of such", key);
    if (!make_room(c, c->single ? 1 : cJSON_GetArraySize(inputs), key)) return false;
    if (all_numbers(c->single ? inputs : inputs->child)) {
        c->work.output = served_output(c->model, "embedding");
        if (c->work.keep != KEEP_EMBEDDING || c->work.output < 0)
            return call_wrong(c, "`%s` can hold token ids only where the model gives an embedding", key);
        c->work.kind = WORK_OUTPUT;
    }
    if (c->single) return set_input(c, 0, inputs, key);
    int i = 0;
    for (cJSON *x = inputs->child; x; x = x->next)
        if (!set_input(c, i++, x, key)) return false;
    return true;
}

// --- Pairs

static bool set_pair(call *c, int i, cJSON *first, cJSON *second) {
    if (!cJSON_IsString(first) || (second && !cJSON_IsString(second)))
        return call_wrong(
            c, "`inputs` must be a string, a pair of strings [string, string], or a batch of mixed "
               "strings and pairs [[string], [string, string], ...]");
    bertc_text text = call_text(c, first);
    if (second) {
        bertc_text pair = call_text(c, second);
        text.pair = pair.text;
        text.pair_size = pair.size;
    }
    return set_text(c, i, text, "inputs");
}

bool inputs_read_pairs(call *c, cJSON *inputs) {
    if (!inputs) return call_wrong(c, "missing field `inputs`");
    bool list = cJSON_IsArray(inputs), batch = list && inputs->child && cJSON_IsArray(inputs->child);
    int n = list ? cJSON_GetArraySize(inputs) : 1;
    c->single = !batch;
    if (!list) return make_room(c, 1, "inputs") && set_pair(c, 0, inputs, NULL);
    if (!n) return make_room(c, 0, "inputs");
    if (!batch && n > 2)
        return call_wrong(c,
                          "`inputs` is a list of %d strings: a pair has two, and a batch is a list "
                          "of lists",
                          n);
    if (!batch) return make_room(c, 1, "inputs") && set_pair(c, 0, inputs->child, inputs->child->next);
    if (!make_room(c, n, "inputs")) return false;
    int i = 0;
    for (cJSON *x = inputs->child; x; x = x->next) {
        int in = cJSON_IsArray(x) ? cJSON_GetArraySize(x) : 0;
        if (in < 1 || in > 2) return call_wrong(c, "`inputs` %d must be a list of one string or two", i);
        if (!set_pair(c, i++, x->child, x->child->next)) return false;
    }
    return true;
}

bool inputs_read_list(call *c, const bertc_text *query, cJSON *texts, const char *key) {
    if (!texts) return call_wrong(c, "missing field `%s`", key);
    if (!cJSON_IsArray(texts)) return call_wrong(c, "`%s` must be a list of strings", key);
    if (!make_room(c, cJSON_GetArraySize(texts), key)) return false;
    int i = 0;
    for (cJSON *x = texts->child; x; x = x->next) {
        if (!cJSON_IsString(x)) return call_wrong(c, "`%s` must be a list of strings", key);
        bertc_text text = call_text(c, x);
        if (query) text = (bertc_text){query->text, query->size, text.text, text.size, NULL, 0};
        if (!set_text(c, i++, text, key)) return false;
    }
    return true;
}

// --- Lines, as those of `bertc run --input`

// The words with a space between.
static bool join_words(call *c, const cJSON *words, bertc_text *text) {
    size_t size = 0, count = 0, at = 0;
    for (cJSON *x = words->child; x; x = x->next) {
        if (!cJSON_IsString(x)) return call_wrong(c, "`words` must be a list of strings");
        size += strlen(x->valuestring) + 1;
        count++;
    }
    char *bytes = call_own(c, memory_must(memory_alloc(size + 1, 1)));
    bertc_word *bounds = call_own(c, memory_must(memory_alloc(count + 1, sizeof *bounds)));
    count = 0;
    for (cJSON *x = words->child; x; x = x->next) {
        bertc_text word = call_text(c, x);
        if (count) bytes[at++] = ' ';
        memcpy(bytes + at, word.text, word.size);
        bounds[count++] = (bertc_word){(uint32_t)at, (uint32_t)(at + word.size)};
        at += word.size;
    }
    *text = (bertc_text){.text = bytes, .size = at, .words = bounds, .word_count = count};
    return true;
}

static bool set_line(call *c, int i, cJSON *x, const char *key) {
    bertc_text text = {0};
    if (cJSON_IsString(x)) return set_text(c, i, call_text(c, x), key);
    if (!cJSON_IsObject(x))
        return call_wrong(c, "`%s` must hold strings, or objects with text, pair or words", key);
    cJSON *first = cJSON_GetObjectItemCaseSensitive(x, "text"),
          *words = cJSON_GetObjectItemCaseSensitive(x, "words"),
          *pair = cJSON_GetObjectItemCaseSensitive(x, "pair");
    for (const cJSON *k = x->child; k; k = k->next)
        if (k != first && k != words && k != pair)
            return call_wrong(c, "`%s` has the key \"%.80s\": an object has text, pair or words, each once",
                              key, k->string);
    if (!first == !words)
        return call_wrong(c, "`%s` has an object that needs `text` or `words`, not both", key);
    if ((first && !cJSON_IsString(first)) || (pair && !cJSON_IsString(pair)) ||
        (words && !cJSON_IsArray(words)))
        return call_wrong(c, "`%s`: text and pair must be strings, and words a list of such", key);
    if (first)
        text = call_text(c, first);
    else if (!join_words(c, words, &text))
        return false;
    if (pair) {
        bertc_text second = call_text(c, pair);
        text.pair = second.text;
        text.pair_size = second.size;
    }
    return set_text(c, i, text, key);
}

bool inputs_read_lines(call *c, cJSON *inputs, const char *key) {
    if (!inputs) return call_wrong(c, "missing field `%s`", key);
    c->single = !cJSON_IsArray(inputs);
    if (!make_room(c, c->single ? 1 : cJSON_GetArraySize(inputs), key)) return false;
    if (c->single) return set_line(c, 0, inputs, key);
    int i = 0;
    for (cJSON *x = inputs->child; x; x = x->next)
        if (!set_line(c, i++, x, key)) return false;
    return true;
}

// --- Tokens

static int64_t characters(const char *text, size_t size) {
    int64_t n = 0;
    for (size_t i = 0; i < size; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static int64_t most_tokens(const call *c) {
    int64_t takes = c->model->info.max_length, asked = c->work.options.max_tokens;
    return asked && asked < takes ? asked : takes;
}

// Why a text has no tokens: it is too long, or the tokenizer says something else.
static bool no_tokens(call *c, const job *j, const char *why) {
    bertc_text_options all = c->work.options;
    const bertc_token *tokens;
    size_t n = 0;
    all.max_tokens = 0;
    all.truncation = BERTC_TRUNCATE_NEVER;
    if (c->work.options.truncation == BERTC_TRUNCATE_NEVER &&
        bertc_tokenize_with(c->model->reader, &j->text, &all, &tokens, &n, NULL) &&
        (int64_t)n > most_tokens(c))
        return call_fail(c, 413, FAILURE_VALIDATION, "Validation",
                         "Input validation error: `inputs` must have less than %lld tokens. Given: %zu",
                         (long long)most_tokens(c), n);
    return call_fail(c, 422, FAILURE_TOKENIZATION, "Tokenizer", "Tokenizer error: %s", why);
}

static void keep_ids(job *j, const bertc_token *tokens, size_t n) {
    j->ids = memory_must(memory_zero(n, sizeof *j->ids));
    j->types = memory_must(memory_zero(n, sizeof *j->types));
    for (size_t i = 0; i < n; i++) {
        j->ids[i] = tokens[i].id;
        j->types[i] = tokens[i].type;
    }
}

bool inputs_check_length(call *c, const bertc_text *text, bool limited) {
    int64_t length = characters(text->text, text->size) + characters(text->pair, text->pair_size);
    c->characters += length;
    if (!limited || length <= CHARACTERS_PER_TOKEN * c->model->info.max_length) return true;
    return call_fail(c, 413, FAILURE_VALIDATION, "Validation",
                     "Input validation error: `inputs` must have less than %lld characters. Given: %lld",
                     CHARACTERS_PER_TOKEN * (long long)c->model->info.max_length, (long long)length);
}

static bool count_one(call *c, job *j, bool ids) {
    bool pieces = c->work.options.windows || c->work.kind == WORK_SUMMARY; // read piece by piece: no limit
    bertc_text_options o = c->work.options;
    const bertc_token *tokens;
    bertc_error e = {""};
    size_t n = 0;
    if (!inputs_check_length(c, &j->text, !pieces)) return false;
    if (c->work.kind == WORK_ZERO_SHOT) o.truncation = BERTC_TRUNCATE_LONGEST_FIRST;
    if (pieces) {
        o.max_tokens = 0;
        o.truncation = BERTC_TRUNCATE_NEVER;
    }
    bool ok = pieces ? bertc_tokenize_with(c->model->reader, &j->text, &o, &tokens, &n, &e)
                     : bertc_text_tokens(c->model->reader, &j->text, &o, &tokens, &n, &e);
    if (!ok) return no_tokens(c, j, e.message);
    j->tokens = (int64_t)n;
    if (c->work.kind == WORK_ZERO_SHOT) j->tokens *= c->work.labels.label_count;
    if (ids) keep_ids(j, tokens, n);
    return true;
}

// All that the call of the model depends on.
static char *key_of(const work *w) {
    const bertc_text_options *o = &w->options;
    out key = {0};
    out_format(&key, "%d %d %d %d %lld %d %d %d %d %d %d %d %d %d %lld ", (int)o->truncation, o->top_k,
               o->max_answer_tokens, o->answer_as_tokens, (long long)o->max_tokens, o->windows, o->stride,
               o->raw_scores, (int)o->aggregation, o->no_answer, o->dimensions, o->normalize,
               (int)o->truncation_side, o->plain_text, (long long)o->role);
    out_quoted(&key, o->prompt_name);
    out_quoted(&key, o->prompt);
    out_bytes(&key, "", 1);
    if (key.bad) out_free(&key);
    return key.text;
}

bool inputs_count(call *c, bool ids) {
    bool given = c->work.kind == WORK_OUTPUT && !ids, ok = true;
    pthread_mutex_lock(&c->model->reading);
    for (int i = 0; ok && !given && i < c->work.count; i++) ok = count_one(c, &c->work.jobs[i], ids);
    pthread_mutex_unlock(&c->model->reading);
    if (ids) c->work.kind = WORK_OUTPUT;
    if (c->work.kind == WORK_ANSWER) c->work.key = key_of(&c->work);
    return ok;
}
