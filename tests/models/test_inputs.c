// links: cli
// Inputs that a caller may give beside ids: refused where the model takes none, or where a value is outside
// of its tables; and what stands where none are given.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "case_path.h"
#include "main.h"
#include "models/reference.h"

enum { LENGTH = 6 };
static const int32_t ids[2 * LENGTH] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

typedef struct run_of {
    opened m;
    diag d;
    bertc_session *s;
    bertc_error error;
    float *out;
} run_of;

static run_of open_case(const char *name) {
    run_of r = {.out = calloc(1 << 16, sizeof(float))};
    diag_init(&r.d);
    must_diag(opened_open(&r.m, case_home(name), &(build_options){.batch = 2, .optimise = 0}, &r.d), &r.d,
              name);
    r.s = bertc_open(r.m.model, NULL, &r.error);
    ck_assert_ptr_nonnull(r.s);
    return r;
}

static void close_case(run_of *r) {
    bertc_close(r->s);
    opened_close(&r->m);
    diag_free(&r->d);
    free(r->out);
}

static bool runs(run_of *r, bertc_batch b) {
    float *buffers[8] = {r->out};
    b.batch = 2;
    b.length = LENGTH;
    b.input_ids = ids;
    return bertc_run(r->s, &b, buffers, NULL, &r->error);
}

static void refuses(run_of *r, bertc_batch b, const char *message) {
    ck_assert(!runs(r, b));
    ck_assert_str_eq(r->error.message, message);
}

START_TEST(that_a_model_lacks) {
    int32_t zeros[2 * LENGTH * 4] = {0};
    run_of r = open_case("bert-base-model");
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .bbox = zeros}, "the model takes no bbox");
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .task_type_ids = zeros},
            "the model takes no task_type_ids");
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .global_attention_mask = zeros},
            "the model takes no global_attention_mask");
    int32_t positions[2 * LENGTH] = {0, 79, 3};
    ck_assert(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .position_ids = positions}));
    positions[1] = 80;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .position_ids = positions},
            "row 0, column 1: position 80: the model has positions 0 to 79");
    positions[1] = -1;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .position_ids = positions},
            "row 0, column 1: position -1: the model has positions 0 to 79");
    close_case(&r);
}
END_TEST

START_TEST(positions_behind_the_pad) { // RoBERTa's go up to the last row of its table
    SKIP_WITHOUT("roberta-model");
    run_of r = open_case("roberta-model");
    int32_t positions[2 * LENGTH] = {81};
    ck_assert_msg(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .position_ids = positions}), "%s",
                  r.error.message);
    positions[0] = 82;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .position_ids = positions},
            "row 0, column 0: position 82: the model has positions 0 to 81");
    close_case(&r);
}
END_TEST

START_TEST(tasks_in_their_table) {
    run_of r = open_case("ernie-model");
    int32_t tasks[2 * LENGTH] = {0}, mask[2 * LENGTH] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};
    ck_assert(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch)}));
    float first = r.out[0];
    ck_assert(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .task_type_ids = tasks}));
    ck_assert(r.out[0] == first); // none given: zeros
    tasks[11] = 3;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .task_type_ids = tasks},
            "row 1, column 5: task_type_ids: 3 is outside of what the model has");
    ck_assert(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .task_type_ids = tasks,
                                     .attention_mask = mask})); // not looked at
    close_case(&r);
}
END_TEST

START_TEST(boxes_on_their_page) {
    SKIP_WITHOUT("layoutlm-model");
    run_of r = open_case("layoutlm-model");
    int32_t boxes[2 * LENGTH * 4] = {1, 2, 1023, 4};
    ck_assert_msg(runs(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .bbox = boxes}), "%s", r.error.message);
    boxes[3] = 1;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .bbox = boxes},
            "row 0, column 0: bbox: a height of -1 is outside of what the model has");
    boxes[3] = 2;
    boxes[2] = 1024;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .bbox = boxes},
            "row 0, column 0: bbox: 1024 is outside of what the model has");
    boxes[2] = INT32_MIN;
    boxes[0] = INT32_MAX;
    refuses(&r, (bertc_batch){BERTC_SIZED(bertc_batch), .bbox = boxes},
            "row 0, column 0: bbox: 2147483647 is outside of what the model has");
    close_case(&r);
}
END_TEST

// FNet reads tokens that the mask hides: they change what is shown, have no output, and must be good.
START_TEST(hidden_tokens) {
    run_of r = open_case("fnet-all");
    int32_t mask[2 * LENGTH] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1}, other[2 * LENGTH];
    enum { WIDTH = 12, HIDDEN = 10 * WIDTH };
    float *buffers[8] = {r.out};
    bertc_batch b = {BERTC_SIZED(bertc_batch), 2, LENGTH, other, mask, NULL};
    memcpy(other, ids, sizeof(other));
    ck_assert(bertc_run(r.s, &b, buffers, NULL, &r.error));
    float first = r.out[0], shown = r.out[11 * WIDTH];
    for (int i = 0; i < WIDTH; i++) ck_assert(r.out[HIDDEN + i] == 0);
    other[10] = 20;
    ck_assert(bertc_run(r.s, &b, buffers, NULL, &r.error));
    ck_assert(r.out[0] == first && r.out[11 * WIDTH] != shown);
    other[10] = 37;
    ck_assert(!bertc_run(r.s, &b, buffers, NULL, &r.error));
    ck_assert_str_eq(r.error.message, "row 1, column 4: id 37: the model has ids 0 to 36");
    close_case(&r);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("given inputs");
    TCase *c = tcase_create("given inputs");
    tcase_add_test(c, that_a_model_lacks);
    tcase_add_test(c, positions_behind_the_pad);
    tcase_add_test(c, tasks_in_their_table);
    tcase_add_test(c, boxes_on_their_page);
    tcase_add_test(c, hidden_tokens);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
