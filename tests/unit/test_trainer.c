// links: hub passes backend runtime ir
// The trainer (bertc_train.h) on tests/cli/teach.ir over the bundled checkpoint: steps as the evaluator makes them, the parts of
// a call apart, batches with and without padding, equal bits on any number of threads, and what is wrong with a batch.
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "file.h"
#include "frontend/hub/hub.h"
#include "main.h"
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

static void setup(void) {
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

static void teardown(void) {
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

static bertc_train_batch without_padding(void) {
    return (bertc_train_batch){BERTC_SIZED(bertc_train_batch),
                               .batch = TEXTS,
                               .bounds = bounds,
                               .input_ids = ids,
                               .target_count = 2,
                               .targets = packed,
                               .scale = 0.125f};
}

static bertc_train_batch on_a_grid(void) {
    return (bertc_train_batch){
        BERTC_SIZED(bertc_train_batch), .batch = TEXTS,    .length = LENGTH,  .input_ids = grid_ids,
        .attention_mask = grid_mask,    .target_count = 2, .targets = padded, .scale = 0.125f};
}

// Text i alone.
static bertc_train_batch one_text(int i, int32_t *own_bounds, bertc_target *own) {
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

static bertc_train_update update(int step) {
    return (bertc_train_update){BERTC_SIZED(bertc_train_update), .step = step, .rate = 0.01f, .clip = 1};
}

static bertc_trainer *opened(int threads) {
    bertc_session_options o = {BERTC_SIZED(bertc_session_options), .threads = threads};
    bertc_trainer *t = bertc_trainer_open(model, &o, &error);
    ck_assert_msg(t != NULL, "%s", error.message);
    return t;
}

static float *read_one(bertc_trainer *t, const char *name, int64_t *count) {
    int index = bertc_trainer_tensor_find(t, name);
    bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
    ck_assert_msg(index >= 0, "%s", name);
    ck_assert(bertc_trainer_tensor_describe(t, index, &x, &error));
    float *data = ARENA_ARRAY(a, float, x.count);
    ck_assert(bertc_trainer_tensor_read(t, index, data, &error));
    *count = x.count;
    return data;
}

// --- What the evaluator says

static value named(const char *name) {
    value v = 0;
    while (!plain->nodes[v].name || strcmp(plain->nodes[v].name, name)) v++;
    return v;
}

// Step `step` of the whole batch; results: logits, marks, loss, grad_norm.
static void evaluate(int step, tensor *states, tensor *results) {
    float rate = 0.01f, keep = 0, clip = 1, scale = 0.125f;
    const eval_input in[] = {{"ids", {ELEM_I32, 1, {TOKENS}, (void *)(uintptr_t)ids}},
                             {"bounds", {ELEM_I32, 1, {TEXTS + 1}, (void *)(uintptr_t)bounds}},
                             {"wanted", {ELEM_F32, 2, {TEXTS, 2}, (void *)(uintptr_t)wanted}},
                             {"weights", {ELEM_I32, 1, {TOKENS}, (void *)(uintptr_t)weights}},
                             {"rate", {ELEM_F32, 0, {0}, &rate}},
                             {"keep", {ELEM_F32, 0, {0}, &keep}},
                             {"clip", {ELEM_F32, 0, {0}, &clip}},
                             {"scale", {ELEM_F32, 0, {0}, &scale}},
                             {"step", {ELEM_I32, 0, {0}, &step}}};
    eval_options o = {.source = &hub.source, .input_count = 9, .inputs = in, .states = states};
    ck_assert_msg(graph_eval(plain, &o, a, results, &d), "%s", d.count ? d.items[0].text : "");
}

static void near(const float *got, const float *want, int64_t n, const char *what) {
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i])),
                      "%s, number %ld: %.9g, not %.9g", what, (long)i, (double)got[i], (double)want[i]);
}

START_TEST(steps) {
    bertc_trainer *t = opened(1);
    tensor *states = ARENA_ARRAY(a, tensor, plain->count), results[4];
    for (int step = 1; step <= 4; step++) {
        bertc_train_batch b = step % 2 ? without_padding() : on_a_grid();
        bertc_train_update u = update(step);
        float loss, norm;
        ck_assert_msg(bertc_trainer_step(t, &b, &u, &loss, &norm, &error), "%s", error.message);
        evaluate(step, states, results);
        near(&loss, results[2].data, 1, "loss");
        near(&norm, results[3].data, 1, "norm");
        if (step == 2) ck_assert_msg(bertc_trainer_trim(t, &error), "%s", error.message);
    }
    ck_assert(!bertc_trainer_trim(NULL, &error));
    int64_t n;
    const float *w = read_one(t, "classifier.weight", &n), *from = states[named("w")].data;
    float *turned = ARENA_ARRAY(a, float, n);
    ck_assert_int_eq(n, 512);
    for (int64_t i = 0; i < n; i++) turned[i] = from[i % 256 * 2 + i / 256];
    near(w, turned, n, "weight");
    near(read_one(t, "classifier.bias", &n), states[named("b")].data, 2, "bias");
    near(read_one(t, "exp_avg.classifier.bias", &n), states[named("exp_avg.b")].data, 2, "mean");
    near(read_one(t, "exp_avg_sq.classifier.bias", &n), states[named("exp_avg_sq.b")].data, 2,
         "mean of squares");
    near(read_one(t, "gradient.classifier.bias", &n), states[named("sum.b")].data, 2, "gradient");
    bertc_trainer_close(t);
}
END_TEST

// Forward changes nothing, gives outputs where the caller's cells are, and needs no targets.
START_TEST(forward) {
    bertc_trainer *t = opened(2);
    tensor *states = ARENA_ARRAY(a, tensor, plain->count), results[4];
    float logits[2 * TEXTS], marks[TOKENS], grid[TEXTS * LENGTH], one[1], unused[1], loss, none;
    float *buffers[4] = {logits, marks, one, NULL};
    bertc_tensor out[4] = {BERTC_TENSOR_INIT};
    evaluate(1, states, results);
    bertc_train_batch b = without_padding();
    ck_assert_msg(bertc_trainer_forward(t, &b, buffers, out, &loss, &error), "%s", error.message);
    near(logits, results[0].data, 2 * TEXTS, "logits");
    near(marks, results[1].data, TOKENS, "marks");
    near(one, results[2].data, 1, "loss");
    ck_assert_float_eq(one[0], loss);
    ck_assert(out[0].rank == 2 && out[0].shape[0] == TEXTS && out[1].rank == 2 && out[1].shape[0] == TOKENS);
    ck_assert(out[2].rank == 1 && out[2].shape[0] == 1);
    buffers[1] = grid;
    b = on_a_grid();
    ck_assert(bertc_trainer_forward(t, &b, buffers, out, &loss, &error));
    ck_assert(out[1].rank == 3 && out[1].shape[0] == TEXTS && out[1].shape[1] == LENGTH);
    for (int i = 0, n = 0; i < TEXTS * LENGTH; i++)
        ck_assert_float_eq(grid[i], grid_mask[i] ? marks[n++] : 0);
    ck_assert(memcmp(&loss, one, sizeof loss) == 0);
    b.target_count = 0; // weights are -100 then, and what is wanted 0
    buffers[2] = unused;
    ck_assert(bertc_trainer_forward(t, &b, buffers, NULL, &none, &error));
    float squares = 0;
    for (int i = 0; i < 2 * TEXTS; i++) squares += logits[i] * logits[i] * 0.125f;
    near(&none, &squares, 1, "loss of nothing");
    near(&grid[1], &(float){marks[1] / 2 * -100}, 1, "marks of nothing");
    // As a model: forward alone, in as many calls as it takes; but a loss is of all texts.
    bertc_batch in = {BERTC_SIZED(bertc_batch), .batch = TEXTS, .length = LENGTH, .input_ids = grid_ids,
                      .attention_mask = grid_mask};
    float again[2 * TEXTS];
    float *some[4] = {again, NULL, NULL, NULL};
    ck_assert_msg(bertc_run(bertc_trainer_session(t), &in, some, NULL, &error), "%s", error.message);
    ck_assert(memcmp(again, logits, sizeof again) == 0);
    bertc_trainer_close(t);
}
END_TEST

// A whole step, its parts, and its texts one by one.
START_TEST(parts) {
    bertc_trainer *whole = opened(1), *apart = opened(1), *single = opened(3);
    bertc_train_batch b = without_padding();
    for (int step = 1; step <= 2; step++) {
        bertc_train_update u = update(step);
        float loss, norm, other, other_norm, sum = 0, single_norm;
        ck_assert(bertc_trainer_step(whole, &b, &u, &loss, &norm, &error));
        ck_assert(bertc_trainer_gradients(apart, &b, true, &other, &error));
        ck_assert(bertc_trainer_update(apart, &u, &other_norm, &error));
        ck_assert(!memcmp(&loss, &other, 4) && !memcmp(&norm, &other_norm, 4));
        for (int i = 0; i < TEXTS; i++) {
            int32_t own_bounds[2];
            bertc_target own;
            bertc_train_batch one = one_text(i, own_bounds, &own);
            ck_assert(bertc_trainer_gradients(single, &one, i == 0, &other, &error));
            sum += other;
        }
        ck_assert(bertc_trainer_update(single, &u, &single_norm, &error));
        near(&sum, &loss, 1, "loss");
        near(&single_norm, &norm, 1, "norm");
    }
    for (int i = 0; i < bertc_trainer_tensor_count(whole); i++) {
        bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
        int64_t n;
        ck_assert(bertc_trainer_tensor_describe(whole, i, &x, &error));
        const float *w = read_one(whole, x.name, &n), *v = read_one(apart, x.name, &n);
        ck_assert_msg(!memcmp(w, v, sizeof *w * (size_t)n), "%s", x.name);
        near(read_one(single, x.name, &n), w, n, x.name);
    }
    bertc_trainer_close(whole);
    bertc_trainer_close(apart);
    bertc_trainer_close(single);
}
END_TEST

// Gradients that someone else adds up count, wherever they come from.
START_TEST(gradient_memory) {
    bertc_trainer *t = opened(1), *other = opened(1);
    bertc_train_batch b = without_padding();
    bertc_train_update u = update(1);
    int64_t count, n;
    float norm, twice;
    ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error) &&
              bertc_trainer_gradients(other, &b, true, NULL, &error));
    float *memory = bertc_trainer_gradient_memory(t, &count);
    ck_assert(memory && count >= 514);
    for (int64_t i = 0; i < count; i++) memory[i] += memory[i];
    ck_assert(bertc_trainer_update(t, &u, &twice, &error) && bertc_trainer_update(other, &u, &norm, &error));
    norm *= 2;
    near(&twice, &norm, 1, "norm");
    // What is written is what the next step begins with.
    float *bias = read_one(t, "classifier.bias", &n);
    bias[0] = 42;
    ck_assert(bertc_trainer_tensor_write(t, bertc_trainer_tensor_find(t, "classifier.bias"), bias, &error));
    ck_assert_float_eq(read_one(t, "classifier.bias", &n)[0], 42);
    bertc_trainer_close(t);
    bertc_trainer_close(other);
}
END_TEST

typedef struct seen_pieces {
    bertc_trainer *trainer;
    float *memory, *copy;
    int whole, calls;
} seen_pieces;

// What is whole is copied, and spoilt where it lies: nothing may read or write it again in the call.
static void take_pieces(void *user, int whole) {
    seen_pieces *seen = user;
    int64_t first, n;
    ck_assert_int_ge(whole, seen->whole);
    for (int i = seen->whole; i < whole; i++) {
        ck_assert(bertc_trainer_gradient_piece(seen->trainer, i, &first, &n));
        for (int64_t k = first; k < first + n; k++) {
            seen->copy[k] = seen->memory[k];
            seen->memory[k] = NAN;
        }
    }
    seen->whole = whole;
    seen->calls++;
}

// Pieces are all of the memory, once, and are whole when the hook says so; with `least` it is called less often.
START_TEST(gradient_pieces) {
    bertc_trainer *alone = opened(1);
    bertc_train_batch b = without_padding();
    int64_t count, first, n, sum = 0;
    ck_assert(bertc_trainer_gradients(alone, &b, true, NULL, &error));
    float *want = bertc_trainer_gradient_memory(alone, &count);
    int piece_count = 0;
    for (; bertc_trainer_gradient_piece(alone, piece_count, &first, &n); piece_count++) sum += n;
    ck_assert(piece_count >= 2 && sum == count);
    ck_assert(!bertc_trainer_gradient_piece(alone, -1, &first, &n));
    for (int threads = 1; threads <= 3; threads++) {
        for (int64_t least = 0; least <= count; least += count) {
            bertc_trainer *t = opened(threads);
            seen_pieces seen = {.trainer = t, .memory = bertc_trainer_gradient_memory(t, NULL)};
            seen.copy = calloc((size_t)count, sizeof *seen.copy);
            ck_assert(bertc_trainer_on_gradients(t, take_pieces, &seen, least, &error));
            ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error));
            ck_assert_int_eq(seen.whole, piece_count);
            ck_assert(!memcmp(seen.copy, want, (size_t)count * sizeof *want));
            ck_assert(least ? seen.calls == 1 : seen.calls > 1);
            for (int64_t k = 0; k < count; k++) ck_assert(isnan(seen.memory[k]));
            ck_assert(bertc_trainer_on_gradients(t, NULL, NULL, 0, &error));
            ck_assert(bertc_trainer_gradients(t, &b, true, NULL, &error));
            ck_assert(!memcmp(seen.memory, want, (size_t)count * sizeof *want));
            free(seen.copy);
            bertc_trainer_close(t);
        }
    }
    ck_assert(!bertc_trainer_on_gradients(alone, take_pieces, NULL, -1, &error));
    bertc_trainer_close(alone);
}
END_TEST

// What is saved is what is read, kind by kind; a file that can't be written leaves the one of before.
START_TEST(saves) {
    static const char *const names[] = {"classifier.bias", "gradient.classifier.weight",
                                        "exp_avg_sq.classifier.weight"};
    bertc_trainer *t = opened(1);
    bertc_train_batch b = without_padding();
    bertc_train_update u = update(1);
    char folder[] = "/tmp/bertc-trainer-XXXXXX", path[64];
    ck_assert(bertc_trainer_step(t, &b, &u, NULL, NULL, &error) && mkdtemp(folder));
    snprintf(path, sizeof path, "%s/saved.safetensors", folder);
    for (int kind = 0; kind < 3; kind++) {
        ck_assert_msg(bertc_trainer_save(t, path, (bertc_tensor_kind)kind, &error), "%s", error.message);
        safetensors *file = safetensors_open(path, &d);
        ck_assert_msg(file != NULL, "%s", d.count ? d.items[0].text : "");
        const char *dtype;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        int rank;
        int64_t n;
        const float *want = read_one(t, names[kind], &n);
        ck_assert(safetensors_entry(file, names[kind], &dtype, &rank, &shape, &data, &bytes));
        ck_assert(!strcmp(dtype, "F32") && bytes == (size_t)n * 4 && !memcmp(data, want, bytes));
        ck_assert(!safetensors_entry(file, names[(kind + 1) % 3], &dtype, &rank, &shape, &data, &bytes));
        safetensors_close(file);
    }
    ck_assert(!bertc_trainer_save(t, "/nowhere/x", BERTC_TENSOR_PARAMETER, &error) &&
              strstr(error.message, "/nowhere/x"));
    ck_assert(!bertc_trainer_save(t, folder, BERTC_TENSOR_PARAMETER, &error) &&
              strstr(error.message, folder));
    ck_assert(!bertc_trainer_save(t, path, (bertc_tensor_kind)7, &error) &&
              strstr(error.message, "kind 7 is none"));
    ck_assert(!bertc_trainer_save(t, NULL, BERTC_TENSOR_PARAMETER, &error));
    // A full disk: a limit on the size of files.
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
        bool ok = bertc_trainer_save(t, path, BERTC_TENSOR_PARAMETER, &error);
        _exit(ok || !strstr(error.message, path));
    }
    int status = -1;
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
    safetensors *file = safetensors_open(path, &d);
    ck_assert_msg(file != NULL, "the file of before is gone");
    safetensors_close(file);
    bertc_trainer_close(t);
    ck_assert(unlink(path) == 0 && rmdir(folder) == 0); // nothing else is there
}
END_TEST

static void parallel_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    for (int64_t i = n - 1; i >= 0; i--) body(context, i);
    ++*(int *)user;
}

// All that training changes, after some steps.
static float *after_steps(bertc_trainer *t, int64_t *size) {
    float *all = ARENA_ARRAY(a, float, 1 << 14);
    *size = 0;
    for (int step = 1; step <= 3; step++) {
        bertc_train_batch b = without_padding();
        bertc_train_update u = update(step);
        ck_assert(bertc_trainer_step(t, &b, &u, all + *size, all + *size + 1, &error));
        *size += 2;
    }
    for (int i = 0; i < bertc_trainer_tensor_count(t); i++) {
        bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
        ck_assert(bertc_trainer_tensor_describe(t, i, &x, &error));
        ck_assert_int_lt(*size + x.count, 1 << 14);
        ck_assert(bertc_trainer_tensor_read(t, i, all + *size, &error));
        *size += x.count;
    }
    bertc_trainer_close(t);
    return all;
}

START_TEST(threads) {
    int64_t n, m;
    int calls = 0;
    const float *one = after_steps(opened(1), &n);
    for (int k = 2; k <= 5; k++)
        ck_assert(!memcmp(one, after_steps(opened(k), &m), sizeof *one * (size_t)n) && m == n);
    bertc_session_options o = {BERTC_SIZED(bertc_session_options), .threads = 3, .parallel = parallel_for,
                               .parallel_user = &calls};
    bertc_trainer *t = bertc_trainer_open(model, &o, &error);
    ck_assert_ptr_nonnull(t);
    ck_assert(!memcmp(one, after_steps(t, &m), sizeof *one * (size_t)n) && calls > 0);
}
END_TEST

// --- What is wrong

static void fails(bertc_trainer *t, const bertc_train_batch *b, const char *says) {
    bertc_train_update u = update(1);
    error.message[0] = 0;
    ck_assert_msg(!bertc_trainer_step(t, b, &u, NULL, NULL, &error), "%s", says);
    ck_assert_msg(strstr(error.message, says), "%s, not %s", error.message, says);
    error.message[0] = 0;
    ck_assert(!bertc_trainer_forward(t, b, NULL, NULL, NULL, &error) && strstr(error.message, says));
    ck_assert(!bertc_trainer_gradients(t, b, true, NULL, NULL));
}

#define WRONG(change, says)                                                                                  \
    do {                                                                                                     \
        bertc_train_batch b = without_padding();                                                             \
        bertc_target two[2] = {packed[0], packed[1]};                                                        \
        b.targets = two;                                                                                     \
        change;                                                                                              \
        fails(t, &b, says);                                                                                  \
    } while (0)

START_TEST(wrong_batches) {
    bertc_trainer *t = opened(1);
    int32_t bad_ids[TOKENS] = {101, 7, 9000}, empty[] = {0, 2, 2, 8}, later[] = {1, 2, 6, 8},
            none[TOKENS] = {0}, many[40] = {0}, long_bounds[] = {0, 17};
    WRONG(b.size = 3, "bertc_train_batch.size is 3");
    WRONG(b.batch = 0, "a batch of 0 texts");
    WRONG(b.input_ids = NULL, "input_ids is missing");
    WRONG((b.bounds = NULL, b.length = 0), "a grid of 3 x 0");
    WRONG(b.bounds = empty, "text 1: its bounds are 2 to 2, and hold no token");
    WRONG(b.bounds = later, "bounds begin with 1, not 0");
    WRONG(b.input_ids = bad_ids, "text 1, column 0: id 9000: the model has ids 0 to 8191");
    WRONG(b.attention_mask = none, "text 0: the mask shows nothing");
    WRONG((b.batch = 1, b.bounds = long_bounds, b.input_ids = many, b.target_count = 0),
          "more than one call takes");
    WRONG(two[1].name = "nobody", "the model has no target `nobody`");
    WRONG(two[1].name = NULL, "targets[1].name is NULL");
    WRONG(two[0].size = 4, "bertc_target.size is 4");
    WRONG(two[1].size = 24, "targets[1].size is 24");
    WRONG((two[1].integers = NULL, two[1].numbers = wanted), "target `weights` takes integers");
    WRONG((two[0].integers = weights), "target `wanted` takes numbers");
    WRONG(b.target_count = -1, "-1 targets");
    WRONG(b.targets = NULL, "targets is NULL");
    bertc_train_batch b = without_padding();
    fails(t, NULL, "batch is NULL");
    bertc_train_update u = update(0);
    ck_assert(!bertc_trainer_update(t, &u, NULL, &error) && strstr(error.message, "step 0"));
    u = update(1);
    u.rate = NAN;
    ck_assert(!bertc_trainer_step(t, &b, &u, NULL, NULL, &error) && strstr(error.message, "a rate of nan"));
    u = update(1);
    u.clip = -1;
    ck_assert(!bertc_trainer_update(t, &u, NULL, &error) && strstr(error.message, "a clip of -1"));
    ck_assert(!bertc_trainer_update(t, NULL, NULL, &error) && strstr(error.message, "update is NULL"));
    ck_assert(!bertc_trainer_update(NULL, &u, NULL, &error) && strstr(error.message, "trainer is NULL"));
    ck_assert(!bertc_trainer_tensor_read(t, 99, NULL, &error) && strstr(error.message, "tensor 99"));
    ck_assert_int_eq(bertc_trainer_tensor_find(t, "nobody"), -1);
    bertc_trainer_close(t);
    bertc_trainer_close(NULL);
    ck_assert(!bertc_trainer_open(NULL, NULL, &error) && strstr(error.message, "model is NULL"));
}
END_TEST

START_TEST(described) {
    char symbol;
    int64_t width;
    bool integers;
    ck_assert(bertc_model_trains(model) && !bertc_model_trains(NULL));
    ck_assert_str_eq(bertc_target_describe(model, 0, &symbol, &width, &integers), "wanted");
    ck_assert(symbol == 'S' && width == 2 && !integers);
    ck_assert_str_eq(bertc_target_describe(model, 1, &symbol, &width, &integers), "weights");
    ck_assert(symbol == 'T' && width == 1 && integers);
    ck_assert_ptr_null(bertc_target_describe(model, 2, NULL, NULL, NULL));
    bertc_trainer *t = opened(1);
    static const char *const names[] = {
        "classifier.bias",           "classifier.weight",          "exp_avg.classifier.bias",
        "exp_avg.classifier.weight", "exp_avg_sq.classifier.bias", "exp_avg_sq.classifier.weight",
        "gradient.classifier.bias",  "gradient.classifier.weight"};
    ck_assert_int_eq(bertc_trainer_tensor_count(t), 8);
    ck_assert_int_eq(bertc_parameter_count(model), 2);
    for (int i = 0; i < 8; i++) {
        bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
        ck_assert(bertc_trainer_tensor_describe(t, i, &x, &error));
        ck_assert_str_eq(x.name, names[i]);
        ck_assert_int_eq(x.kind, i < 2   ? BERTC_TENSOR_PARAMETER
                                 : i < 6 ? BERTC_TENSOR_OPTIMIZER
                                         : BERTC_TENSOR_GRADIENT);
        ck_assert(x.rank == 1 + i % 2 && x.count == (i % 2 ? 512 : 2));
    }
    ck_assert(bertc_trainer_fits(t, 32, 2, 16) && !bertc_trainer_fits(t, 33, 2, 16) &&
              !bertc_trainer_fits(t, 17, 1, 17));
    bertc_trainer_close(t);
}
END_TEST

int main(void) {
    Suite *s = suite_create("trainer");
    TCase *t = tcase_create("trainer");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, steps);
    tcase_add_test(t, forward);
    tcase_add_test(t, parts);
    tcase_add_test(t, gradient_memory);
    tcase_add_test(t, gradient_pieces);
    tcase_add_test(t, saves);
    tcase_add_test(t, threads);
    tcase_add_test(t, wrong_batches);
    tcase_add_test(t, described);
    suite_add_tcase(s, t);
    return suite_status(s);
}
