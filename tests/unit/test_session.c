// links: runtime
// Sessions on a model by hand (toy.h): packing by the mask, positions, splitting, scattering, and what is
// refused.
#include <check.h>
#include <pthread.h>
#include <stdio.h>

#include "main.h"
#include "session_case.h"

START_TEST(packs_and_scatters) {
    run_case c = open_case(&plain, NULL);
    grid *g = grid_new(4, 9);
    put_row(g, 0, 0, 3, 10);
    put_row(g, 1, 0, 8, 20);
    put_row(g, 2, 0, 1, 30);
    put_row(g, 3, 0, 5, 40);
    g->mask[3 * 9 + 2] = 0; // a hole
    ck_assert_msg(grid_run(&c, g), "%s", g->error.message);
    check_grid(g);
    const int64_t *shape = g->tensors[TOY_ATTENTION].shape;
    ck_assert_int_eq(g->tensors[TOY_ATTENTION].rank, 4);
    ck_assert(shape[0] == 4 && shape[1] == 2 && shape[2] == 9 && shape[3] == 9);
    shape = g->tensors[TOY_LOGITS].shape;
    ck_assert(g->tensors[TOY_LOGITS].rank == 3 && shape[0] == 4 && shape[1] == 9 && shape[2] == 8);
    ck_assert(g->tensors[TOY_POOLER].rank == 2 && g->tensors[TOY_POOLER].shape[1] == 2);
    ck_assert_str_eq(g->tensors[TOY_HIDDEN].name, "last_hidden_state");
    grid_free(g);
    close_case(&c);
}
END_TEST

START_TEST(splits_batches_of_any_size) {
    run_case c = open_case(&plain, NULL);
    grid *g = grid_new(64, 33);
    for (int b = 0; b < 64; b++) put_row(g, b, 0, 1 + b * 7 % 32, 1 + b % 60);
    ck_assert_msg(grid_run(&c, g), "%s", g->error.message);
    check_grid(g);
    grid_free(g);
    close_case(&c);
}
END_TEST

// Left padding is fine where no wanted output reads column 0.
START_TEST(left_padding) {
    run_case c = open_case(&plain, NULL);
    grid *g = grid_new(1, 6);
    put_row(g, 0, 2, 4, 10);
    float hidden[6 * 4], *out[TOY_OUTPUTS] = {[TOY_HIDDEN] = hidden};
    bertc_batch in = {BERTC_SIZED(bertc_batch), 1, 6, g->ids, g->mask, NULL};
    ck_assert_msg(bertc_run(c.session, &in, out, NULL, &g->error), "%s", g->error.message);
    ck_assert(hidden[0] == 0 && hidden[2 * 4] == 10 && hidden[2 * 4 + 2] == 2 && hidden[2 * 4 + 1] == 0);
    ck_assert(!grid_run(&c, g));
    ck_assert_str_eq(g->error.message, "row 0: the mask hides column 0, which the model's head reads");
    grid_free(g);
    close_case(&c);
}
END_TEST

// RoBERTa's rule: ids that are not the pad are counted, pads get the pad's id, holes or not.
START_TEST(positions_by_count) {
    toy_options o = plain;
    o.rule = BERTC_POSITION_COUNT;
    o.pad_id = 1;
    o.position_start = 2;
    run_case c = open_case(&o, NULL);
    grid *g = grid_new(1, 6);
    const int32_t ids[] = {5, 1, 7, 8, 9, 1}, mask[] = {1, 1, 0, 1, 1, 0};
    const float want[] = {2, 1, 0, 4, 5, 0};
    memcpy(g->ids, ids, sizeof ids);
    memcpy(g->mask, mask, sizeof mask);
    ck_assert_msg(grid_run(&c, g), "%s", g->error.message);
    for (int i = 0; i < 6; i++) ck_assert_float_eq(g->out[TOY_HIDDEN][i * 4 + 2], want[i]);
    grid_free(g);
    close_case(&c);
}
END_TEST

static void expect_error(run_case *c, grid *g, const char *message) {
    ck_assert(!grid_run(c, g));
    ck_assert_str_eq(g->error.message, message);
}

START_TEST(refuses_what_does_not_fit) {
    run_case c = open_case(&plain, NULL);
    grid *g = grid_new(3, 40);
    for (int b = 0; b < 3; b++) put_row(g, b, 0, 5, 10);
    g->ids[40 + 3] = 100;
    expect_error(&c, g, "row 1, column 3: id 100: the model has ids 0 to 99");
    g->ids[40 + 3] = -1;
    expect_error(&c, g, "row 1, column 3: id -1: the model has ids 0 to 99");
    g->mask[40 + 3] = 0; // what is hidden is not looked at
    ck_assert(grid_run(&c, g));
    g->types[80 + 4] = 3;
    expect_error(&c, g, "row 2, column 4: type 3: the model has types 0 to 2");
    g->types[80 + 4] = 0;
    memset(g->mask + 40, 0, 40 * sizeof *g->mask);
    expect_error(&c, g, "row 1: the mask shows nothing");
    put_row(g, 1, 0, 35, 1);
    expect_error(&c, g, "row 1: 35 tokens, 3 more than the longest text that fits (32)");
    g->length = 100;
    memset(g->mask, 0, sizeof g->mask);
    for (int b = 0; b < 3; b++) put_row(g, b, 0, 5, 10);
    put_row(g, 2, 64, 1, 10);
    expect_error(&c, g, "row 2, column 64: position 64: the model has positions 0 to 63");
    grid_free(g);
    close_case(&c);
}
END_TEST

START_TEST(an_empty_batch) {
    run_case c = open_case(&plain, NULL);
    grid *g = grid_new(0, 5);
    ck_assert(grid_run(&c, g));
    ck_assert_int_eq(g->tensors[0].shape[0], 0);
    ck_assert_uint_eq(bertc_output_bytes(c.model, TOY_ATTENTION, 3, 5), 3 * 2 * 5 * 5 * 4);
    ck_assert_uint_eq(bertc_output_bytes(c.model, TOY_ATTENTION, INT64_MAX, INT64_MAX), SIZE_MAX);
    ck_assert_uint_eq(bertc_output_bytes(c.model, 9, 3, 5), 0);
    grid_free(g);
    close_case(&c);
}
END_TEST

// --- Bits: alone, among others, padded, split, on any threads

static void serial_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    ++*(int *)user;
    for (int64_t i = n - 1; i >= 0; i--) body(context, i);
}

START_TEST(same_bits_however_it_runs) {
    int calls = 0;
    const bertc_session_options how[] = {
        {BERTC_SIZED(bertc_session_options), .threads = 1},
        {BERTC_SIZED(bertc_session_options), .threads = 2},
        {BERTC_SIZED(bertc_session_options), .threads = 3},
        {BERTC_SIZED(bertc_session_options), .threads = 8},
        {BERTC_SIZED(bertc_session_options), .threads = 4, .parallel = serial_for, .parallel_user = &calls},
        {BERTC_SIZED(bertc_session_options), .threads = 3, .parallel = case_thread_for},
        {BERTC_SIZED(bertc_session_options), .threads = 2, .huge_pages = true}};
    float alone[2], hidden[7 * 4];
    for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
        run_case c = open_case(&plain, &how[k]);
        grid *one = grid_new(1, 7), *many = grid_new(9, 20);
        put_row(one, 0, 0, 7, 31);
        for (int b = 0; b < 9; b++) put_row(many, b, 0, b == 4 ? 7 : 3 + b, b == 4 ? 31 : 40 + b);
        for (int round = 0; round < 20; round++) {
            ck_assert(grid_run(&c, one) && grid_run(&c, many));
            if (k == 0 && round == 0) {
                memcpy(alone, one->out[TOY_POOLER], sizeof alone);
                memcpy(hidden, one->out[TOY_HIDDEN], sizeof hidden);
                ck_assert_float_ne(alone[0], 0);
            }
            ck_assert_mem_eq(alone, one->out[TOY_POOLER], sizeof alone);
            ck_assert_mem_eq(alone, many->out[TOY_POOLER] + 4 * 2, sizeof alone);
            ck_assert_mem_eq(hidden, one->out[TOY_HIDDEN], sizeof hidden);
            ck_assert_mem_eq(hidden, many->out[TOY_HIDDEN] + 4 * 20 * 4, sizeof hidden);
            check_grid(many);
        }
        grid_free(one);
        grid_free(many);
        close_case(&c);
    }
    ck_assert_int_gt(calls, 0);
}
END_TEST

static void *session_main(void *p) {
    bertc_model *model = p;
    bertc_session *s =
        bertc_open(model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2}, NULL);
    run_case c = {.model = model, .session = s};
    grid *g = grid_new(20, 11);
    for (int b = 0; b < 20; b++) put_row(g, b, 0, 1 + b % 11, 1 + b);
    for (int i = 0; i < 40; i++) {
        ck_assert(grid_run(&c, g));
        check_grid(g);
    }
    grid_free(g);
    bertc_close(s);
    return NULL;
}

START_TEST(two_sessions_at_once) {
    run_case c = open_case(&plain, NULL);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, session_main, c.model);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    close_case(&c);
}
END_TEST

#if defined(__x86_64__)
// The application's rounding and flushing modes do not reach the kernels, and are there again behind the
// call.
START_TEST(floating_point_modes) {
    const unsigned flush_and_truncate = 0x1f80 | 0x8040 | 0x6000;
    float bits[2][2];
    for (int k = 0; k < 2; k++) {
        run_case c = open_case(&plain, NULL);
        grid *g = grid_new(1, 7);
        put_row(g, 0, 0, 7, 31);
        if (k) __builtin_ia32_ldmxcsr(flush_and_truncate);
        bool ok = grid_run(&c, g);
        unsigned after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(0x1f80);
        ck_assert(ok);
        if (k) ck_assert_uint_eq(after & ~0x3fu, flush_and_truncate);
        memcpy(bits[k], g->out[TOY_POOLER], sizeof bits[k]);
        grid_free(g);
        close_case(&c);
    }
    ck_assert_mem_eq(bits[0], bits[1], sizeof bits[0]);
}
END_TEST
#endif

// --- Variants and the hook

typedef struct seen {
    int count, last;
    double flops;
    int64_t bytes;
    float first;
} seen;
static void see(void *user, const bertc_phase_event *e) {
    seen *s = user;
    ck_assert_int_eq(e->index, s->count % TOY_PHASES);
    ck_assert(e->seconds >= 0 && e->node == e->index);
    ck_assert(e->result_count == 1 && e->results[0] == e->result);
    if (e->index == 0) {
        ck_assert_str_eq(e->name, "embed");
        s->flops = e->flops;
        s->bytes = e->bytes;
        s->first = *(const float *)e->result;
    }
    s->count++;
}

START_TEST(hook_sees_each_phase) {
    seen s = {0};
    run_case c = open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2,
                                                            .hook = see, .hook_user = &s});
    grid *g = grid_new(2, 5);
    put_row(g, 0, 0, 5, 70);
    put_row(g, 1, 0, 2, 80);
    ck_assert(grid_run(&c, g));
    check_grid(g);
    ck_assert_int_eq(s.count, TOY_PHASES);
    ck_assert_double_eq(s.flops, 1 + 2 * 7 + 3 * (25 + 4));
    ck_assert_int_eq(s.bytes, 4 + 5 * 7);
    ck_assert_float_eq(s.first, 70);
    grid_free(g);
    close_case(&c);
}
END_TEST

static bool all_streamed(void) {
    return toy_fetches[TOY_POOLER][0] && toy_fetches[TOY_POOLER][1] && toy_fetches[TOY_ATTENTION][0] &&
           toy_fetches[TOY_ATTENTION][1];
}

// A thread's last task of a phase is told where its first task of the next phase that streams begins.
START_TEST(tells_what_is_streamed_next) {
    for (int threads = 1; threads <= 2; threads++) {
        memset(toy_fetches, 0, sizeof toy_fetches);
        toy_wrong_fetches = 0;
        toy_pause = 200000; // so that each thread comes to its own task
        run_case c = open_case(
            &plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads});
        grid *g = grid_new(1, 16);
        put_row(g, 0, 0, 16, 70);
        // As often as it takes a second thread, on a machine that is busy, to come to its tasks.
        for (int i = 0; i < 20 || (threads == 2 && i < 5000 && !all_streamed()); i++)
            ck_assert(grid_run(&c, g));
        check_grid(g);
        ck_assert_int_eq(toy_wrong_fetches, 0);
        toy_pause = 0;
        // one text: task 0 is the first thread's, task 1 the second one's
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(toy_fetches[TOY_POOLER][i] > 0, threads == 2);
            ck_assert_int_eq(toy_fetches[TOY_ATTENTION][i] > 0, threads == 2);
        }
        grid_free(g);
        close_case(&c);
    }
}
END_TEST

START_TEST(takes_the_best_instruction_set_that_runs) {
    const toy_variant sets[] = {{"none_s8", 1ull << 62, 8, 8, "none", NULL, 2},
                                {"none_s32", 1ull << 62, 32, 32, "none", NULL, 2},
                                {"toy_s8", 0, 8, 8},
                                {"toy_s16", 0, 16, 16},
                                {"toy_s24", 0, 24, 48}};
    toy_options o = {.variants = sets, .variant_count = 5};
    run_case c = open_case(&o, NULL);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(c.model, &info, NULL);
    ck_assert_str_eq(info.isa_names, "toy");
    ck_assert(info.variant_count == 3 && info.max_length == 24 && info.max_batch == 2 &&
              info.output_count == TOY_OUTPUTS);
    ck_assert_str_eq(bertc_model_json(c.model), "{\"toy\": true}");
    ck_assert_str_eq(bertc_output_name(c.model, TOY_LOGITS), "logits");
    ck_assert_ptr_null(bertc_output_name(c.model, TOY_OUTPUTS));
    ck_assert_ptr_null(bertc_label(c.model, 0));
    close_case(&c);

    bertc_error error;
    o.variant_count = 2;
    blob b = toy_memory(o);
    ck_assert_ptr_null(bertc_load_memory(b.data, NULL, &error));
    ck_assert_str_eq(error.message, "it needs the CPU feature number 62, which this version does not know");
    free(b.data);
}
END_TEST

START_TEST(weights_from_the_caller) {
    blob b = toy_memory(plain);
    _Alignas(64) float zero[16] = {0};
    run_case c = {.model = bertc_load_memory(b.data, zero, NULL)};
    c.session = bertc_open(c.model, NULL, NULL);
    grid *g = grid_new(1, 3);
    put_row(g, 0, 0, 3, 10);
    ck_assert(grid_run(&c, g));
    ck_assert_float_eq(g->out[TOY_POOLER][0], 12 * 0.1f); // the sum times 0, but for the last
    bertc_error error;
    ck_assert_ptr_null(bertc_load_memory(b.data, zero + 1, &error));
    ck_assert_str_eq(error.message, "the weights do not start at a multiple of 64");
    grid_free(g);
    bertc_close(c.session);
    bertc_unload(c.model);
    free(b.data);
}
END_TEST

int main(void) {
    Suite *s = suite_create("session");
    TCase *t = tcase_create("session");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, packs_and_scatters);
    tcase_add_test(t, splits_batches_of_any_size);
    tcase_add_test(t, left_padding);
    tcase_add_test(t, positions_by_count);
    tcase_add_test(t, refuses_what_does_not_fit);
    tcase_add_test(t, an_empty_batch);
    tcase_add_test(t, same_bits_however_it_runs);
    tcase_add_test(t, two_sessions_at_once);
#if defined(__x86_64__)
    tcase_add_test(t, floating_point_modes);
#endif
    tcase_add_test(t, hook_sees_each_phase);
    tcase_add_test(t, tells_what_is_streamed_next);
    tcase_add_test(t, takes_the_best_instruction_set_that_runs);
    tcase_add_test(t, weights_from_the_caller);
    suite_add_tcase(s, t);
    return suite_status(s);
}
