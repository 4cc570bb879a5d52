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

bool rerank_begin(call *c) {
    cJSON *query = cJSON_GetObjectItemCaseSensitive(c->json, "query");
    if (!cJSON_IsString(query)) return call_wrong(c, "missing field `query`");
    bertc_text text = call_text(c, query);
    c->work.keep = KEEP_SCORES;
    c->work.options.plain_text = true;
    return inputs_read_list(c, &text, cJSON_GetObjectItemCaseSensitive(c->json, "texts"), "texts") &&
           settings_read(c, c->json, "", false) &&
           settings_flag(c, c->json, "return_text", &c->return_text) && inputs_count(c, false);
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

void rerank_finish(call *c) {
    out *o = &c->reply;
    ranked *all = memory_must(memory_alloc((size_t)c->work.count, sizeof *all));
    for (int i = 0; i < c->work.count; i++) all[i] = (ranked){i, c->work.jobs[i].scores[0].score};
    qsort(all, (size_t)c->work.count, sizeof *all, above);
    out_text(o, "[");
    for (int i = 0; i < c->work.count; i++) {
        const bertc_text *text = &c->work.jobs[all[i].index].text;
        out_format(o, "%s{\"index\": %d, ", i ? ", " : "", all[i].index);
        if (c->return_text) {
            out_text(o, "\"text\": ");
            out_string(o, text->pair, text->pair_size);
            out_text(o, ", ");
        }
        out_text(o, "\"score\": ");
        out_float(o, all[i].score);
        out_text(o, "}");
    }
    out_text(o, "]");
    free(all);
}
