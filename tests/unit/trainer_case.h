// What tests of the trainer share: tests/cli/teach.ir over the bundled checkpoint, as a model in memory, and a batch for it.
#ifndef BERTC_TESTS_UNIT_TRAINER_CASE_H
#define BERTC_TESTS_UNIT_TRAINER_CASE_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "file.h"
#include "frontend/hub/hub.h"
#include "passes/passes.h"
#include "runtime/bertc_train.h"

#define MODEL BERTC_TESTS "/../examples/models/mini-sst2"
#define GRAPH BERTC_TESTS "/cli/teach.ir"
enum { TEXTS = 3, LENGTH = 4, TOKENS = 8 };

static arena *a;
static diag d;
static hub_model hub;
static graph *plain; // with its step, as the pass makes it
static target host;
static artefact made;
static jit *code;
static bertc_model *model;
static bertc_error error;

static inline void setup(void) {
    a = arena_new();
    diag_init(&d);
    ck_assert_msg(hub_open(&(hub_options){.model = MODEL}, a, &hub, &d), "%s",
                  d.count ? d.items[0].text : "");
    size_t size;
    char *text = file_text(GRAPH, &size);
    graph *g = graph_parse(a, GRAPH, text, size, &d);
    free(text);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    ck_assert(target_init(&host, NULL, "native", PRECISION_F32, &d));
    optimizer_options o = OPTIMIZER_USUAL;
    o.weight_decay = 0.01;
    pass_context c = {.target = &host, .source = &hub.source, .diag = &d, .verify = true, .optimizer = &o};
    ck_assert(passes_run(g, "optimize", &c));
    plain = graph_clone(a, g);
    bool ok = passes_run(g, NULL, &c) && passes_add_variant(g, 8, 1, &c) == 0 &&
              passes_add_variant(g, 16, 2, &c) == 1;
    ck_assert_msg(ok, "%s", d.count ? d.items[0].text : "");
    made = (artefact){.module = module_alone(a, g),
                      .targets = &host,
                      .target_count = 1,
                      .source = &hub.source,
                      .vocab_size = 8192,
                      .type_vocab_size = 2,
                      .position_count = 512};
    code = backend_jit(&made, 2, NULL, &d);
    ck_assert_msg(code != NULL, "%s", d.count ? d.items[0].text : "");
    error.message[0] = 0;
    model = bertc_load_memory(jit_descriptor(code), jit_weights(code), &error);
    ck_assert_msg(model != NULL, "%s", error.message);
}

static inline void teardown(void) {
    bertc_unload(model);
    jit_free(code);
    hub_close(&hub);
    diag_free(&d);
    arena_free(a);
}

// --- A batch, on a grid and without padding

static const int32_t grid_ids[TEXTS * LENGTH] = {101, 7, 0, 0, 4711, 1, 9, 8191, 5, 102, 0, 0},
                                      grid_mask[TEXTS * LENGTH] = {1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0},
                                      grid_weights[TEXTS * LENGTH] = {1, 2, 77, 77, 3, 4, 5, 6, 7, 8, 77, 77};
static const int32_t ids[TOKENS] = {101, 7, 4711, 1, 9, 8191, 5, 102}, bounds[TEXTS + 1] = {0, 2, 6, 8},
                     weights[TOKENS] = {1, 2, 3, 4, 5, 6, 7, 8};
static const float wanted[2 * TEXTS] = {1, -1, 0.5f, 0.25f, -2, 3};
static const bertc_target packed[2] = {{BERTC_SIZED(bertc_target), .name = "wanted", .numbers = wanted},
                                       {BERTC_SIZED(bertc_target), .name = "weights", .integers = weights}},
                          padded[2] = {
                              {BERTC_SIZED(bertc_target), .name = "weights", .integers = grid_weights},
                              {BERTC_SIZED(bertc_target), .name = "wanted", .numbers = wanted}};

static inline bertc_train_batch without_padding(void) {
    return (bertc_train_batch){BERTC_SIZED(bertc_train_batch),
                               .batch = TEXTS,
                               .bounds = bounds,
                               .input_ids = ids,
                               .target_count = 2,
                               .targets = packed,
                               .scale = 0.125f};
}

static inline bertc_train_batch on_a_grid(void) {
    return (bertc_train_batch){
        BERTC_SIZED(bertc_train_batch), .batch = TEXTS,    .length = LENGTH,  .input_ids = grid_ids,
        .attention_mask = grid_mask,    .target_count = 2, .targets = padded, .scale = 0.125f};
}

// Text i alone.
static inline bertc_train_batch one_text(int i, int32_t *own_bounds, bertc_target *own) {
    bertc_train_batch b = without_padding();
    own_bounds[0] = 0;
    own_bounds[1] = bounds[i + 1] - bounds[i];
    *own = (bertc_target){BERTC_SIZED(bertc_target), .name = "wanted", .numbers = wanted + 2 * i};
    b.batch = 1;
    b.bounds = own_bounds;
    b.input_ids = ids + bounds[i];
    b.targets = own;
    b.target_count = 1;
    return b;
}

static inline bertc_train_update update(int step) {
    return (bertc_train_update){BERTC_SIZED(bertc_train_update), .step = step, .rate = 0.01f, .clip = 1};
}

static inline bertc_trainer *opened(int threads) {
    bertc_session_options o = {BERTC_SIZED(bertc_session_options), .threads = threads};
    bertc_trainer *t = bertc_trainer_open(model, &o, &error);
    ck_assert_msg(t != NULL, "%s", error.message);
    return t;
}

static inline float *read_one(bertc_trainer *t, const char *name, int64_t *count) {
    int index = bertc_trainer_tensor_find(t, name);
    bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
    ck_assert_msg(index >= 0, "%s", name);
    ck_assert(bertc_trainer_tensor_describe(t, index, &x, &error));
    float *data = ARENA_ARRAY(a, float, x.count);
    ck_assert(bertc_trainer_tensor_read(t, index, data, &error));
    *count = x.count;
    return data;
}

static inline void near(const float *got, const float *want, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i])),
                      "%s, number %ld: %.9g, not %.9g", what, (long)i, (double)got[i], (double)want[i]);
}

#endif
