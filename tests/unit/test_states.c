// links: ir
// States in the graph: evaluation from call to call, the rewriter's order, recipes run backwards.
#include "text.h"

static arena *a;
static diag d;

static void setup(void) {
    a = arena_new();
    diag_init(&d);
}
static void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

// --- Tensors: element n of each is n.

enum { ELEMENTS = 240 };
static float numbers[ELEMENTS];
static uint16_t halves[ELEMENTS];

static bool find(void *context, const char *name, tensor_view *out) {
    const struct {
        const char *name;
        tensor_view view;
    } tensors[] = {{"w", {ELEM_F32, 2, {5, 3}, numbers}},
                   {"b", {ELEM_F32, 1, {3}, numbers}},
                   {"h", {ELEM_BF16, 2, {4, 6}, halves}},
                   {"u", {ELEM_F32, 2, {2, 6}, numbers}},
                   {"cube", {ELEM_F32, 3, {2, 3, 4}, numbers}}};
    (void)context;
    for (int i = 0; i < ELEMENTS; i++) {
        uint32_t bits;
        numbers[i] = (float)i;
        memcpy(&bits, &numbers[i], sizeof bits);
        halves[i] = (uint16_t)(bits >> 16);
    }
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        if (strcmp(name, tensors[i].name)) continue;
        *out = tensors[i].view;
        return true;
    }
    return false;
}
static const tensor_source source = {NULL, find};

// --- Evaluation

static const char *const counting =
    "graph @count(%x: f32[T,5], %rate: f32[]) {\n"
    "  %w = constant -> f32[5,3] {recipe = tensor(\"w\", f32[5,3]), trainable}\n"
    "  %b = constant -> f32[3] {recipe = tensor(\"b\", f32[3]), trainable}\n"
    "  %4 = matmul %x, %w\n"
    "  %y = add %4, %b\n"
    "  %5 = constant 1\n"
    "  %w.next = fuse (%w) -> f32[5,3] {\n"
    "    %1 = constant 1\n"
    "    %2 = add %w, %1\n"
    "    yield assign %w, %2\n"
    "  }\n"
    "  %6 = add %b, %rate\n"
    "  %b.next = assign %b, %6\n"
    "  %z = add %y, %b.next\n"
    "  output y = %y\n"
    "  output z = %z\n"
    "}\n";

// Outputs see the states as they were, and what was assigned where they say so; the next call goes on from there.
START_TEST(calls) {
    graph *g = graph_of(a, counting);
    tensor *states = ARENA_ARRAY(a, tensor, g->count), results[2];
    float x[] = {1, 0, 0, 0, 0}, rate = 0.5f;
    const eval_input in[] = {{"x", {ELEM_F32, 2, {1, 5}, x}}, {"rate", {ELEM_F32, 0, {0}, &rate}}};
    eval_options o = {.source = &source, .input_count = 2, .inputs = in, .states = states};
    value w = named(g, "w"), b = named(g, "b");
    for (int call = 0; call < 3; call++) {
        ck_assert_msg(graph_eval(g, &o, a, results, &d), "%s", d.count ? d.items[0].text : "");
        const float *y = results[0].data, *z = results[1].data;
        for (int j = 0; j < 3; j++) {
            float bias = (float)j + 0.5f * (float)call;
            ck_assert_float_eq(y[j], (float)j + (float)call + bias);
            ck_assert_float_eq(z[j], y[j] + bias + 0.5f);
        }
        for (int i = 0; i < 15; i++) ck_assert_float_eq(((float *)states[w].data)[i], (float)(i + call + 1));
        ck_assert_float_eq(((float *)states[b].data)[2], 2.5f + 0.5f * (float)call);
        ck_assert(states[w].rank == 2 && states[w].shape[0] == 5 && states[b].rank == 1);
    }
    o.states = NULL; // a caller that keeps none begins anew
    ck_assert(graph_eval(g, &o, a, results, &d));
    ck_assert_float_eq(((float *)results[0].data)[1], 2);
}
END_TEST

// --- The rewriter

// A reader that a pass appends is sorted before the assign; the assign stays without a reader.
START_TEST(readers_come_first) {
    graph *g = graph_of(a, counting);
    rewriter *r = rewriter_begin(g);
    value product = graph_node(g, named(g, "y"))->inputs[0];
    value again = graph_op2(g, OP_matmul, graph_node(g, product)->inputs[0], named(g, "w"));
    replace_all_uses(r, named(g, "y"), graph_op1(g, OP_neg, again));
    ck_assert_int_eq(rewriter_end(r), 1);
    ck_assert_msg(graph_verify(g, "test", &d), "%s", d.count ? d.items[0].text : "");
    value writer = graph_writer_of(g, named(g, "w"));
    ck_assert_int_eq(writer, named(g, "w.next"));
    ck_assert_int_eq(graph_state_of(g, writer), named(g, "w"));
    for (value v = 0; v < g->count; v++) ck_assert(g->nodes[v].op != OP_matmul || v < writer);
}
END_TEST

// Nobody reads it: it stays. A pass that replaces it has the last word.
START_TEST(effects) {
    graph *g = graph_of(a, "graph @g(%x: f32[T,3], %dead: f32[T,3]) {\n"
                           "  %b = constant -> f32[3] {recipe = tensor(\"b\", f32[3]), trainable}\n"
                           "  %3 = neg %b\n"
                           "  %b.next = assign %b, %3\n"
                           "  %5 = neg %dead\n"
                           "  output y = %x\n"
                           "}\n");
    rewriter_end(rewriter_begin(g));
    ck_assert_int_eq(g->count, 5); // %5 is gone
    rewriter *r = rewriter_begin(g);
    fuse_ops(r, 2, (value[]){3, 4}, 1, (value[]){4});
    rewriter_end(r);
    ck_assert_msg(graph_verify(g, "test", &d), "%s", d.count ? d.items[0].text : "");
    ck_assert_int_eq(g->count, 4);
    ck_assert(g->nodes[3].op == OP_fuse && node_writes(&g->nodes[3], 0) == 0 &&
              node_has_effect(&g->nodes[3]));
    ck_assert_str_eq(g->nodes[3].name, "b.next");
}
END_TEST

// --- Recipes backwards

static const char *const movable[] = {
    "tensor(\"w\", f32[5,3])",
    "transpose(tensor(\"w\", f32[5,3]))",
    "transpose(cast(tensor(\"h\", bf16[4,6]), f32))",
    "concat(1, transpose(tensor(\"u\", f32[2,6])), transpose(slice(cast(tensor(\"h\", bf16[4,6]), f32), 0, "
    "0, 1)))",
    "concat(0, slice(cast(tensor(\"h\", bf16[4,6]), f32), 0, 2, 4), slice(cast(tensor(\"h\", bf16[4,6]), "
    "f32), 0, 0, 2))",
    "slice(concat(0, tensor(\"u\", f32[2,6]), cast(tensor(\"h\", bf16[4,6]), f32)), 0, 1, 4)",
    "slice(transpose(concat(0, tensor(\"u\", f32[2,6]), cast(tensor(\"h\", bf16[4,6]), f32))), 1, 1, 4)",
    "reshape(tensor(\"cube\", f32[2,3,4]), [6,4])",
    "reshape(transpose(reshape(tensor(\"cube\", f32[2,3,4]), [1,24])), [4,6])",
    "slice(tensor(\"cube\", f32[2,3,4]), 0, 1, 2)",
    "concat(0, tensor(\"cube\", f32[2,3,4]), tensor(\"cube\", f32[2,3,4]))",
    "concat(0, tensor(\"b\", f32[3]), tensor(\"b\", f32[3]))",
};

static const recipe *recipe_of(const char *text) {
    char line[600];
    snprintf(line, sizeof line,
             "graph @g(%%x: f32[T,3]) {\n  %%r = constant {recipe = %s}\n  output y = %%x\n}\n", text);
    return node_attr(graph_node(graph_of(a, line), 1), ATTR_recipe)->u.recipe;
}

// Each element of the result is in one part, and is the element of the tensor that the part says.
START_TEST(moves) {
    const recipe *r = recipe_of(movable[_i]);
    recipe_move *parts;
    int n = recipe_moves(r, a, &parts);
    ck_assert_int_gt(n, 0);
    int64_t count = type_count(&r->type), columns = r->type.rank == 2 ? r->type.d[1].n : count;
    float *out = ARENA_ARRAY(a, float, count);
    int *seen = ARENA_ARRAY(a, int, count);
    ck_assert(recipe_run(r, &source, out, &d));
    for (int p = 0; p < n; p++)
        for (int64_t i = 0; i < parts[p].rows; i++)
            for (int64_t j = 0; j < parts[p].columns; j++) {
                int64_t to = (parts[p].row + i) * columns + parts[p].column + j;
                int64_t from = parts[p].first + i * parts[p].row_step + j * parts[p].column_step;
                ck_assert(to >= 0 && to < count);
                ck_assert_float_eq(out[to], (float)from);
                seen[to]++;
            }
    for (int64_t i = 0; i < count; i++) ck_assert_int_eq(seen[i], 1);
}
END_TEST

static const char *const unmovable[] = {
    "scale(tensor(\"w\", f32[5,3]), 2)",
    "slice(tensor(\"w\", f32[5,3]), 1, 0, 2)",
    "slice(transpose(tensor(\"w\", f32[5,3])), 0, 0, 2)",
    "tensor(\"h\", bf16[4,6])",
    "cast(tensor(\"w\", f32[5,3]), bf16)",
    "cast(cast(tensor(\"w\", f32[5,3]), bf16), f32)",
    "cast(tensor(\"d\", f64[5,3]), f32)",
    "reshape(transpose(tensor(\"w\", f32[5,3])), [15])",
    "slice(tensor(\"cube\", f32[2,3,4]), 1, 0, 2)",
    "concat(2, tensor(\"cube\", f32[2,3,4]), tensor(\"cube\", f32[2,3,4]))",
    "diagonal(tensor(\"u\", f32[2,6]), 2)",
    "cos(f32[4,2], 10000)",
    "sum(tensor(\"w\", f32[5,3]), tensor(\"b\", f32[3]))",
};

START_TEST(no_moves) {
    recipe_move *parts;
    ck_assert_int_eq(recipe_moves(recipe_of(unmovable[_i]), a, &parts), 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("states");
    TCase *c = tcase_create("states");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, calls);
    tcase_add_test(c, readers_come_first);
    tcase_add_test(c, effects);
    tcase_add_loop_test(c, moves, 0, sizeof movable / sizeof *movable);
    tcase_add_loop_test(c, no_moves, 0, sizeof unmovable / sizeof *unmovable);
    suite_add_tcase(s, c);
    return suite_status(s);
}
