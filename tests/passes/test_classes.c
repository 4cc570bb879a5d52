// links: passes ir
// Modules: what comes before the weights are laid out runs once a model; then each arithmetic class has a
// graph, and equal constants of all have one place.
#include "bert.h"
#include "evaluate.h"
#include "fixture.h"
#include "main.h"
#include "passes/passes.h"

static const bert small = {.hidden = 20,
                           .heads = 2,
                           .inner = 36,
                           .vocab = 31,
                           .positions = 16,
                           .labels = 3,
                           .layers = 2,
                           .head = HEAD_CLS};
static const char *const classes[] = {"avx2", "vnni", "dot"};

static module *made(const char *list, pass_stage last, int class_count, FILE *report) {
    module *m = module_alone(memory, bert_graph(memory, &weights, &small));
    pass_context c = {
        .diag = &errors, .verify = true, .report = report, .classes = classes, .class_count = class_count};
    bool ok = passes_run_to(m, last, list, &c);
    diag_print(&errors, stderr);
    ck_assert(ok && module_verify(m, "test", &errors));
    return m;
}

static char *text_of(const graph *g) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    graph_print(g, NULL, out);
    fclose(out);
    return text;
}

static int count_of(const char *text, const char *word) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) n++;
    return n;
}

START_TEST(one_graph_a_class_over_one_run_of_weights) {
    char *report = NULL;
    size_t size;
    FILE *out = open_memstream(&report, &size);
    const module *one = made(NULL, STAGE_PACKED, 0, NULL), *many = made(NULL, STAGE_PACKED, 3, out);
    fclose(out);
    ck_assert_int_eq(one->graph_count, 1);
    ck_assert_str_eq(graph_class(one->graphs[0]), "f32");
    ck_assert_int_eq(many->graph_count, 3);
    for (int i = 0; i < 3; i++) {
        graph *g = many->graphs[i];
        ck_assert_str_eq(graph_class(g), classes[i]);
        ck_assert_ptr_eq(module_find(many, classes[i]), g);
        ck_assert_int_eq(g->weight_bytes, one->graphs[0]->weight_bytes);
        // All is as in the one graph, places too.
        char *want = text_of(one->graphs[0]);
        graph_set_class(g, "f32");
        char *got = text_of(g);
        ck_assert_str_eq(got, want);
        free(want);
        free(got);
    }
    ck_assert_int_eq(count_of(report, "fuse_norm\n"), 1);
    ck_assert_int_eq(count_of(report, "assign_layouts, class "), 3);
    ck_assert_int_eq(count_of(report, "pack_weights, class dot\n"), 1);
    free(report);
}
END_TEST

START_TEST(classes_begin_where_weights_are_laid_out) {
    ck_assert_int_eq(made(NULL, STAGE_FUSED, 3, NULL)->graph_count, 1);
    ck_assert_int_eq(made("canonicalize,fuse_norm", STAGE_PACKED, 3, NULL)->graph_count, 1);
    ck_assert_int_eq(made("canonicalize,pack_weights", STAGE_PACKED, 2, NULL)->graph_count, 2);
    const module *one = made(NULL, STAGE_PACKED, 1, NULL);
    ck_assert_int_eq(one->graph_count, 1);
    ck_assert_str_eq(graph_class(one->graphs[0]), "avx2");
    // One that has its places stays one: each target runs it.
    module *m = made(NULL, STAGE_PACKED, 0, NULL);
    pass_context c = {.diag = &errors, .verify = true, .classes = classes, .class_count = 3};
    ck_assert(passes_run_to(m, STAGE_PACKED, "pack_weights", &c));
    ck_assert_int_eq(m->graph_count, 1);
    ck_assert_ptr_eq(module_find(m, "vnni"), m->graphs[0]);
}
END_TEST

// --- Places: what one graph alone has stands behind what it shares.

static module *parsed(const char *text) {
    module *m = module_parse(memory, "test", text, strlen(text), &errors);
    diag_print(&errors, stderr);
    ck_assert(m != NULL);
    return m;
}

#define HEAD(class)  "graph @g class " class "(%x: f32[T,32]) {\n"
#define TENSOR(name) "  %" name " = constant -> f32[32,32] {recipe = tensor(\"" name "\", f32[32,32])}\n"

static int64_t at_of(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->name && !strcmp(n->name, name)) return node_attr(n, ATTR_at)->u.i;
    }
    ck_abort_msg("no %s", name);
    return -1;
}

START_TEST(equal_constants_have_one_place) {
    module *m = parsed(HEAD("a") TENSOR("u") TENSOR("v")                                  //
                       "  %y = matmul %x, %u\n  %z = matmul %y, %v\n  output z = %z\n}\n" //
                       HEAD("b") TENSOR("own") TENSOR("v") TENSOR("u")                    //
                       "  %again = constant -> f32[32,32] {recipe = tensor(\"own\", f32[32,32])}\n"
                       "  %row = constant -> f32[32,32] {recipe = tensor(\"u\", f32[32,32])}\n"
                       "  %r = concat %x, %x {axis = 1}\n  %c = concat %row, %own {axis = 0}\n"
                       "  %w = matmul %r, %c\n  %s = matmul %w, %again\n"
                       "  %y = matmul %s, %u\n  %z = matmul %y, %v\n  output z = %z\n}\n");
    pass_context c = {.diag = &errors, .verify = true};
    ck_assert(passes_run_module(m, "assign_layouts,pack_weights", &c));
    ck_assert(module_verify(m, "test", &errors));
    const graph *a = m->graphs[0], *b = m->graphs[1];
    ck_assert_int_eq(at_of(a, "u"), 0);
    ck_assert_int_eq(at_of(a, "v"), 4096);
    ck_assert_int_eq(at_of(b, "u"), 0);
    ck_assert_int_eq(at_of(b, "v"), 4096);
    // Row-major ones of the second graph alone; a packed one lies elsewhere than the same tensor row-major.
    ck_assert_int_ge(at_of(b, "row"), 8192);
    ck_assert_int_ge(at_of(b, "own"), 8192);
    ck_assert_int_ne(at_of(b, "row"), at_of(b, "own"));
    ck_assert_int_ge(at_of(b, "again"), 8192);
    ck_assert_int_eq(a->weight_bytes, 5 * 4096 + 64);
    ck_assert_int_eq(b->weight_bytes, a->weight_bytes);
}
END_TEST

// --- Errors

START_TEST(what_is_missing_is_named) {
    module *m = parsed("graph class avx2(%x: f32[T,4]) {\n  output y = %x\n}\n"
                       "graph class vnni(%x: f32[T,4]) {\n  output y = %x\n}\n");
    ck_assert(!module_find(m, "dot"));
    ck_assert(!module_pick(m, "dot", "neoverse-n1", &errors));
    ck_assert_str_eq(errors.items[0].text,
                     "neoverse-n1: there is no graph of class dot: there are avx2, vnni");
    pass_context c = {.diag = &errors, .verify = true};
    ck_assert(passes_run(m->graphs[0], "pack_weights", &c));
    m->graphs[0]->weight_bytes = 128;
    ck_assert(!module_verify(m, "after a pass", &errors));
}
END_TEST

START_TEST(graphs_of_two_stages_are_refused) {
    module *m = made(NULL, STAGE_PACKED, 2, NULL);
    pass_context c = {.diag = &errors, .verify = true, .target = &(target)TARGET_AVX512};
    ck_assert_int_eq(passes_add_variant(m->graphs[1], 8, 1, &c), 0);
    ck_assert(!passes_run_to(m, STAGE_PACKED, NULL, &c));
    ck_assert_str_eq(errors.items[0].text, "the graphs: are of different stages: class avx2 is packed, and "
                                           "class vnni is final");
}
END_TEST

int main(void) {
    Suite *s = suite_create("classes");
    TCase *t = tcase_create("classes");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, one_graph_a_class_over_one_run_of_weights);
    tcase_add_test(t, classes_begin_where_weights_are_laid_out);
    tcase_add_test(t, equal_constants_have_one_place);
    tcase_add_test(t, what_is_missing_is_named);
    tcase_add_test(t, graphs_of_two_stages_are_refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
