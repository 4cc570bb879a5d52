// links: hub passes backend runtime ir
// The trainer (bertc_train.h) on tests/cli/teach.ir over the bundled checkpoint: steps as the evaluator makes them, the parts of
// a call apart, batches with and without padding, equal bits on any number of threads, and what is wrong with a batch.
#include "main.h"
#include "trainer_case.h"

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
    tcase_add_test(t, threads);
    tcase_add_test(t, wrong_batches);
    tcase_add_test(t, described);
    suite_add_tcase(s, t);
    return suite_status(s);
}
