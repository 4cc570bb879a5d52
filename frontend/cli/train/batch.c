#include "frontend/cli/train/batch.h"

#include <inttypes.h>
#include <string.h>

#define LINES_NAMED 64

static bool read_feature(feature *f, const batch_rule *rule, train_set *s, int64_t i, int64_t epoch, arena *a,
                         diag *d) {
    if (s->rule->task != TRAIN_PRETRAIN) return set_read(s, i, f, a, d);
    return pair_read(s, i, rule->pairs, rule->mask->seed, epoch, f, a, d);
}

static void allocate(train_batch *b, const train_set *s, const feature *f, arena *a) {
    train_task task = s->rule->task;
    bool masks = task == TRAIN_MLM || task == TRAIN_PRETRAIN;
    b->bounds = ARENA_ARRAY(a, int32_t, b->texts + 1);
    b->ids = ARENA_ARRAY(a, int32_t, b->tokens);
    b->types = ARENA_ARRAY(a, int32_t, b->tokens);
    b->words = ARENA_ARRAY(a, int32_t, b->tokens);
    if (masks || task == TRAIN_TAG) b->token_labels = ARENA_ARRAY(a, int32_t, b->tokens);
    if (masks) b->rows = ARENA_ARRAY(a, int32_t, b->tokens);
    if (s->rule->form == DATA_LABEL || task == TRAIN_PRETRAIN)
        b->text_labels = ARENA_ARRAY(a, int32_t, b->texts);
    if (task == TRAIN_ANSWER) {
        b->starts = ARENA_ARRAY(a, int32_t, b->texts);
        b->ends = ARENA_ARRAY(a, int32_t, b->texts);
        b->byte_starts = ARENA_ARRAY(a, const uint32_t *, b->examples);
        b->byte_ends = ARENA_ARRAY(a, const uint32_t *, b->examples);
    }
    b->width = f->numbers;
    if (b->width) b->values = ARENA_ARRAY(a, float, b->texts * b->width);
    if (task == TRAIN_EMBED) {
        b->partners = ARENA_ARRAY(a, int32_t, b->texts);
        b->candidates = ARENA_ARRAY(a, int32_t, b->texts);
    }
}

static int64_t labelled(const int32_t *labels, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += labels[i] != FEATURE_IGNORED;
    return count;
}

// The teacher's tokens, where it has its own.
static void put_known(train_batch *b, const feature *f, int64_t n, arena *a) {
    teacher_texts *x = &b->known;
    if (!n || !f[0].known) return;
    for (int64_t i = 0; i < n; i++) x->tokens += f[i].known->tokens;
    x->bounds = ARENA_ARRAY(a, int32_t, b->texts + 1);
    x->ids = ARENA_ARRAY(a, int32_t, x->tokens);
    x->types = ARENA_ARRAY(a, int32_t, x->tokens);
    x->words = ARENA_ARRAY(a, int32_t, x->tokens);
    for (int64_t i = 0, at = 0, text = 0; i < n; i++) {
        const feature *own = f[i].known;
        size_t bytes = (size_t)own->tokens * sizeof(int32_t);
        memcpy(x->ids + at, own->ids, bytes);
        memcpy(x->types + at, own->types, bytes);
        memcpy(x->words + at, own->words, bytes);
        for (int k = 0; k < own->texts; k++) x->bounds[text + k + 1] = (int32_t)(at + own->bounds[k + 1]);
        at += own->tokens;
        text += own->texts;
    }
}

static double weight_of(const float *weights, const int32_t *labels, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] != FEATURE_IGNORED) sum += (double)weights[labels[i]];
    return sum;
}

// The texts of an example, from token `at` and text `text` on.
static void put(train_batch *b, const feature *f, int64_t at, int64_t text) {
    size_t bytes = (size_t)f->tokens * sizeof(int32_t);
    memcpy(b->ids + at, f->ids, bytes);
    memcpy(b->types + at, f->types, bytes);
    memcpy(b->words + at, f->words, bytes);
    for (int k = 0; k < f->texts; k++) b->bounds[text + k + 1] = (int32_t)(at + f->bounds[k + 1]);
    if (f->labels) memcpy(b->token_labels + at, f->labels, bytes);
    if (b->text_labels) b->text_labels[text] = f->label;
    if (b->starts) b->starts[text] = f->start, b->ends[text] = f->end;
    for (int k = 0; b->partners && k < f->texts; k++) {
        b->partners[text + k] = k ? FEATURE_IGNORED : (int32_t)text + 1;
        b->candidates[text + k] = k > 0;
    }
    if (b->values) memcpy(b->values + text * b->width, f->values, (size_t)b->width * sizeof *b->values);
}

// Masks that the data chose.
static void set_rows(train_batch *b, int64_t at, int64_t n) {
    for (int64_t i = at; i < at + n; i++) b->rows[i] = b->token_labels[i] != FEATURE_IGNORED;
}

bool batch_make(train_batch *out, const batch_rule *rule, train_set *s, const order_part *part, int64_t epoch,
                arena *a, diag *d) {
    int64_t n = part->count;
    feature *f = ARENA_ARRAY(a, feature, n);
    *out = (train_batch){
        .examples = n, .lines = ARENA_ARRAY(a, int64_t, n), .entries = ARENA_ARRAY(a, uint32_t, n)};
    for (int64_t i = 0; i < n; i++) {
        uint32_t example = part->examples[i];
        if (!read_feature(&f[i], rule, s, example, epoch, a, d)) return false;
        out->tokens += f[i].tokens;
        out->texts += f[i].texts;
        out->lines[i] = s->entries[example].line;
        out->entries[i] = example;
    }
    if (!n) return true;
    allocate(out, s, &f[0], a);
    put_known(out, f, n, a);
    for (int64_t i = 0, at = 0, text = 0; i < n; at += f[i].tokens, text += f[i].texts, i++) {
        put(out, &f[i], at, text);
        if (out->byte_starts) {
            out->byte_starts[i] = f[i].byte_starts;
            out->byte_ends[i] = f[i].byte_ends;
        }
        if (out->rows && f[i].labels)
            set_rows(out, at, f[i].tokens);
        else if (out->rows)
            mask_tokens(rule->mask, epoch, part->examples[i], f[i].words, f[i].tokens, out->ids + at,
                        out->token_labels + at, out->rows + at);
    }
    out->labels =
        out->token_labels ? labelled(out->token_labels, out->tokens) : n * (out->width ? out->width : 1);
    out->weight = (double)out->labels;
    if (rule->weights && out->token_labels)
        out->weight = weight_of(rule->weights, out->token_labels, out->tokens);
    else if (rule->weights)
        out->weight = weight_of(rule->weights, out->text_labels, out->texts);
    return true;
}

const char *batch_lines(const train_set *s, const order_part *part, arena *a) {
    const char *text = part->count == 1 ? "line" : "lines";
    for (int64_t i = 0; i < part->count && i < LINES_NAMED; i++)
        text = arena_printf(a, "%s%s%" PRId64, text, i ? ", " : " ", s->entries[part->examples[i]].line);
    return part->count > LINES_NAMED ? arena_printf(a, "%s, ...", text) : text;
}
