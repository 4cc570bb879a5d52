// links: backend ir llvm
// Which nodes share one function: those that differ in nothing that code may stand on (backend/emit/emit.h,
// kernel_site).
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/codegen.h"
#include "main.h"

#define WIDTH 32

// a = x + b, c = a + b, d = x + x, e = x * 2, f = x * 3, g = gelu, h = gelu by tanh, n = mean of each
// sequence
enum { X, BOUNDS, B, A, C, D, TWO, THREE, E, F, G, H, N, COUNT };

typedef struct setup {
    arena *arena;
    graph *g;
    target target;
    variant variant;
    diag diag;
} setup;

static value gelu(graph *g, value x, const char *how) {
    attr a = attr_word(ATTR_approximation, how);
    return graph_append(g, OP_gelu, 1, &x, 1, &a);
}

static value means(setup *s) {
    graph *body = graph_new(s->arena, NULL);
    dim d[] = {dim_sym(SYM_L), dim_num(WIDTH)};
    value x = graph_param(body, "x", type_make(ELEM_F32, 2, d));
    attr axes = attr_ints(s->arena, ATTR_axes, 1, (int64_t[]){0});
    graph_output_add(body, NULL, graph_append(body, OP_reduce_mean, 1, &x, 1, &axes));
    return graph_region(s->g, OP_per_sequence, 2, (value[]){BOUNDS, X}, body, 1);
}

static void open_setup(setup *s) {
    *s = (setup){.arena = arena_new()};
    diag_init(&s->diag);
    ck_assert(target_init(&s->target, "x86_64-linux-gnu", "x86-64-v3", PRECISION_F32, &s->diag));
    graph *g = s->g = graph_new(s->arena, "g");
    dim d[] = {dim_sym(SYM_T), dim_num(WIDTH)}, bounds = {SYM_S, 1}, n = dim_num(WIDTH);
    float zeros[WIDTH] = {0};
    graph_input(g, "x", type_make(ELEM_F32, 2, d));
    graph_input(g, "bounds", type_make(ELEM_I32, 1, &bounds));
    graph_constant_f32(g, "b", type_make(ELEM_F32, 1, &n), zeros);
    graph_op2(g, OP_add, X, B);
    graph_op2(g, OP_add, A, B);
    graph_op2(g, OP_add, X, X);
    graph_scalar(g, 2);
    graph_scalar(g, 3);
    graph_op2(g, OP_mul, X, TWO);
    graph_op2(g, OP_mul, X, THREE);
    gelu(g, X, "none");
    gelu(g, X, "tanh");
    ck_assert_int_eq(means(s), N);
    graph_name(g, C, "named");
    variant *v = &s->variant;
    *v = (variant){
        .name = "v", .isa = s->target.isa, .length = 16, .sequences = 16, .tokens = 16, .row_tile = 6};
    v->schedules = ARENA_ARRAY(s->arena, schedule, COUNT);
    v->places = ARENA_ARRAY(s->arena, place, COUNT);
    for (int i = 0; i < COUNT; i++) v->places[i] = (place){PLACE_ARENA, 4096 * i, WIDTH};
}

static void close_setup(setup *s) {
    diag_free(&s->diag);
    arena_free(s->arena);
}

static bool same(setup *s, value a, const variant *va, value b, const variant *vb) {
    kernel_site x = {s->g, va, a}, y = {s->g, vb, b};
    kernel_key p = codegen_key(s->arena, &x, &s->target), q = codegen_key(s->arena, &y, &s->target);
    return p.size == q.size && memcmp(p.bytes, q.bytes, p.size) == 0;
}

START_TEST(nodes) {
    setup s;
    open_setup(&s);
    const variant *v = &s.variant;
    ck_assert(same(&s, A, v, C, v));  // names and offsets
    ck_assert(!same(&s, A, v, D, v)); // types of operands
    ck_assert(!same(&s, E, v, F, v)); // scalar literals
    ck_assert(!same(&s, G, v, H, v)); // attributes
    ck_assert(!same(&s, D, v, E, v)); // ops
    s.variant.schedules[C].splits[1].block_rows = 8;
    ck_assert(!same(&s, A, v, C, v));
    s.variant.schedules[A].splits[1].block_rows = 8;
    ck_assert(same(&s, A, v, C, v));
    s.variant.places[C].ld = 48; // C's result
    ck_assert(!same(&s, A, v, C, v));
    close_setup(&s);
}
END_TEST

START_TEST(variants) {
    setup s;
    open_setup(&s);
    variant other = s.variant;
    other.name = "other";
    other.tokens = other.sequences = 64;
    for (value v = A; v <= N; v++) {
        if (v != TWO && v != THREE) ck_assert(same(&s, v, &s.variant, v, &other));
    }
    other.length = 64;
    ck_assert(same(&s, A, &s.variant, A, &other));
    ck_assert(!same(&s, N, &s.variant, N, &other)); // what looks across a text may stand on its length
    other.row_tile = 8;
    ck_assert(!same(&s, A, &s.variant, A, &other));
    close_setup(&s);
}
END_TEST

// A region that yields exp x, x + x and x x.
static value three(setup *s) {
    graph *body = graph_new(s->arena, NULL);
    dim d[] = {dim_sym(SYM_T), dim_num(WIDTH)};
    value x = graph_param(body, "x", type_make(ELEM_F32, 2, d));
    graph_output_add(body, NULL, graph_op1(body, OP_exp, x));
    graph_output_add(body, NULL, graph_op2(body, OP_add, x, x));
    graph_output_add(body, NULL, graph_op2(body, OP_mul, x, x));
    return graph_region(s->g, OP_fuse, 1, &(value){X}, body, 0);
}

START_TEST(results) {
    setup s;
    open_setup(&s);
    value a = three(&s), a1 = graph_result(s.g, a, 1), b = three(&s), b1 = graph_result(s.g, b, 1);
    value c = three(&s), none = three(&s);
    graph_result(s.g, c, 2);
    variant *v = &s.variant;
    v->schedules = ARENA_ARRAY(s.arena, schedule, s.g->count);
    v->places = ARENA_ARRAY(s.arena, place, s.g->count);
    for (int i = 0; i < s.g->count; i++) v->places[i] = (place){PLACE_ARENA, 4096 * i, WIDTH};
    ck_assert(same(&s, a, v, b, v));
    ck_assert(!same(&s, a, v, c, v)); // which yields are read
    ck_assert(!same(&s, a, v, none, v));
    v->places[b1].ld = 48; // of the second result
    ck_assert(!same(&s, a, v, b, v));
    v->places[a1].ld = 48;
    ck_assert(same(&s, a, v, b, v));
    close_setup(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("codegen_key");
    TCase *t = tcase_create("codegen_key");
    tcase_add_test(t, nodes);
    tcase_add_test(t, variants);
    tcase_add_test(t, results);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
