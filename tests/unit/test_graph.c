// links: ir
// Arenas, diagnostics, types, the op table, building and copying graphs.
#include "text.h"

static arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

static size_t block_size(size_t i) {
    return i % 97 == 0 ? 100000 : i % 61;
}
static bool all_bytes(const unsigned char *p, size_t n, size_t byte) {
    for (size_t k = 0; k < n; k++)
        if (p[k] != (byte & 255)) return false;
    return true;
}

START_TEST(arenas) {
    unsigned char *blocks[2000];
    for (size_t i = 0; i < 2000; i++) {
        blocks[i] = arena_alloc(a, block_size(i));
        ck_assert(blocks[i] && (uintptr_t)blocks[i] % 16 == 0 && all_bytes(blocks[i], block_size(i), 0));
        memset(blocks[i], (int)i, block_size(i));
    }
    for (size_t i = 0; i < 2000; i++)
        ck_assert(all_bytes(blocks[i], block_size(i), i)); // nobody wrote into another's
    ck_assert_str_eq(arena_printf(a, "%d %s", 7, "x"), "7 x");
    ck_assert_str_eq(arena_strndup(a, "abc", 2), "ab");
}
END_TEST

START_TEST(diagnostics) {
    diag d;
    diag_init(&d);
    diag_note(&d, "a.json", "%d layers", 2);
    diag_note(&d, "a.json", "%d layers", 2); // is said once
    ck_assert(!diag_failed(&d));
    ck_assert(!diag_error(&d, NULL, "two\nlines\x7f"));
    for (int i = 0; i < 20; i++) diag_error(&d, "x", "%d", i);
    ck_assert(diag_failed(&d));
    ck_assert_int_eq(d.count, 22);
    ck_assert_int_eq(d.errors, 21);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    d.count = 2;
    diag_print(&d, out);
    d.count = 22;
    fclose(out);
    ck_assert_str_eq(text, "bertc: note: a.json: 2 layers\nbertc: error: two lines \n");
    free(text);
    diag_free(&d);
}
END_TEST

START_TEST(types) {
    char buf[128], small[8];
    type t = type_make(ELEM_BF16, 3, (dim[]){dim_sym(SYM_T), {SYM_S, 1}, {SYM_L, -2}});
    ck_assert_str_eq(type_print(&t, buf, sizeof(buf)), "bf16[T,S+1,L-2]");
    ck_assert_str_eq(type_print(&t, small, sizeof(small)), "bf16[T,");
    ck_assert_int_eq(type_count(&t), -1);
    bindings b = {.v = {[SYM_T] = 5, [SYM_S] = 2, [SYM_L] = 4}};
    ck_assert_int_eq(type_count_bound(&t, &b), 30);
    t = type_make(ELEM_F32, 2, (dim[]){dim_num(3), dim_num(4)});
    t.layout = LAYOUT_PACKED;
    ck_assert_str_eq(type_print(&t, buf, sizeof(buf)), "f32[3,4] packed");
    ck_assert_int_eq(type_count(&t), 12);
    type u = t;
    u.layout = LAYOUT_ROW;
    ck_assert(type_same_shape(&t, &u) && !type_eq(&t, &u));
    t = type_make(ELEM_F32, 2, (dim[]){dim_num(INT64_MAX), dim_num(2)});
    ck_assert_int_eq(type_count(&t), -1);
}
END_TEST

START_TEST(table) {
    bool required;
    for (int o = 0; o < OP_COUNT; o++) ck_assert_int_eq(op_find(op_name((op)o), strlen(op_name((op)o))), o);
    for (int i = 0; i < ATTR_COUNT; i++)
        ck_assert_int_eq(attr_find(attr_name((attr_id)i), strlen(attr_name((attr_id)i))), i);
    ck_assert_int_eq(op_find("addx", 3), OP_add);
    ck_assert_int_eq(op_find("ad", 2), OP_COUNT);
    ck_assert_int_eq(attr_find("", 0), ATTR_COUNT);
    ck_assert(op_takes(OP_constant, ATTR_at, &required) && !required);
    ck_assert(op_takes(OP_slice, ATTR_end, &required) && required);
    ck_assert(!op_takes(OP_slice, ATTR_eps, &required));
    ck_assert(!op_takes(OP_reduce_sum, ATTR_axis, &required)); // it has axes
}
END_TEST

START_TEST(attributes) {
    graph *g = graph_new(a, "g");
    node n = {.op = OP_slice};
    int64_t ints[] = {1, 2};
    node_set_attr(g, &n, attr_ints(a, ATTR_perm, 2, ints));
    node_set_attr(g, &n, attr_int(ATTR_axis, 3));
    node_set_attr(g, &n, attr_int(ATTR_axis, 4));
    ck_assert_int_eq(n.attr_count, 2);
    ck_assert_int_eq(n.attrs[0].id, ATTR_axis); // in the table's order, whatever the order of setting
    ck_assert_int_eq(node_attr(&n, ATTR_axis)->u.i, 4);
    ck_assert_ptr_null(node_attr(&n, ATTR_eps));
    ck_assert_ptr_ne(node_attr(&n, ATTR_perm)->u.ints, ints);
}
END_TEST

START_TEST(scalars) {
    graph *g = graph_new(a, "g");
    double x = 0;
    ck_assert(value_is_scalar(g, graph_scalar(g, 0.5), &x) && x == 0.5);
    float two[] = {1, 2};
    dim one = dim_num(1), n = dim_num(2);
    ck_assert(value_is_scalar(g, graph_constant_f32(g, "a", type_make(ELEM_F32, 1, &one), two), &x) &&
              x == 1);
    ck_assert(!value_is_scalar(g, graph_constant_f32(g, "b", type_make(ELEM_F32, 1, &n), two), &x));
    ck_assert(!value_is_scalar(g, graph_input(g, "c", type_make(ELEM_F32, 0, NULL)), &x));
}
END_TEST

// A copy shares nothing with what it was made from, which may be gone.
START_TEST(copies) {
    static const char *const text =
        "graph @g(%bounds: i32[S+1], %x: f32[T,16]) {\n"
        "  %w = constant -> f32[16,16] {recipe = concat(0, tensor(\"a\", f32[4,16]), scale(tensor(\"b\", "
        "f32[12,16]), 2))}\n"
        "  %g = constant -> f32[16] {value = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], at = "
        "64}\n"
        "  %4 = matmul %x, %w -> f32[T,16]\n"
        "  %5 = rms_norm %4, %g -> f32[T,16] {eps = 1e-06}\n"
        "  %y = per_sequence (%bounds; %p = %5) -> f32[T,16] {\n"
        "    yield fuse (%p) -> f32[L,16] {\n"
        "      %1 = transpose %p {perm = [1,0]}\n"
        "      %2 = matmul %p, %1\n"
        "      yield matmul %2, %p\n"
        "    }\n"
        "  }\n"
        "  output y = %y\n"
        "  output z = %4\n"
        "} {weight_bytes = 1024}\n"
        "variant a {isa = i, length = 1, sequences = 1, tokens = 1, row_tile = 1, arena_bytes = 512} {\n"
        "  %bounds at arena+0\n"
        "  %x at arena+64 ld 16 {tile = [8,48], splits = [rows[1,0], rows[0,0], rows[0,0], columns[0,3]]}\n"
        "  %4 at arena+128 ld 16\n"
        "  %5 at arena+192 ld 16\n"
        "  %y at arena+256 ld 16\n"
        "}\n";
    arena *first = arena_new();
    graph *g = graph_of(first, text), *copy = graph_clone(a, g);
    for (value v = 0; v < g->count; v++)
        if (g->nodes[v].input_count) g->nodes[v].inputs[0] = 99;
    arena_free(first);
    expect_text(copy, text);
}
END_TEST

START_TEST(reports_misfits) {
    graph *g = graph_new(a, "g");
    diag d;
    diag_init(&d);
    dim n[] = {dim_num(2), dim_num(3)};
    value x = graph_input(g, "x", type_make(ELEM_F32, 2, n));
    ck_assert_int_eq(graph_try_append(g, OP_matmul, 2, (value[]){x, x}, 0, NULL, "here", &d), VALUE_NONE);
    ck_assert_str_eq(d.items[0].text, "here: matmul (f32[2,3], f32[2,3]): the inner axes differ");
    ck_assert_int_eq(g->count, 1);
    diag_free(&d);
}
END_TEST

int main(void) {
    return RUN_TESTS("graph", setup, teardown, arenas, diagnostics, types, table, attributes, scalars, copies,
                     reports_misfits);
}
