// Sparse answers: of a weight for each token of the vocabulary those that are not 0, the largest first.
#include <math.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/tasks.h"

// The answer is out[0..count), in any order, which is the store's last piece.
static void give(bertc_session *s, bertc_score *out, int count, bertc_result *result) {
    int asked = s->text->options->top_k;
    task_sort(out, count);
    if (asked > 0 && asked < count) count = asked;
    store_trim(&s->text->store, out, (size_t)(count ? count : 1) * sizeof *out);
    for (int i = 0; i < count; i++) out[i].label = bertc_token_text(s->model, out[i].id);
    result->sparse = out;
    result->sparse_count = count;
}

bool answer_sparse(answer_part *p, const float *weights) {
    bertc_session *s = p->session;
    int n = answer_width(s, 0), count = 0;
    for (int i = 0; i < n; i++) {
        count += weights[i] != 0;
        s->text->unfinite |= !isfinite(weights[i]);
    }
    bertc_score *out = store_take(&s->text->store, (size_t)(count ? count : 1), sizeof *out);
    if (!out) return false;
    for (int i = 0, at = 0; at < count; i++)
        if (weights[i] != 0) out[at++] = (bertc_score){.id = i, .score = weights[i]};
    give(s, out, count, p->result);
    return true;
}

bool answer_is_static(const bertc_session *s) {
    const bertc_task *t = s->model->task;
    int64_t role = s->text->options->role;
    return answer_task(s) == BERTC_TASK_SPARSE && t->weight_count &&
           (role == BERTC_ROLE_QUERY || (role == BERTC_ROLE_NONE && t->query_by_default));
}

// Equal ids stand together, by a score that is the id's.
static int each_once(bertc_score *out, int count) {
    int kept = 0;
    for (int i = 0; i < count; i++) out[i].score = (float)out[i].id;
    task_sort(out, count);
    for (int i = 0; i < count; i++)
        if (!kept || out[kept - 1].id != out[i].id) out[kept++] = out[i];
    return kept;
}

bool answer_static(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n) {
    const char *table = s->model->task_table;
    bertc_result *result = &s->text->results[place];
    bertc_score *out = store_take(&s->text->store, n ? n : 1, sizeof *out);
    int count = 0, kept = 0;
    if (!out) return false;
    for (size_t i = 0; i < n; i++)
        if (tokens[i].text >= 0 && (uint32_t)tokens[i].id < s->model->task->weight_count)
            out[count++] = (bertc_score){.id = tokens[i].id};
    count = each_once(out, count);
    for (int i = 0; i < count; i++) {
        memcpy(&out[kept].score, table + s->model->task->weights + (size_t)out[i].id * sizeof(float),
               sizeof(float));
        out[kept].id = out[i].id;
        s->text->unfinite |= !isfinite(out[kept].score);
        kept += out[kept].score != 0;
    }
    *result = answer_none(s, n);
    result->window_count = 1;
    give(s, out, kept, result);
    return true;
}
