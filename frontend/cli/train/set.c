#include "frontend/cli/train/set.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/train/chance.h"
#include "ir/memory.h"

// After so many bad lines and no good one the file is not read to its end: it is one of another task.
#define BAD_ALONE 50

// --- Reading the file once

static void note_labels(data_labels *learn, const data_example *e, data_form form) {
    if (form == DATA_LABELS)
        data_labels_note_all(learn, e);
    else
        for (int i = 0; i < e->label_count; i++) data_labels_note(learn, &e->labels[i]);
}

static void add_features(train_set *s, const data_example *e, const feature_list *f) {
    for (int64_t i = 0; i < f->count; i++) {
        const feature *at = &f->v[i];
        bool ready = s->rule->task == TRAIN_MLM && at->labels;
        s->ready += ready;
        for (int64_t k = 0; ready && k < at->tokens; k++) s->ready_labels += at->labels[k] != FEATURE_IGNORED;
        set_add(s, (set_entry){e->offset, e->line, (int32_t)i, 1, 0}, at->tokens);
        for (int k = 0; k < at->texts; k++) {
            int64_t tokens = at->bounds[k + 1] - at->bounds[k];
            if (tokens > s->longest) s->longest = tokens;
        }
    }
}

// Numbers of examples must be as many in each; of embeddings, all have a score or none has.
static const char *check_numbers(train_set *s, const data_example *e, arena *a) {
    if (!s->examples) s->numbers = e->number_count;
    if (s->numbers == e->number_count) return NULL;
    return arena_printf(a, "has %d numbers, and the first example %" PRId64, e->number_count, s->numbers);
}

static void mix(train_set *s, uint64_t v) {
    s->print = chance_mix(s->print ^ v);
}

static void mix_number(train_set *s, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    mix(s, bits);
}

// The example's tokens and labels become a part of the set's fingerprint.
static void mix_example(train_set *s, const data_example *e, const feature_list *f) {
    for (int64_t i = 0; i < f->count; i++)
        for (int64_t k = 0; k < f->v[i].tokens; k++) {
            mix(s, (uint32_t)f->v[i].ids[k]);
            if (s->rule->task == TRAIN_MLM && f->v[i].labels) mix(s, (uint32_t)f->v[i].labels[k]);
        }
    for (int i = 0; s->rule->form != DATA_TEXT && i < e->label_count; i++) {
        for (const char *c = e->labels[i].name; c && *c; c++) mix(s, (unsigned char)*c);
        if (!e->labels[i].name) mix_number(s, e->labels[i].number);
    }
    for (int i = 0; i < e->number_count; i++) mix_number(s, e->numbers[i]);
    if (e->answer_count) mix(s, (uint64_t)e->answers[0].byte_start ^ (uint64_t)e->answers[0].size << 32);
}

// *first: the next line begins a document.
static const char *take(train_set *s, const data_example *e, data_labels *learn, bool *first, arena *a) {
    feature_list f;
    const char *why = e->error;
    if (!why) why = check_numbers(s, e, a);
    if (!why) why = features_of(s->rule, e, &f, a);
    s->unknown |= why && strstr(why, DATA_LABEL_UNKNOWN);
    if (why) return why;
    s->examples += f.count > 0;
    mix_example(s, e, &f);
    s->without += s->rule->task == TRAIN_ANSWER && !e->answer_count;
    if (learn) note_labels(learn, e, s->rule->form);
    if (s->rule->task == TRAIN_PRETRAIN) {
        passage_index(s, e, &f, s->rule->pair_room, *first);
        *first = !f.count;
    } else {
        add_features(s, e, &f);
    }
    return NULL;
}

static bool hopeless(const train_set *s) {
    return !s->examples && data_bad(s->source) >= BAD_ALONE;
}

// As errors, or as notes where bad lines are left out. Each text begins with its place, "FILE:3: ".
static void pass_on(const train_set *s, bool as_notes, const diag *bad, diag *d) {
    size_t n = strlen(data_name(s->source));
    for (int i = 0; i < bad->count; i++) {
        const char *text = bad->items[i].text, *end = strstr(text + n, ": ");
        char *spot = memory_must(memory_strndup(text, (size_t)(end - text)));
        if (as_notes)
            diag_note(d, spot, "%s", end + 2);
        else
            diag_error(d, spot, "%s", end + 2);
        free(spot);
    }
}

static bool read_all(train_set *s, const set_options *o, data_labels *learn, diag *d) {
    diag bad; // held back: where bad lines are left out they are no errors
    diag_init(&bad);
    bool first = true, more = true;
    while (more && !hopeless(s)) {
        data_example e;
        arena *a = arena_new();
        more = data_next(s->source, &e, a, d);
        const char *why = more ? take(s, &e, learn, &first, a) : NULL;
        if (why) data_report(s->source, &e, why, &bad);
        first |= why != NULL; // no passage has a line that is left out
        int64_t size = data_size(s->source);
        if (o->progress && (e.line & 255) == 0)
            progress_at(o->progress, "reading", size > 0 ? (double)data_bytes(s->source) / (double)size : -1);
        arena_free(a);
    }
    pass_on(s, o->skip_bad, &bad, d);
    diag_free(&bad);
    return !diag_failed(d);
}

static bool check_bad(const train_set *s, const set_options *o, diag *d) {
    int64_t n = data_bad(s->source);
    const char *lines = n == 1 ? "1 line is bad" : "lines are bad", *name = data_name(s->source);
    char count[32] = "";
    if (n > 1) snprintf(count, sizeof count, "%" PRId64 " ", n);
    if (n && hopeless(s))
        return diag_error(d, name, "the first %" PRId64 " lines are bad: is it a file of another task?", n);
    if (n && !o->skip_bad && s->unknown)
        diag_note(d, name,
                  "the labels are those of the model's head: --ignore-mismatched-sizes learns the data's");
    if (n && !o->skip_bad)
        return diag_error(d, name, "%s%s; --skip-bad-lines leaves %s out", count, lines,
                          n == 1 ? "it" : "them");
    if (n) diag_note(d, name, "%s%s, and left out", count, lines);
    return true;
}

// From here on lengths are those of pairs.
static void add_specials(train_set *s) {
    s->specials = s->rule->max_tokens - s->rule->pair_room;
    s->longest += s->specials;
    for (int64_t i = 0; i < s->count; i++) s->lengths[i] += (int32_t)s->specials;
}

bool set_open(train_set *s, const set_options *o, const feature_rule *rule, data_labels *learn, diag *d) {
    *s = (train_set){.rule = rule};
    data_options options = o->data;
    options.form = rule->form;
    options.again = true;
    s->source = data_open(o->path, &options, d);
    if (!s->source) return false;
    bool read = read_all(s, o, learn, d);
    if (!check_bad(s, o, d) || !read) return false;
    if (!s->count) return diag_error(d, data_name(s->source), "holds no example");
    if (s->ready == s->count && !s->ready_labels)
        return diag_error(d, data_name(s->source), "has no label but -100: nothing would be learnt");
    if (rule->task == TRAIN_PRETRAIN) add_specials(s);
    if (s->count > UINT32_MAX)
        return diag_error(d, data_name(s->source), "has %" PRId64 " examples: at most %u", s->count,
                          UINT32_MAX);
    return true;
}

void set_close(train_set *s) {
    if (s->source) data_close(s->source);
    free(s->entries);
    free(s->lengths);
    *s = (train_set){0};
}

// --- Reading again

bool set_read(train_set *s, int64_t i, feature *out, arena *a, diag *d) {
    feature_list f;
    if (!set_line(s, i, &f, a, d)) return false;
    *out = f.v[s->entries[i].part];
    return out->tokens == s->lengths[i] || set_changed(s, s->entries[i].line, d);
}
