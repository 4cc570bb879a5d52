// Graphs from text and back, for tests.
#ifndef BERTC_TESTS_TEXT_H
#define BERTC_TESTS_TEXT_H
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"
#include "main.h"

static inline graph *graph_of(arena *a, const char *text) {
    diag d;
    diag_init(&d);
    graph *g = graph_parse(a, "test", text, strlen(text), &d);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    diag_free(&d);
    return g;
}

// The caller frees it.
static inline char *text_of(const graph *g) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    graph_print(g, NULL, out);
    fclose(out);
    return text;
}

static inline void expect_text(const graph *g, const char *want) {
    diag d;
    diag_init(&d);
    ck_assert_msg(graph_verify(g, "test", &d), "%s", d.count ? d.items[0].text : "");
    diag_free(&d);
    char *text = text_of(g);
    ck_assert_msg(!strcmp(text, want), "expected\n%s\ngot\n%s", want, text);
    free(text);
}

static inline value named(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (g->nodes[v].name && !strcmp(g->nodes[v].name, name)) return v;
    ck_abort_msg("no value is called %s", name);
    return VALUE_NONE;
}

static inline int run_tests(const char *name, void (*before)(void), void (*after)(void),
                            const TTest *const *tests, size_t n) {
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    if (before) tcase_add_checked_fixture(c, before, after);
    for (size_t i = 0; i < n; i++) tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    return suite_status(s);
}
#define RUN_TESTS(name, before, after, ...)                                                                  \
    run_tests(name, before, after, (const TTest *[]){__VA_ARGS__},                                           \
              sizeof((const TTest *[]){__VA_ARGS__}) / sizeof(const TTest *))

#endif
