#include "frontend/cli/train/teacher.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "runtime/bertc_task.h"
#include "runtime/bertc_train.h"

typedef struct expected {
    const char *head;
    bertc_task_kind task, other; // other: as good
    const char *outputs[2];
} expected;

static const expected *expected_of(const train_options *o) {
    static const expected all[] = {
        [TRAIN_CLASSIFY] = {"sequence-classification", BERTC_TASK_CLASSIFY, BERTC_TASK_CLASSIFY, {"logits"}},
        [TRAIN_TAG] = {"token-classification", BERTC_TASK_ENTITIES, BERTC_TASK_ENTITIES, {"logits"}},
        [TRAIN_ANSWER] = {"question-answering",
                          BERTC_TASK_ANSWER,
                          BERTC_TASK_ANSWER,
                          {"start_logits", "end_logits"}},
        [TRAIN_REGRESS] = {"sequence-classification",
                           BERTC_TASK_REGRESSION,
                           BERTC_TASK_MULTI_LABEL,
                           {"logits"}},
        [TRAIN_EMBED] = {"embedding", BERTC_TASK_EMBEDDING, BERTC_TASK_SEVERAL, {"embedding"}},
        [TRAIN_MLM] = {"masked-lm", BERTC_TASK_FILL_MASK, BERTC_TASK_FILL_MASK, {"logits"}}};
    static const expected several = {
        "sequence-classification", BERTC_TASK_MULTI_LABEL, BERTC_TASK_MULTI_LABEL, {"logits"}};
    return o->several_labels ? &several : &all[o->task];
}

static int output_of(const teacher *t, const char *name) {
    for (int i = 0; i < t->output_count; i++)
        if (!strcmp(bertc_output_name(t->opened.model, i), name)) return i;
    return -1;
}

static bool check_task(const teacher *t, const train_options *o, const bertc_model_info *info, diag *d) {
    const expected *e = expected_of(o);
    bool is = info->task == (int)e->task || info->task == (int)e->other;
    for (int i = 0; is && i < 2; i++) is &= !e->outputs[i] || output_of(t, e->outputs[i]) >= 0;
    if (!is)
        return diag_error(d, t->path, "can't teach --task %s%s: a teacher of it is a model for %s",
                          o->task_name, o->several_labels ? " of several labels" : "", e->head);
    return info->has_tokenizer || diag_error(d, t->path, "has no tokenizer, and a teacher reads texts");
}

static bool open_model(teacher *t, const train_options *o, int threads, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_error e;
    *t = (teacher){.path = o->teacher, .task = o->task};
    build_options b = {.hub = {.model = o->teacher, .head = expected_of(o)->head},
                       .batch = 8,
                       .optimise = 2,
                       .mcpu = o->mcpu,
                       .usual_mcpu = "native"};
    if (!opened_open(&t->opened, o->teacher, &b, d)) {
        if (!access(o->teacher, F_OK))
            diag_note(d, t->path, "a teacher of --task %s is a model for %s", o->task_name, b.hub.head);
        return false;
    }
    if (!bertc_model_describe(t->opened.model, &info, &e)) return runtime_failed(d, &e);
    t->max_tokens = info.max_length;
    t->output_count = info.output_count;
    bertc_session_options s = BERTC_SESSION_OPTIONS_INIT;
    s.threads = (int)(o->threads ? o->threads : threads);
    if (!check_task(t, o, &info, d)) return false;
    t->session = bertc_open(t->opened.model, &s, &e);
    return t->session || runtime_failed(d, &e);
}

bool teacher_open(teacher *t, const train_options *o, int threads, diag *d) {
    const char *subject = d->subject; // the model that is trained
    d->subject = NULL;
    bool ok = open_model(t, o, threads, d);
    d->subject = subject;
    return ok;
}

void teacher_close(teacher *t) {
    if (t->session) bertc_close(t->session);
    opened_close(&t->opened);
    *t = (teacher){0};
}

// --- Do the two fit together?

void teacher_labels(const teacher *t, data_labels *out) {
    const char *name;
    for (int i = 0; (name = bertc_label(t->opened.model, i)); i++) data_labels_add(out, name);
}

static const char *label_names(const data_labels *l, arena *a) {
    const char *all = "";
    int n = data_labels_count(l);
    for (int i = 0; i < n && i < 20; i++)
        all = arena_printf(a, "%s%s%s", all, i ? ", " : "", data_labels_name(l, i));
    return n > 20 ? arena_printf(a, "%s, ... (%d)", all, n) : all;
}

bool teacher_check_labels(teacher *t, const data_labels *labels, arena *a, diag *d) {
    int n = data_labels_count(labels);
    data_labels *own = data_labels_new(a);
    teacher_labels(t, own);
    t->order = ARENA_ARRAY(a, int, n);
    bool same = data_labels_count(own) == n;
    for (int i = 0; same && i < n; i++) {
        const char *name = data_labels_name(labels, i);
        t->order[i] = -1;
        for (int k = 0; k < n; k++)
            if (!strcmp(data_labels_name(own, k), name)) t->order[i] = k;
        same = t->order[i] >= 0;
    }
    return same ||
           diag_error(d, t->path,
                      "has the labels %s, and the model to be trained %s: they must have the same names",
                      label_names(own, a), label_names(labels, a));
}

bool teacher_check_tokens(const teacher *t, const bertc_tokenizer_handle *tokenizer, diag *d) {
    for (int32_t id = 0;; id++) {
        const char *own = bertc_token_text(t->opened.model, id), *other = bertc_tokenizer_text(tokenizer, id);
        if (!own && !other) return true;
        if (!own || !other || strcmp(own, other))
            return diag_error(
                d, t->path,
                "has another vocabulary than the model to be trained (token %d is %s, not %s): its "
                "answers are those of tokens, which must be the same",
                (int)id, own ? own : "missing", other ? other : "missing");
    }
}

bool teacher_check_width(const teacher *t, const bertc_model *model, diag *d) {
    const char *name = t->task == TRAIN_EMBED ? "embedding" : "logits";
    int64_t width = 1;
    for (int i = 0; t->task != TRAIN_ANSWER; i++) {
        const char *called = bertc_target_describe(model, i, NULL, &width, NULL);
        if (!called || !strcmp(called, "teacher")) break;
    }
    if (t->task == TRAIN_ANSWER) return true;
    size_t own = bertc_output_bytes(t->opened.model, output_of(t, name), 1, 1) / sizeof(float);
    return (int64_t)own == width ||
           diag_error(d, t->path,
                      "gives %zu numbers, and the model to be trained %" PRId64 ": they must be as many", own,
                      width);
}

// --- Answers

// What the teacher reads: the batch's own tokens, or its own ones.
static teacher_texts texts_of(const train_batch *b) {
    if (b->known.bounds) return b->known;
    return (teacher_texts){b->tokens, b->bounds, b->ids, b->types, b->words};
}

typedef struct grid {
    int64_t texts, length;
    int32_t *ids, *types, *mask;
} grid;

static grid grid_of(const teacher_texts *x, int64_t texts, arena *a) {
    grid g = {.texts = texts, .length = 1};
    for (int64_t i = 0; i < texts; i++)
        if (x->bounds[i + 1] - x->bounds[i] > g.length) g.length = x->bounds[i + 1] - x->bounds[i];
    g.ids = ARENA_ARRAY(a, int32_t, texts *g.length);
    g.types = ARENA_ARRAY(a, int32_t, texts *g.length);
    g.mask = ARENA_ARRAY(a, int32_t, texts *g.length);
    for (int64_t i = 0; i < texts; i++)
        for (int64_t k = x->bounds[i]; k < x->bounds[i + 1]; k++) {
            int64_t at = i * g.length + k - x->bounds[i];
            g.ids[at] = x->ids[k];
            g.types[at] = x->types[k];
            g.mask[at] = 1;
        }
    return g;
}

// The outputs of those names on the grid.
static bool run(teacher *t, const grid *g, const char *const names[2], float *out[2], arena *a, diag *d) {
    float **buffers = ARENA_ARRAY(a, float *, t->output_count);
    bertc_error e;
    for (int i = 0; i < 2 && names[i]; i++) {
        int index = output_of(t, names[i]);
        size_t bytes = bertc_output_bytes(t->opened.model, index, g->texts, g->length);
        out[i] = buffers[index] = ARENA_ARRAY(a, float, bytes / sizeof(float));
    }
    bertc_batch in = {BERTC_SIZED(bertc_batch), .batch = g->texts,         .length = g->length,
                      .input_ids = g->ids,      .attention_mask = g->mask, .token_type_ids = g->types};
    return bertc_run(t->session, &in, buffers, NULL, &e) || runtime_failed(d, &e);
}

// One row in the order of the model's labels.
static void put_row(const teacher *t, float *out, const float *row, int64_t width) {
    if (!t->order) {
        memcpy(out, row, (size_t)width * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < width; i++) out[i] = row[t->order[i]];
}

// The teacher's first token of that word of the text; -1: it has none.
static int64_t token_of(const teacher_texts *x, int64_t text, int32_t word) {
    for (int64_t i = x->bounds[text]; i < x->bounds[text + 1]; i++)
        if (x->words[i] == word) return i - x->bounds[text];
    return -1;
}

static void put_tags(const teacher *t, train_batch *b, const teacher_texts *x, const grid *g,
                     const float *rows, int64_t width, const float *weights) {
    for (int64_t i = 0; i < b->texts; i++)
        for (int64_t k = b->bounds[i]; k < b->bounds[i + 1]; k++) {
            if (b->token_labels[k] == FEATURE_IGNORED) continue;
            int64_t at = token_of(x, i, b->words[k]);
            if (at >= 0) {
                put_row(t, b->teacher + k * width, rows + (i * g->length + at) * width, width);
                continue;
            }
            b->labels--;
            b->weight -= weights ? (double)weights[b->token_labels[k]] : 1;
            b->token_labels[k] = FEATURE_IGNORED;
        }
}

// From the grid to the batch's tokens.
static float *packed(const train_batch *b, const grid *g, const float *rows, int64_t width, arena *a) {
    float *out = ARENA_ARRAY(a, float, b->tokens *width);
    for (int64_t i = 0; i < b->texts; i++)
        memcpy(out + b->bounds[i] * width, rows + i * g->length * width,
               (size_t)((b->bounds[i + 1] - b->bounds[i]) * width) * sizeof *out);
    return out;
}

bool teacher_answer(teacher *t, train_batch *b, const float *weights, arena *a, diag *d) {
    static const char *const spans[] = {"start_logits", "end_logits"}, *const logits[] = {"logits", NULL},
                             *const embedding[] = {"embedding", NULL};
    float *out[2] = {NULL, NULL};
    const teacher_texts x = texts_of(b);
    const grid g = grid_of(&x, b->texts, a);
    const char *const *names = t->task == TRAIN_ANSWER ? spans : t->task == TRAIN_EMBED ? embedding : logits;
    if (!run(t, &g, names, out, a, d)) return false;
    int64_t width =
        (int64_t)(bertc_output_bytes(t->opened.model, output_of(t, names[0]), 1, 1) / sizeof(float));
    switch (t->task) {
    case TRAIN_ANSWER:
        b->teacher_starts = packed(b, &g, out[0], 1, a);
        b->teacher_ends = packed(b, &g, out[1], 1, a);
        return true;
    case TRAIN_MLM: b->teacher = packed(b, &g, out[0], width, a); return true;
    case TRAIN_TAG:
        b->teacher = ARENA_ARRAY(a, float, b->tokens *width);
        put_tags(t, b, &x, &g, out[0], width, weights);
        return true;
    case TRAIN_CLASSIFY:
    case TRAIN_REGRESS:
    case TRAIN_EMBED:
    case TRAIN_PRETRAIN: break;
    }
    b->teacher = ARENA_ARRAY(a, float, b->texts *width);
    for (int64_t i = 0; i < b->texts; i++) put_row(t, b->teacher + i * width, out[0] + i * width, width);
    return true;
}
