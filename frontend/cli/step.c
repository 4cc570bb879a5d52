#include "frontend/cli/step.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void step_options_add(option_table *t, step_options *o) {
    *o = (step_options){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    options_add(t, (option_row){"weight-decay", 0, OPTION_NUMBER, "X",
                                "of AdamW, on all but biases and norms (default 0)", &o->weight_decay});
    options_add(
        t, (option_row){"adam-beta1", 0, OPTION_NUMBER, "X", "default 0.9", &o->beta1, .ceiling = 0.999999});
    options_add(t, (option_row){"adam-beta2", 0, OPTION_NUMBER, "X", "default 0.999", &o->beta2,
                                .ceiling = 0.999999});
    options_add(
        t, (option_row){"adam-epsilon", 0, OPTION_NUMBER, "X", "default 1e-8", &o->epsilon, .floor = 1e-30});
    options_add(
        t, (option_row){"freeze", 0, OPTION_TEXT, "LIST",
                        "parameters that stay as they are, by parts of their names: embeddings,layer.0-7",
                        &o->freeze});
}

bool step_options_given(const step_options *o) {
    bool usual = o->beta1 == 0.9 && o->beta2 == 0.999 && o->epsilon == 1e-8 && o->weight_decay == 0;
    return !usual || o->freeze;
}

// --- What is frozen

// "layer.0-7" or "layer.3": the numbers behind the last dot. False: what stands there begins as a number, and is none.
static bool read_numbers(const char *item, size_t size, frozen_part *p) {
    size_t dot = size;
    *p = (frozen_part){.text = item, .size = size, .first = -1};
    while (dot > 0 && item[dot - 1] != '.') dot--;
    if (!dot || !isdigit((unsigned char)item[dot])) return size > 0;
    char *end;
    p->size = dot;
    p->first = p->last = strtoll(item + dot, &end, 10);
    if (*end == '-' && isdigit((unsigned char)end[1])) p->last = strtoll(end + 1, &end, 10);
    return end == item + size && p->first <= p->last && p->last < INT32_MAX;
}

static bool read_freeze(step_options *o, diag *d) {
    o->count = 0;
    for (const char *at = o->freeze; at && *at;) {
        size_t n = strcspn(at, ",");
        if (o->count == FREEZE_MAX) return diag_error(d, "--freeze", "more than %d parts", FREEZE_MAX);
        if (!read_numbers(at, n, &o->parts[o->count++]))
            return diag_error(d, "--freeze", "'%.*s' is no part of a name, as embeddings or layer.0-7",
                              (int)n, at);
        at += n + (at[n] == ',');
    }
    return !o->freeze || o->count || diag_error(d, "--freeze", "names nothing");
}

// Does the part stand in the name between dots, or its ends?
static bool stands_in(const frozen_part *p, const char *name) {
    for (const char *at = name; (at = strchr(at, p->text[0])); at++) {
        bool begins = at == name || at[-1] == '.';
        if (!begins || strncmp(at, p->text, p->size)) continue;
        const char *behind = at + p->size;
        if (p->first < 0 && (!*behind || *behind == '.')) return true;
        if (p->first < 0 || !isdigit((unsigned char)*behind)) continue;
        char *end;
        int64_t n = strtoll(behind, &end, 10);
        if (n >= p->first && n <= p->last && (!*end || *end == '.')) return true;
    }
    return false;
}

static double rate_of(void *context, const char *name) {
    step_options *o = context;
    bool frozen = false;
    for (int i = 0; i < o->count; i++) {
        bool here = stands_in(&o->parts[i], name);
        o->parts[i].found |= here;
        frozen |= here;
    }
    return frozen ? 0 : 1;
}

bool step_options_read(step_options *o, optimizer_options *out, diag *d) {
    *out = (optimizer_options){.beta1 = o->beta1,
                               .beta2 = o->beta2,
                               .epsilon = o->epsilon,
                               .weight_decay = o->weight_decay,
                               .rate = o->freeze ? rate_of : NULL,
                               .context = o};
    return read_freeze(o, d);
}

bool step_options_check(const step_options *o, diag *d) {
    for (int i = 0; i < o->count; i++) {
        const frozen_part *p = &o->parts[i];
        if (!p->found)
            return diag_error(d, "--freeze", "no parameter that is trained has '%.*s' in its name",
                              (int)strcspn(p->text, ","), p->text);
    }
    return true;
}
