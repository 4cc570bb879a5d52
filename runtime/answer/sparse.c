// Sparse answers: of a weight for each token of the vocabulary those that are not 0, the largest first.
#include <math.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/tasks.h"

bool answer_sparse(answer_part *p, const float *weights) {
    bertc_session *s = p->session;
    int n = answer_width(s, 0), count = 0, asked = s->text->options->top_k;
    for (int i = 0; i < n; i++) {
        count += weights[i] != 0;
        s->text->unfinite |= !isfinite(weights[i]);
    }
    bertc_score *out = store_take(&s->text->store, (size_t)(count ? count : 1), sizeof *out);
    if (!out) return false;
    for (int i = 0, at = 0; at < count; i++)
        if (weights[i] != 0) out[at++] = (bertc_score){.id = i, .score = weights[i]};
    task_sort(out, count);
    if (asked > 0 && asked < count) {
        count = asked;
        store_trim(&s->text->store, out, (size_t)count * sizeof *out);
    }
    for (int i = 0; i < count; i++) out[i].label = bertc_token_text(s->model, out[i].id);
    p->result->sparse = out;
    p->result->sparse_count = count;
    return true;
}
