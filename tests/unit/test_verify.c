// links: ir
// The verifier on graphs that only a program can make; those that text can make stand in tests/ir/error_*.ir.
#include "text.h"

static arena *a;
static graph *g;
static diag d;

static const char *const good =
    "graph @g(%bounds: i32[S+1], %x: f32[T,16]) {\n"
    "  %w = constant -> f32[16,16] packed {recipe = pack(tensor(\"w\", f32[16,16]))}\n"
    "  %3 = matmul %x, %w -> f32[T,16]\n"
    "  %y = per_sequence (%bounds; %p = %3) -> f32[T,16] {\n"
    "    yield neg %p\n"
    "  }\n"
    "  output y = %y\n"
    "}\n"
    "variant a {isa = i, length = 4, sequences = 6, tokens = 6, row_tile = 4, arena_bytes = 1600} {\n"
    "  %bounds at arena+0\n"
    "  %x at arena+64 ld 16\n"
    "  %3 at arena+576 ld 16\n"
    "  %y at arena+1088 ld 16\n"
    "}\n";

static void setup(void) {
    a = arena_new();
    diag_init(&d);
    g = graph_of(a, good);
}
static void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

static void expect_fault(const char *text) {
    ck_assert(!graph_verify(g, "after test", &d));
    ck_assert_msg(!strcmp(d.items[0].text, text), "%s", d.items[0].text);
}

START_TEST(accepts) {
    ck_assert(graph_verify(g, "after test", &d));
    ck_assert_int_eq(d.count, 0);
}
END_TEST

START_TEST(order) {
    g->nodes[3].inputs[0] = 4;
    expect_fault("after test: @g: %3: an operand does not come before its use");
}
END_TEST
START_TEST(operand_out_of_range) {
    g->nodes[4].inputs[1] = -1;
    expect_fault("after test: @g: %4 (y): an operand does not come before its use");
}
END_TEST
START_TEST(unknown_op) {
    g->nodes[3].op = OP_COUNT;
    expect_fault("after test: @g: %3: no such op");
}
END_TEST
START_TEST(recorded_type) {
    g->nodes[3].type.d[1] = dim_num(15);
    expect_fault("after test: @g: %3: its type is f32[T,15] and should be f32[T,16]");
}
END_TEST
START_TEST(packed_result) {
    g->nodes[3].type = g->nodes[2].type;
    expect_fault("after test: @g: %3: only constants and results of pack can be packed");
}
END_TEST
START_TEST(names_twice) {
    graph_name(g, 3, "y");
    expect_fault("after test: @g: two nodes are named y");
}
END_TEST
START_TEST(output_out_of_range) {
    g->outputs[0].value = 5;
    expect_fault("after test: @g: an output is not a value of the graph");
}
END_TEST
START_TEST(body_of_another_op) {
    g->nodes[3].body = g->nodes[4].body;
    expect_fault("after test: @g: %3: matmul (f32[T,16], f32[16,16] packed): can't have a body");
}
END_TEST
START_TEST(param_type) {
    g->nodes[4].body->nodes[0].type.d[1] = dim_num(8);
    expect_fault("after test: @g: %4: per_sequence (i32[S+1], f32[T,16]): a param has another type than its "
                 "operand, cut to a "
                 "sequence");
}
END_TEST
START_TEST(in_a_body) {
    g->nodes[4].body->nodes[1].inputs[0] = 1;
    expect_fault("after test: @body: %1: an operand does not come before its use");
}
END_TEST
START_TEST(needless_attribute) {
    node_set_attr(g, &g->nodes[3], attr_float(ATTR_eps, 1));
    expect_fault("after test: @g: %3: matmul: has no attribute eps");
}
END_TEST
START_TEST(recipe_of_another_shape) {
    g->nodes[2].type.d[0] = dim_num(17);
    expect_fault("after test: @g: %2 (w): the recipe makes another type");
}
END_TEST

// --- Places: six tokens in tiles of four take eight rows of 64 bytes.

START_TEST(whole_tiles) {
    g->variants[0].arena_bytes = 1599;
    expect_fault("after test: @g: %4 (y): variant a: offset 1088, stride 16 don't fit an arena of 1599");
}
END_TEST
START_TEST(overlap_in_the_tile) {
    g->variants[0].places[4].offset = 1024; // the two rows of %3 that no token fills
    expect_fault("after test: @g: %3: variant a: it overlaps %4 in the arena while both live");
}
END_TEST
START_TEST(shares_what_is_dead) {
    g->variants[0].places[4].offset = 64; // of %x, which nobody reads any more
    ck_assert(graph_verify(g, "after test", &d));
}
END_TEST
START_TEST(bounds_take_no_tile) {
    g->variants[0].sequences = 15;
    ck_assert(graph_verify(g, "after test", &d));
    g->variants[0].sequences = 16; // 17 bounds are 68 bytes
    expect_fault("after test: @g: %0 (bounds): variant a: it overlaps %1 in the arena while both live");
}
END_TEST
START_TEST(narrow_stride) {
    g->variants[0].places[3].ld = 15;
    expect_fault("after test: @g: %3: variant a: offset 576, stride 15 don't fit an arena of 1600");
}
END_TEST
START_TEST(unaligned) {
    g->variants[0].places[1].offset = 32;
    expect_fault("after test: @g: %1 (x): variant a: offset 32, stride 16 don't fit an arena of 1600");
}
END_TEST
START_TEST(row_tile) {
    g->variants[0].row_tile = 0;
    expect_fault("after test: @g: a variant's row tile is below 1");
}
END_TEST
START_TEST(no_places) {
    g->variants[0].places = NULL;
    expect_fault("after test: @g: a variant lacks its name, ISA, places or schedules");
}
END_TEST

int main(void) {
    return RUN_TESTS("verify", setup, teardown, accepts, order, operand_out_of_range, unknown_op,
                     recorded_type, packed_result, names_twice, output_out_of_range, body_of_another_op,
                     param_type, in_a_body, needless_attribute, recipe_of_another_shape, whole_tiles,
                     overlap_in_the_tile, shares_what_is_dead, bounds_take_no_tile, narrow_stride, unaligned,
                     row_tile, no_places);
}
