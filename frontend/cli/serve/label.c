// Labels of texts, and scores of pairs.
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/serve/inputs.h"
#include "frontend/cli/serve/routes.h"
#include "ir/memory.h"

bool predict_begin(call *c) {
    c->work.keep = KEEP_SCORES;
    c->work.options.plain_text = true;
    return inputs_read_pairs(c, cJSON_GetObjectItemCaseSensitive(c->json, "inputs")) &&
           settings_read(c, c->json, "", false) && inputs_count(c, false);
}

static int better(const void *a, const void *b) {
    const bertc_score *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static void write_predictions(out *o, const job *j) {
    if (j->score_count) qsort(j->scores, (size_t)j->score_count, sizeof *j->scores, better);
    out_text(o, "[");
    for (int i = 0; i < j->score_count; i++) {
        out_text(o, i ? ", {\"score\": " : "{\"score\": ");
        out_float(o, j->scores[i].score);
        out_text(o, ", \"label\": ");
        out_quoted(o, j->scores[i].label);
        out_text(o, "}");
    }
    out_text(o, "]");
}

void predict_finish(call *c) {
    if (!c->single) out_text(&c->reply, "[");
    for (int i = 0; i < c->work.count; i++) {
        if (i) out_text(&c->reply, ", ");
        write_predictions(&c->reply, &c->work.jobs[i]);
    }
    if (!c->single) out_text(&c->reply, "]");
}

// --- Pairs of a query and texts

static bool begin_ranking(call *c, cJSON *texts, const char *key, const char *return_key) {
    cJSON *query = cJSON_GetObjectItemCaseSensitive(c->json, "query");
    if (!cJSON_IsString(query)) return call_wrong(c, "missing field `query`");
    bertc_text text = call_text(c, query);
    c->work.keep = KEEP_SCORES;
    c->work.options.plain_text = true;
    return inputs_read_list(c, &text, texts, key) && settings_read(c, c->json, "", false) &&
           settings_flag(c, c->json, return_key, &c->return_text) && inputs_count(c, false);
}

bool rerank_begin(call *c) {
    cJSON *texts = cJSON_GetObjectItemCaseSensitive(c->json, "texts");
    if (!texts && cJSON_HasObjectItem(c->json, "documents")) return documents_begin(c);
    return begin_ranking(c, texts, "texts", "return_text");
}

// As Cohere's and Jina's clients ask: documents are strings, or objects with a text.
bool documents_begin(call *c) {
    cJSON *documents = cJSON_GetObjectItemCaseSensitive(c->json, "documents"), *next;
    c->documents = true;
    for (cJSON *x = cJSON_IsArray(documents) ? documents->child : NULL; x; x = next) {
        next = x->next;
        if (!cJSON_IsObject(x)) continue;
        if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(x, "text")))
            return call_wrong(c, "`documents` must hold strings, or objects with a string `text`");
        cJSON_ReplaceItemViaPointer(documents, x, cJSON_DetachItemFromObjectCaseSensitive(x, "text"));
    }
    return settings_int(c, c->json, "top_n", 1, INT32_MAX, &c->top_n) &&
           begin_ranking(c, documents, "documents", "return_documents");
}

typedef struct ranked {
    int index;
    float score;
} ranked;

static int above(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->index - y->index;
}

static void write_text(out *o, const call *c, int index) {
    const bertc_text *text = &c->work.jobs[index].text;
    out_string(o, text->pair, text->pair_size);
}

static void write_rank(out *o, const call *c, const ranked *r) {
    out_format(o, "{\"index\": %d, ", r->index);
    if (c->return_text) {
        out_text(o, c->documents ? "\"document\": {\"text\": " : "\"text\": ");
        write_text(o, c, r->index);
        out_text(o, c->documents ? "}, " : ", ");
    }
    out_text(o, c->documents ? "\"relevance_score\": " : "\"score\": ");
    out_float(o, r->score);
    out_text(o, "}");
}

void rerank_finish(call *c) {
    out *o = &c->reply;
    int count = c->top_n && c->top_n < c->work.count ? (int)c->top_n : c->work.count;
    ranked *all = memory_must(memory_alloc((size_t)c->work.count, sizeof *all));
    for (int i = 0; i < c->work.count; i++) all[i] = (ranked){i, c->work.jobs[i].scores[0].score};
    qsort(all, (size_t)c->work.count, sizeof *all, above);
    if (c->documents) {
        out_text(o, "{\"model\": ");
        out_quoted(o, c->model->name);
        out_text(o, ", \"results\": ");
    }
    out_text(o, "[");
    for (int i = 0; i < count; i++) {
        if (i) out_text(o, ", ");
        write_rank(o, c, &all[i]);
    }
    out_text(o, "]");
    if (c->documents) out_format(o, ", \"usage\": {\"total_tokens\": %lld}}", (long long)c->tokens);
    free(all);
}
