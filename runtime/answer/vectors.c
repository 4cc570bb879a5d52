// Late interaction: a vector for each token of a text, but for those that its role leaves out; and queries that are
// filled up.
#include <math.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/tasks.h"

int64_t vectors_length(const bertc_session *s) {
    const bertc_task *t = s->model->task;
    if (!t) return 0;
    switch ((bertc_role)s->text->options->role) {
    case BERTC_ROLE_NONE: break;
    case BERTC_ROLE_DOCUMENT: return t->document_length;
    case BERTC_ROLE_QUERY:
        if (!t->expansion) return t->query_length;
        return t->vectors & TASK_VECTORS_AT_LEAST ? t->query_length : t->expansion;
    }
    return 0;
}

size_t vectors_more(const bertc_session *s, size_t n) {
    const bertc_task *t = s->model->task;
    if (!t || s->text->options->role != BERTC_ROLE_QUERY || n >= t->expansion) return 0;
    return t->expansion - n;
}

static bool holds(const bertc_session *s, uint64_t list, uint32_t count, int32_t id) {
    int32_t one;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&one, s->model->task_table + list + i * sizeof one, sizeof one);
        if (one == id) return true;
    }
    return false;
}

static bool counts(const bertc_session *s, int i, int32_t id) {
    const bertc_task *t = s->model->task;
    bool query = s->text->options->role == BERTC_ROLE_QUERY;
    if (i == 0 && t->vectors & TASK_VECTORS_NOT_FIRST) return false;
    if (!query && t->kept_count && !holds(s, t->kept, t->kept_count, id)) return false;
    if (!(t->vectors & (query ? TASK_VECTORS_SKIP_QUERIES : TASK_VECTORS_SKIP_DOCUMENTS))) return true;
    return !holds(s, t->skipped, t->skipped_count, id);
}

bool answer_vectors(answer_part *p, int output) {
    bertc_session *s = p->session;
    int width = answer_width(s, output), count = 0;
    size_t bytes = (size_t)width * sizeof(float);
    int32_t *places = store_take(&s->text->store, (size_t)p->count, sizeof *places);
    float *out = places ? store_take(&s->text->store, (size_t)p->count, bytes) : NULL;
    if (!out) return false;
    for (int i = 0; i < p->count; i++) {
        if (!counts(s, i, p->tokens[i].id)) continue;
        const float *row = answer_row(p, output, p->first + i);
        for (int k = 0; k < width; k++) s->text->unfinite |= !isfinite(row[k]);
        places[count] = i;
        memcpy(out + (size_t)count++ * (size_t)width, row, bytes);
    }
    store_trim(&s->text->store, out, (size_t)count * bytes);
    p->result->vectors = out;
    p->result->vector_tokens = places;
    p->result->vector_count = count;
    p->result->vector_width = width;
    return true;
}

// Sorted by id the tokens of one are neighbours. (An id is below 2^24, so a float holds it.)
bool answer_token_weights(answer_part *p, int output) {
    bertc_session *s = p->session;
    int n = p->count, count = 0, asked = s->text->options->top_k;
    bertc_score *by_id = store_take(&s->text->store, (size_t)n, sizeof *by_id),
                *out = by_id ? store_take(&s->text->store, (size_t)n, sizeof *out) : NULL;
    if (!out) return false;
    for (int i = 0; i < n; i++) by_id[i] = (bertc_score){.id = i, .score = (float)p->tokens[i].id};
    task_sort(by_id, n);
    for (int i = 0; i < n; i++) {
        int32_t id = p->tokens[by_id[i].id].id;
        float weight = *answer_row(p, output, p->first + by_id[i].id);
        s->text->unfinite |= !isfinite(weight);
        if (!(weight > 0) || holds(s, s->model->task->skipped, s->model->task->skipped_count, id)) continue;
        if (!count || out[count - 1].id != id)
            out[count++] = (bertc_score){.label = bertc_token_text(s->model, id), .id = id, .score = weight};
        else if (weight > out[count - 1].score)
            out[count - 1].score = weight;
    }
    task_sort(out, count);
    p->result->sparse = out;
    p->result->sparse_count = asked > 0 && asked < count ? asked : count;
    return true;
}
