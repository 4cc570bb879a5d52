#include "frontend/cli/train/set.h"

// The tokens of a piece that are its text's.
static int64_t text_tokens(const feature *f) {
    int64_t n = 0;
    for (int64_t i = 0; i < f->tokens; i++) n += f->words[i] >= 0;
    return n;
}

void passage_index(train_set *s, const data_example *e, const feature_list *f, int64_t room, bool first) {
    if (s->count && first) s->documents++;
    for (int64_t i = 0; i < f->count; i++) {
        int64_t n = text_tokens(&f->v[i]);
        set_entry *last = s->count ? &s->entries[s->count - 1] : NULL;
        bool joins = !first && f->count == 1 && last && !last->part && last->document == s->documents &&
                     last->lines > 0 && s->lengths[s->count - 1] + n <= room;
        if (joins) {
            last->lines++;
            s->lengths[s->count - 1] += (int32_t)n;
        } else {
            set_add(s, (set_entry){e->offset, e->line, (int32_t)i, f->count == 1, (int32_t)s->documents}, n);
        }
        if (s->lengths[s->count - 1] > s->longest) s->longest = s->lengths[s->count - 1];
    }
}

// Appends a line's tokens to the passage, whose arrays have room for `limit` of them.
static bool append(passage *c, const feature *f, int64_t limit) {
    int32_t base = c->tokens ? c->words[c->tokens - 1] + 1 : 0;
    for (int64_t i = 0; i < f->tokens; i++) {
        if (f->words[i] < 0) continue;
        if (c->tokens == limit) return false;
        c->ids[c->tokens] = f->ids[i];
        c->words[c->tokens++] = base + f->words[i];
    }
    return true;
}

bool passage_read(train_set *s, int64_t i, passage *out, arena *a, diag *d) {
    const set_entry *at = &s->entries[i];
    int64_t n = s->lengths[i] - s->specials, lines = at->lines ? at->lines : 1;
    *out = (passage){.lines = lines,
                     .ids = ARENA_ARRAY(a, int32_t, n),
                     .words = ARENA_ARRAY(a, int32_t, n),
                     .cuts = ARENA_ARRAY(a, int64_t, lines)};
    feature_list f;
    bool ok = set_line(s, i, &f, a, d) && (append(out, &f.v[at->part], n) || set_changed(s, at->line, d));
    for (int64_t k = 1; ok && k < lines; k++) {
        data_example e;
        ok = data_next(s->source, &e, a, d) && !e.error && !features_of(s->rule, &e, &f, a) && f.count == 1;
        out->cuts[k - 1] = out->tokens;
        ok = (ok && append(out, &f.v[0], n)) || set_changed(s, at->line, d);
    }
    return ok && (out->tokens == n || set_changed(s, at->line, d));
}
