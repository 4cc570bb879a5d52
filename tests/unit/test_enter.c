// links: runtime hub ir
// What each thread calls before its first and after its last task (bertc_variant.enter, .leave): on the session's own
// threads, under the caller's parallel_for, with a hook, and where a call fails midway.
#include <check.h>
#include <math.h>

#include "main.h"
#include "session_case.h"
#include "toy_task.h"

enum { CALLS = 200, BODIES = 4 };

static void start(void) {
    toy_counts = true;
    toy_enters = toy_leaves = toy_outside = 0;
}

// Every task's thread had entered once, and what was entered is left.
static void check_counts(void) {
    ck_assert_int_eq(toy_outside, 0);
    ck_assert_int_gt(toy_enters, 0);
    ck_assert_int_eq(toy_enters, toy_leaves);
    ck_assert_int_eq(toy_inside, 0);
}

static void run_often(run_case *c) {
    grid *g = grid_new(3, 20); // two calls of the larger variant
    for (int b = 0; b < 3; b++) put_row(g, b, 0, 12 + b, 10 * b);
    for (int i = 0; i < CALLS; i++) {
        ck_assert_msg(grid_run(c, g), "%s", g->error.message);
        ck_assert_int_eq(toy_inside, 0); // of this thread
    }
    grid_free(g);
}

START_TEST(own_threads) {
    static const int threads[] = {1, 2, 5};
    run_case c = open_case(
        &plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads[_i]});
    run_often(&c);
    if (threads[_i] == 1) ck_assert_int_eq(toy_enters, 2 * CALLS);
    if (threads[_i] == 1) check_counts();
    close_case(&c); // a thread may have been late to leave
    check_counts();
    ck_assert_int_le(toy_enters, 2 * CALLS * threads[_i]);
}
END_TEST

static void serial_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    *(int64_t *)user += n;
    for (int64_t i = 0; i < n; i++) body(context, i);
}

static void thread_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    *(int64_t *)user += n;
    case_thread_for(NULL, n, body, context);
}

// Each body that got a task, of each phase.
START_TEST(bodies_of_parallel_for) {
    int64_t asked = 0;
    run_case c = open_case(
        &plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = BODIES,
                                         .parallel = _i ? thread_for : serial_for, .parallel_user = &asked});
    run_often(&c);
    check_counts();
    // One body, the first, does all of a phase where they run one after another; a phase of one task needs no body.
    ck_assert_int_ge(toy_enters, 2 * CALLS * TOY_PHASES);
    ck_assert_int_ge(asked + 2 * CALLS * TOY_PHASES, toy_enters);
    close_case(&c);
}
END_TEST

static void see(void *user, const bertc_phase_event *event) {
    (void)event;
    ++*(int *)user;
    toy_outside += toy_inside != 0; // the application's code runs as it was
}

START_TEST(with_a_hook) {
    int phases = 0;
    run_case c =
        open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = _i + 1,
                                                   .hook = see, .hook_user = &phases});
    run_often(&c);
    close_case(&c);
    check_counts();
    ck_assert_int_eq(phases, 2 * CALLS * TOY_PHASES);
    if (!_i) ck_assert_int_eq(toy_enters, 2 * CALLS * TOY_PHASES);
}
END_TEST

static float not_finite(int o, int32_t id, int64_t c) {
    (void)o, (void)c;
    if (toy_inside != 1) toy_outside++;
    return id == BAD ? NAN : 1;
}

// The second group's answer is not finite: the third is not run.
START_TEST(a_call_that_fails) {
    static const char *const labels[] = {"bad", "good", NULL};
    toy_logit = not_finite;
    head_model h =
        head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 2}, (head_output){0}, labels);
    bertc_error error = {""};
    bertc_session *s = bertc_open(
        h.model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = _i ? 3 : 1}, NULL);
    bertc_text texts[60];
    bertc_result r[60] = {BERTC_RESULT_INIT};
    for (int i = 0; i < 60; i++) texts[i] = head_text(i == 30 ? "bad" : "good", NULL);
    ck_assert(!bertc_answer_texts(s, texts, 60, NULL, r, &error));
    ck_assert_msg(strncmp(error.message, "text 31 of 60: ", 15) == 0, "%s", error.message);
    ck_assert_int_eq(toy_inside, 0);
    texts[30] = texts[0];
    ck_assert_msg(bertc_answer_texts(s, texts, 60, NULL, r, &error), "%s", error.message);
    bertc_close(s);
    check_counts();
    if (!_i) ck_assert_int_eq(toy_enters, 2 + 4); // groups of 16 texts
    head_close(&h);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("enter");
    TCase *t = tcase_create("enter");
    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, own_threads, 0, 3);
    tcase_add_loop_test(t, bodies_of_parallel_for, 0, 2);
    tcase_add_loop_test(t, with_a_hook, 0, 3);
    tcase_add_loop_test(t, a_call_that_fails, 0, 2);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
