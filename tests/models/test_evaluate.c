// links: cli hub passes backend runtime ir
// The figures of a session of one's own (training's) are those of the command: labels with groups and swapped words, pairs, queries.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/evaluate/evaluate.h"
#include "main.h"

static arena *memory;
static diag d;

// The figures by one session of two threads, and those by two sessions of one.
static void both_ways(const char *model, const char *data, metric_list *by_session,
                      metric_list *by_sessions) {
    opened m;
    bertc_error e;
    evaluate_options o;
    build_options way = {.dtype = "f32", .lengths = {1, {32}}, .batch = 1, .mcpu = "native", .optimise = 0};
    char path[4096];
    diag_init(&d);
    memory = arena_new();
    snprintf(path, sizeof path, "%s/%s", BERTC_TESTS, model);
    ck_assert(opened_open(&m, path, &way, &d));
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = 2};
    bertc_session *s = bertc_open(m.model, &so, &e);
    ck_assert_ptr_nonnull(s);
    evaluate_defaults(&o);
    o.data = data;
    o.threads = 2;
    *by_session = *by_sessions = (metric_list){0};
    ck_assert(evaluate_session(s, m.model, &o, by_session, memory, &d));
    ck_assert(evaluate_session(NULL, m.model, &o, by_sessions, memory, &d));
    ck_assert(!diag_failed(&d));
    bertc_close(s);
    opened_close(&m);
    diag_free(&d);
}

static void same_figures(const metric_list *a, const metric_list *b) {
    ck_assert_int_gt(a->count, 0);
    ck_assert_int_eq(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        double x = a->v[i].value, y = b->v[i].value;
        ck_assert_str_eq(a->v[i].name, b->v[i].name);
        ck_assert_msg(x == y || (isnan(x) && isnan(y)), "%s: %.9g and %.9g", a->v[i].name, x, y);
    }
    arena_free(memory);
}

static const char *write_lines(const char *text) {
    static char path[] = "/tmp/bertc-evaluate-XXXXXX";
    strcpy(path, "/tmp/bertc-evaluate-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (long)strlen(text));
    close(fd);
    return path;
}

START_TEST(labels) {
    metric_list a, b;
    both_ways("../examples/models/mini-sst2", BERTC_TESTS "/../examples/reviews.jsonl", &a, &b);
    ck_assert_str_eq(a.v[0].name, "accuracy");
    ck_assert_double_eq(a.v[0].value, 0.875);
    same_figures(&a, &b);
}
END_TEST

START_TEST(pairs) {
    metric_list a, b;
    const char *path =
        write_lines("{\"a\": \"the cat\", \"b\": \"a cat\", \"score\": 4}\n{\"a\": \"sea\", \"b\": \"the old "
                    "house\", \"score\": 1}\n{\"a\": \"x\", \"b\": \"river\", \"score\": 0}\n");
    both_ways("models/answers/st-static", path, &a, &b);
    unlink(path);
    ck_assert_str_eq(a.v[0].name, "spearman");
    same_figures(&a, &b);
}
END_TEST

START_TEST(queries) {
    metric_list a, b;
    const char *path =
        write_lines("{\"query\": \"the cat\", \"positive\": \"the cat\"}\n{\"query\": \"sea\", \"positive\": "
                    "[\"the sea\", \"river\"], \"negative\": \"x\"}\n");
    both_ways("models/answers/st-static", path, &a, &b);
    unlink(path);
    ck_assert_str_eq(a.v[0].name, "ndcg@1");
    ck_assert_double_gt(metric_find(&a, "mrr"), 0.5);
    same_figures(&a, &b);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("evaluate");
    TCase *t = tcase_create("sessions");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, labels);
    tcase_add_test(t, pairs);
    tcase_add_test(t, queries);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
