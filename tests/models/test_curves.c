// links: cli
// Fifty steps of training of tiny models, a task and a family each, compiled for this machine, against plain PyTorch: losses and
// norms of gradients, step by step, and the last weights. In bf16 the losses are about as near to those of float32 as
// PyTorch's own under autocast. models/training/cases.py makes the curves and the same batches. An argument picks the cases whose names begin so.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "case_path.h"
#include "frontend/cli/cli.h"
#include "host.h"
#include "main.h"
#include "passes/passes.h"
#include "runtime/bertc_train.h"

#define CURVES  BERTC_TESTS "/models/training/curves.safetensors"
#define SPREADS BERTC_TESTS "/models/training/spreads.safetensors"
enum { STEPS = 50, TEXTS = 4, LONGEST = 10, CELLS = TEXTS * LONGEST, WIDEST = 8, EMBEDDED = 48, TARGETS = 5 };
#define RATE 1e-3

// In the order of cases.py: the number of a case is its seed.
static const struct curve_case {
    const char *name, *folder, *task;
    int labels; // of a new head; 0: the folder's
    enum { PLAIN, SEVERAL, COSINE, TEACHER, WEIGHTS } how;
    hub_lora lora;
} cases[] = {
    {"albert-mlm", "albert-mlm", "mlm", 0, PLAIN},
    {"bert-answer", "bert-mlm", "answer", 0, PLAIN},
    {"bert-classify", "bert-seqcls", "classify", 0, PLAIN},
    {"bert-embed", "bert-base-model", "embed", 0, PLAIN},
    {"bert-mlm", "bert-mlm", "mlm", 0, PLAIN},
    {"bert-pretrain", "bert-pretraining", "pretrain", 0, PLAIN},
    {"bert-regress", "bert-mlm", "regress", 1, PLAIN},
    {"bert-several", "bert-mlm", "classify", 4, SEVERAL},
    {"bert-tag", "bert-mlm", "tag", 5, PLAIN},
    {"distilbert-classify", "distilbert-sinusoidal", "classify", 3, PLAIN},
    {"electra-classify", "electra-mlm", "classify", 3, PLAIN},
    {"modernbert-answer", "modernbert-qa", "answer", 0, PLAIN},
    {"modernbert-classify", "modernbert-model", "classify", 3, PLAIN},
    {"mpnet-classify", "mpnet-model", "classify", 3, PLAIN},
    {"roberta-tag", "xlm-roberta-tokcls", "tag", 0, PLAIN},
    {"bert-cosine", "bert-base-model", "embed", 0, COSINE},
    {"bert-teacher", "bert-mlm", "tag", 5, TEACHER},
    {"bert-weights", "bert-mlm", "classify", 3, WEIGHTS},
    {"albert-lora", "albert-mlm", "tag", 5, PLAIN, {3, 8, .targets = "query,value,ffn"}},
    {"bert-lora", "bert-mlm", "classify", 3, PLAIN, {4, 16}},
    {"bert-lora-mlm", "bert-mlm", "mlm", 0, PLAIN, {8, 8, .targets = "query,key,value,dense"}},
    {"distilbert-lora", "distilbert-sinusoidal", "classify", 3, PLAIN, {4, 8, .targets = "q_lin,v_lin,lin1"}},
    {"modernbert-lora", "modernbert-model", "classify", 3, PLAIN, {5, 8, .targets = "Wqkv,Wi,Wo"}},
    {"mpnet-lora", "mpnet-model", "classify", 3, PLAIN, {1, 2, .targets = "q,v,o"}},
    {"roberta-lora", "xlm-roberta-tokcls", "tag", 0, PLAIN, {8, 8, .targets = "query,key,value,dense"}},
    {"bert-answer-teacher", "bert-mlm", "answer", 0, TEACHER},
    {"bert-embed-teacher", "bert-base-model", "embed", 0, TEACHER},
};
enum { CASES = sizeof cases / sizeof *cases };

// --- Batches, as cases.py makes them

static uint32_t below(uint32_t *state, int64_t n) {
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)((*state >> 8) % (uint64_t)n);
}

typedef struct batch {
    int32_t bounds[TEXTS + 1], ids[CELLS], rows[CELLS];
    int32_t labels[CELLS], starts[TEXTS], ends[TEXTS], next[TEXTS], positives[TEXTS], candidates[TEXTS];
    int32_t pairs[TEXTS];
    float numbers[TEXTS * WIDEST], next_weights[TEXTS], teacher[CELLS * WIDEST];
    float teacher_starts[CELLS], teacher_ends[CELLS], teacher_weights[TEXTS];
    int count; // of labels
} batch;

static void label_tokens(batch *b, int text, bool tags, int64_t labels, uint32_t *r) {
    int first = b->bounds[text], end = b->bounds[text + 1];
    for (int t = first; t < end; t++) {
        bool zero = below(r, 4) == 0;
        b->rows[t] = tags ? !zero : zero;
    }
    b->rows[first] = 1;
    for (int t = first; t < end; t++) {
        b->labels[t] = b->rows[t] ? (int32_t)below(r, labels) : -100;
        b->count += b->rows[t];
    }
}

static void label_text(const struct curve_case *c, batch *b, int i, int64_t vocab, int64_t labels,
                       uint32_t *r) {
    int length = b->bounds[i + 1] - b->bounds[i];
    if (c->how == SEVERAL) {
        for (int k = 0; k < labels; k++) b->numbers[i * labels + k] = (float)below(r, 2);
    } else if (!strcmp(c->task, "classify")) {
        b->labels[i] = (int32_t)below(r, labels);
    } else if (!strcmp(c->task, "regress")) {
        b->numbers[i] = (float)(below(r, 1000) / 500.0 - 1);
    } else if (!strcmp(c->task, "tag")) {
        label_tokens(b, i, true, labels, r);
        for (int k = b->bounds[i] * (int)labels; c->how == TEACHER && k < b->bounds[i + 1] * (int)labels; k++)
            b->teacher[k] = (float)(below(r, 1000) / 250.0 - 2);
    } else if (c->how == COSINE) {
        b->numbers[i] = (float)(below(r, 1000) / 1000.0);
    } else if (!strcmp(c->task, "mlm") || !strcmp(c->task, "pretrain")) {
        label_tokens(b, i, false, vocab, r);
        if (c->task[0] == 'p') b->next[i] = (int32_t)below(r, 2);
    } else if (!strcmp(c->task, "answer")) {
        b->starts[i] = (int32_t)below(r, length);
        b->ends[i] = b->starts[i] + (int32_t)below(r, length - b->starts[i]);
        for (int k = b->bounds[i]; c->how == TEACHER && k < b->bounds[i + 1]; k++) {
            b->teacher_starts[k] = (float)(below(r, 1000) / 250.0 - 2);
            b->teacher_ends[k] = (float)(below(r, 1000) / 250.0 - 2);
        }
    } else if (c->how == TEACHER) {
        for (int k = i * EMBEDDED; k < (i + 1) * EMBEDDED; k++)
            b->teacher[k] = (float)(below(r, 1000) / 250.0 - 2);
    }
}

static batch make_batch(const struct curve_case *c, int64_t vocab, int64_t labels, uint32_t *r) {
    batch b = {.positives = {2, 3, -100, -100}, .candidates = {0, 0, 1, 1}, .pairs = {2, 3, -100, -100}};
    for (int i = 0; i < TEXTS; i++) {
        b.bounds[i + 1] = b.bounds[i] + 3 + (int32_t)below(r, 8);
        for (int t = b.bounds[i]; t < b.bounds[i + 1]; t++) b.ids[t] = 5 + (int32_t)below(r, vocab - 5);
    }
    for (int i = 0; i < TEXTS; i++) label_text(c, &b, i, vocab, labels, r);
    for (int i = 0; i < TEXTS; i++) {
        b.next_weights[i] = (float)b.count / (float)TEXTS;
        b.teacher_weights[i] = 2.0F / (float)TEXTS;
    }
    return b;
}

static const float class_weights[] = {0.5F, 1, 2};

static float scale_of(const struct curve_case *c, const batch *b, int64_t labels) {
    int64_t n = !strcmp(c->task, "embed") ? 2
                : b->count                ? b->count
                : c->how == SEVERAL       ? TEXTS * labels
                                          : TEXTS;
    double sum = (double)n;
    if (c->how == WEIGHTS) sum = 0;
    for (int i = 0; c->how == WEIGHTS && i < TEXTS; i++) sum += (double)class_weights[b->labels[i]];
    return (float)(1 / sum);
}

// --- The compiled step

typedef struct training {
    arena *a;
    diag d;
    hub_model hub;
    jit *code;
    target host;
    artefact made;
    bertc_model *model;
    bertc_trainer *trainer;
} training;

static void give_up(const training *t, const char *name) {
    ck_abort_msg("%s: %s", name, t->d.count ? t->d.items[t->d.count - 1].text : "failed without a word");
}

static void begin(training *t, const struct curve_case *c, double dropout, precision dtype) {
    bertc_error e = {0};
    *t = (training){.a = arena_new()};
    diag_init(&t->d);
    hub_options o = {.model = case_home(c->folder),
                     .train = {.task = c->task,
                               .label_count = c->labels,
                               .multi_label = c->how == SEVERAL,
                               .cosine = c->how == COSINE,
                               .dropout = dropout,
                               .teacher = c->how == TEACHER,
                               .temperature = 2,
                               .soft = 0.7,
                               .class_weights = c->how == WEIGHTS ? class_weights : NULL,
                               .class_weight_count = 3,
                               .label_smoothing = c->how == WEIGHTS ? 0.1 : 0,
                               .seed = 1,
                               .lora = c->lora}};
    if (!hub_open(&o, t->a, &t->hub, &t->d)) give_up(t, c->name);
    optimizer_options usual = OPTIMIZER_USUAL;
    usual.weight_decay = 0.01;
    if (!target_init(&t->host, NULL, "native", dtype, &t->d)) give_up(t, c->name);
    graph *g = t->hub.graph;
    graph_set_class(g, t->host.class);
    pass_context p = {.target = &t->host,
                      .source = &t->hub.source,
                      .diag = &t->d,
                      .verify = true,
                      .precision = dtype,
                      .train = true,
                      .optimizer = &usual};
    if (!passes_run(g, NULL, &p) || passes_add_variant(g, LONGEST, TEXTS, &p) < 0) give_up(t, c->name);
    t->made = (artefact){.module = module_alone(t->a, g),
                         .targets = &t->host,
                         .target_count = 1,
                         .source = &t->hub.source,
                         .task = t->hub.task,
                         .task_bytes = t->hub.task_bytes,
                         .vocab_size = t->hub.vocab_size,
                         .type_vocab_size = t->hub.type_vocab_size,
                         .position_count = t->hub.position_count,
                         .position_rule = t->hub.position_rule,
                         .position_start = t->hub.position_start,
                         .pad_id = (int32_t)t->hub.pad_id};
    t->code = backend_jit(&t->made, (c - cases) % 4 ? 0 : 2, NULL, &t->d);
    if (!t->code) give_up(t, c->name);
    t->model = bertc_load_memory(jit_descriptor(t->code), jit_weights(t->code), &e);
    ck_assert_msg(t->model != NULL, "%s: %s", c->name, e.message);
    t->trainer = bertc_trainer_open(t->model, NULL, &e);
    ck_assert_msg(t->trainer != NULL, "%s: %s", c->name, e.message);
}

static void end(training *t) {
    bertc_trainer_close(t->trainer);
    bertc_unload(t->model);
    jit_free(t->code);
    hub_close(&t->hub);
    diag_free(&t->d);
    arena_free(t->a);
}

static int targets_of(const struct curve_case *c, const batch *b, bertc_target *out) {
    int n = 0;
#define INTEGERS(field)                                                                                      \
    out[n++] = (bertc_target) {                                                                              \
        BERTC_SIZED(bertc_target), .name = #field, .integers = b->field                                      \
    }
#define NUMBERS(field)                                                                                       \
    out[n++] = (bertc_target) {                                                                              \
        BERTC_SIZED(bertc_target), .name = #field, .numbers = b->field                                       \
    }
    if (c->how == COSINE) INTEGERS(pairs);
    if (c->how == SEVERAL || c->how == COSINE || !strcmp(c->task, "regress")) {
        out[n++] = (bertc_target){BERTC_SIZED(bertc_target), .name = "labels", .numbers = b->numbers};
    } else if (!strcmp(c->task, "answer")) {
        INTEGERS(starts);
        INTEGERS(ends);
    } else if (!strcmp(c->task, "embed")) {
        INTEGERS(positives);
        INTEGERS(candidates);
    } else {
        INTEGERS(labels);
    }
    if (c->how == TEACHER && !strcmp(c->task, "answer")) {
        NUMBERS(teacher_starts);
        NUMBERS(teacher_ends);
    } else if (c->how == TEACHER) {
        NUMBERS(teacher);
    }
    if (c->how == TEACHER && !strcmp(c->task, "embed")) NUMBERS(teacher_weights);
    if (!strcmp(c->task, "pretrain")) {
        INTEGERS(next);
        NUMBERS(next_weights);
    }
#undef INTEGERS
#undef NUMBERS
    return n;
}

static void step(training *t, const struct curve_case *c, const batch *b, int number, int64_t labels,
                 float *loss, float *norm) {
    bertc_error e = {0};
    bertc_target targets[TARGETS];
    bool chooses = !strcmp(c->task, "mlm") || !strcmp(c->task, "pretrain");
    bertc_train_batch x = {BERTC_SIZED(bertc_train_batch),
                           .batch = TEXTS,
                           .bounds = b->bounds,
                           .input_ids = b->ids,
                           .rows = chooses ? b->rows : NULL,
                           .target_count = targets_of(c, b, targets),
                           .targets = targets,
                           .scale = scale_of(c, b, labels)};
    bertc_train_update u = {BERTC_SIZED(bertc_train_update), .step = number + 1,
                            .rate = (float)(RATE * (1 - number / (double)STEPS)), .clip = 1};
    ck_assert_msg(bertc_trainer_step(t->trainer, &x, &u, loss, norm, &e), "%s, step %d: %s", c->name,
                  number + 1, e.message);
}

// --- Against the curve

static const float *kept(const safetensors *s, const char *name, int64_t *n) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    ck_assert_msg(safetensors_entry(s, name, &dtype, &rank, &shape, &data, &bytes), "no %s", name);
    *n = (int64_t)(bytes / sizeof(float));
    return data;
}

static void check_weights(training *t, const struct curve_case *c, const safetensors *s) {
    char begin_of[80];
    int found = 0;
    int begins = snprintf(begin_of, sizeof begin_of, "%s.after.", c->name);
    for (int i = 0; i < safetensors_count(s); i++) {
        const char *name = safetensors_name(s, i);
        if (strncmp(name, begin_of, (size_t)begins)) continue;
        int64_t n;
        const float *wants = kept(s, name, &n);
        int index = bertc_trainer_tensor_find(t->trainer, name + begins);
        bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
        bertc_error e = {0};
        ck_assert_msg(index >= 0, "%s: no parameter %s", c->name, name + begins);
        ck_assert(bertc_trainer_tensor_describe(t->trainer, index, &x, &e));
        float *has = ARENA_ARRAY(t->a, float, x.count);
        ck_assert(bertc_trainer_tensor_read(t->trainer, index, has, &e));
        for (int64_t k = 0; k < n; k++)
            ck_assert_msg(fabs((double)has[k] - wants[k]) <= 1e-4, "%s: %s[%d] is %g, PyTorch has %g",
                          c->name, name + begins, (int)k, has[k], wants[k]);
        found++;
    }
    ck_assert_int_ge(found, 3);
}

START_TEST(as_pytorch) {
    const struct curve_case *c = &cases[_i];
    if (!case_home(c->folder)) SKIP("shared", "%s", c->name);
    training t;
    begin(&t, c, 0, PRECISION_F32);
    int64_t n, labels = t.hub.label_count;
    safetensors *s = safetensors_open(CURVES, &t.d);
    if (!s) give_up(&t, c->name);
    const float *losses = kept(s, arena_printf(t.a, "%s.loss", c->name), &n);
    const float *norms = kept(s, arena_printf(t.a, "%s.norm", c->name), &n);
    uint32_t r = (uint32_t)_i + 1;
    double worst = 0, worst_norm = 0;
    for (int i = 0; i < STEPS; i++) {
        float loss, norm;
        batch b = make_batch(c, t.hub.vocab_size, labels, &r);
        step(&t, c, &b, i, labels, &loss, &norm);
        worst = fmax(worst, fabs((double)loss - losses[i]) / fmax(0.1, fabs((double)losses[i])));
        worst_norm = fmax(worst_norm, fabs((double)norm - norms[i]) / norms[i]);
        ck_assert_msg(worst <= 2e-5, "%s, step %d: loss %.7g, PyTorch has %.7g", c->name, i + 1, loss,
                      losses[i]);
        ck_assert_msg(worst_norm <= 1e-4, "%s, step %d: norm %.7g, PyTorch has %.7g", c->name, i + 1, norm,
                      norms[i]);
    }
    printf("%s: loss within %.1e, norm within %.1e\n", c->name, worst, worst_norm);
    fflush(stdout);
    check_weights(&t, c, s);
    safetensors_close(s);
    end(&t);
}
END_TEST

// At no step is the loss farther from PyTorch's in float32 than twice the farthest that PyTorch's own autocast comes to, in
// eight runs that round other numbers up and down.
START_TEST(in_bf16) {
    const struct curve_case *c = &cases[_i];
    if (!case_home(c->folder)) SKIP("shared", "%s", c->name);
    if (!host_runs_precision("native", PRECISION_BF16)) SKIP("bf16", "%s", c->name);
    training t;
    begin(&t, c, 0, PRECISION_BF16);
    int64_t n, labels = t.hub.label_count;
    safetensors *s = safetensors_open(CURVES, &t.d);
    if (!s) give_up(&t, c->name);
    const float *losses = kept(s, arena_printf(t.a, "%s.loss", c->name), &n);
    safetensors *spreads = safetensors_open(SPREADS, &t.d);
    if (!spreads) give_up(&t, c->name);
    double bound = 2 * (double)*kept(spreads, c->name, &n);
    safetensors_close(spreads);
    uint32_t r = (uint32_t)_i + 1;
    double worst = 0;
    for (int i = 0; i < STEPS; i++) {
        float loss, norm;
        batch b = make_batch(c, t.hub.vocab_size, labels, &r);
        step(&t, c, &b, i, labels, &loss, &norm);
        worst = fmax(worst, fabs((double)loss - losses[i]) / fmax(0.1, fabs((double)losses[i])));
    }
    printf("%s in bf16: loss within %.1e, PyTorch within %.1e\n", c->name, worst, bound / 2);
    fflush(stdout);
    ck_assert_msg(worst <= bound, "%s in bf16: a loss is %.2g off, PyTorch's are at most %.2g", c->name,
                  worst, bound / 2);
    ck_assert_msg(worst > 1e-7, "%s: nothing is in bf16", c->name);
    safetensors_close(s);
    end(&t);
}
END_TEST

// The loss of the first batch, with that seed.
static float loss_with(training *t, const struct curve_case *c, int32_t first, int32_t second) {
    bertc_error e = {0};
    bertc_target targets[TARGETS];
    uint32_t r = (uint32_t)(c - cases) + 1;
    int64_t labels = t->hub.label_count;
    batch b = make_batch(c, t->hub.vocab_size, labels, &r);
    float loss;
    bertc_train_batch x = {BERTC_SIZED(bertc_train_batch),
                           .batch = TEXTS,
                           .bounds = b.bounds,
                           .input_ids = b.ids,
                           .target_count = targets_of(c, &b, targets),
                           .targets = targets,
                           .scale = scale_of(c, &b, labels),
                           .seed = {first, second}};
    ck_assert_msg(bertc_trainer_gradients(t->trainer, &x, true, &loss, &e), "%s", e.message);
    return loss;
}

// Compiled, dropout is the seed's, and none where its second number is 0.
START_TEST(with_dropout) {
    static const char *const names[] = {"bert-classify", "distilbert-classify", "modernbert-answer"};
    const struct curve_case *c = cases;
    while (strcmp(c->name, names[_i])) c++;
    if (!case_home(c->folder)) SKIP("shared", "%s", c->name);
    training plain, t;
    begin(&plain, c, 0, PRECISION_F32);
    begin(&t, c, 0.25, PRECISION_F32);
    ck_assert_float_eq_tol(loss_with(&t, c, 7, 0), loss_with(&plain, c, 0, 0), 1e-6F);
    float first = loss_with(&t, c, 7, 1);
    ck_assert_float_eq(loss_with(&t, c, 7, 1), first);
    ck_assert_float_ne(loss_with(&t, c, 7, 2), first);
    ck_assert_float_ne(loss_with(&t, c, 8, 1), first);
    ck_assert_float_ne(loss_with(&t, c, 7, 0), first);
    end(&plain);
    end(&t);
}
END_TEST

int main(int argc, char **argv) {
    Suite *s = suite_create("curves");
    TCase *t = tcase_create("curves");
    for (int i = 0; i < CASES; i++)
        if (argc < 2 || !strncmp(cases[i].name, argv[1], strlen(argv[1])))
            tcase_add_loop_test(t, as_pytorch, i, i + 1);
    for (int i = 0; i < CASES; i++) // products with one adapter are like those with another
        if ((argc < 2 || !strncmp(cases[i].name, argv[1], strlen(argv[1]))) &&
            (!cases[i].lora.rank || !strcmp(cases[i].name, "bert-lora")))
            tcase_add_loop_test(t, in_bf16, i, i + 1);
    if (argc < 2) tcase_add_loop_test(t, with_dropout, 0, 3);
    suite_add_tcase(s, t);
    return suite_status(s);
}
