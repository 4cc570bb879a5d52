#include <float.h>

#include "frontend/cli/train/judge.h"

found_answer answer_find(const float *starts, const float *ends, const uint32_t *byte_starts,
                         const uint32_t *byte_ends, int64_t n) {
    found_answer best = {.score = -FLT_MAX, .none = starts[0] + ends[0]};
    for (int64_t i = 0; i < n; i++) {
        if (!byte_ends[i]) continue;
        for (int64_t k = i; k < n && k < i + ANSWER_TOKENS && byte_ends[k]; k++) {
            if (starts[i] + ends[k] <= best.score) continue;
            best.score = starts[i] + ends[k];
            best.from = byte_starts[i];
            best.to = byte_ends[k];
        }
    }
    return best;
}

// The best of an example's windows; that it has no answer is as likely as in the window where that is least likely.
static found_answer best_of(const found_answer *v, int64_t n) {
    found_answer best = v[0];
    for (int64_t i = 1; i < n; i++) {
        float none = v[i].none < best.none ? v[i].none : best.none;
        if (v[i].score > best.score) best = v[i];
        best.none = none;
    }
    return best;
}

static void add(answer_metrics *m, const data_example *e, const found_answer *f, bool may_be_none, arena *a) {
    const answer_text nothing = {"", 0};
    answer_text span = nothing, *gold = ARENA_ARRAY(a, answer_text, e->answer_count);
    double lead = (double)f->none - (double)f->score;
    if (f->to > f->from) span = (answer_text){e->text.pair + f->from, f->to - f->from};
    for (int i = 0; i < e->answer_count; i++) gold[i] = (answer_text){e->answers[i].text, e->answers[i].size};
    answer_metrics_add(m, may_be_none && lead > 0 ? &nothing : &span, gold, e->answer_count);
    if (may_be_none) answer_metrics_add_span(m, &span, lead, gold, e->answer_count);
}

bool answers_judge(answer_metrics *out, train_set *s, const found_answer *found, arena *kept, diag *d) {
    *out = (answer_metrics){.arena = kept};
    for (int64_t i = 0, end; i < s->count; i = end) {
        const set_entry *at = &s->entries[i];
        for (end = i + 1; end < s->count && s->entries[end].offset == at->offset;) end++;
        found_answer best = best_of(found + i, end - i);
        data_example e;
        arena *a = arena_new();
        bool ok =
            data_at(s->source, at->offset, at->line, &e, a, d) && !e.error && best.to <= e.text.pair_size;
        if (ok) add(out, &e, &best, s->without > 0, a);
        arena_free(a);
        if (!ok) return set_changed(s, at->line, d);
    }
    return true;
}
