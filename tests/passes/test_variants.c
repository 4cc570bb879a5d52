// links: passes ir
// What runs once a variant: places, register tiles, task splits.
#include "bert.h"
#include "evaluate.h"
#include "fixture.h"
#include "main.h"
#include "passes/passes.h"
#include "passes/plan/cost.h"

static const target avx512 = TARGET_AVX512;
static const target avx2 = {.isa = "avx2",
                            .vector_floats = 8,
                            .vector_registers = 16,
                            .fma = true,
                            .l1_bytes = 32768,
                            .l2_bytes = 1 << 20,
                            .l3_bytes = 32 << 20,
                            .product_count = 1,
                            .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 6, 16, STEP_FMA, 1, 57}},
                            .memory_gbs = 20};
static const target sse2 = {.isa = "generic",
                            .vector_floats = 4,
                            .vector_registers = 16,
                            .l1_bytes = 32768,
                            .l2_bytes = 1 << 18,
                            .l3_bytes = 4 << 20,
                            .product_count = 1,
                            .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 2, 16, STEP_MUL_ADD, 1, 10}},
                            .memory_gbs = 10};
static const target neon = {.isa = "neon",
                            .vector_floats = 4,
                            .vector_registers = 32,
                            .fma = true,
                            .l1_bytes = 65536,
                            .l2_bytes = 1 << 20,
                            .l3_bytes = 32 << 20,
                            .product_count = 1,
                            .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 6, 16, STEP_FMA, 1, 40}},
                            .memory_gbs = 20};

static const bert base = {
    .hidden = 768, .heads = 12, .inner = 3072, .vocab = 30522, .positions = 512, .labels = 2, .layers = 2};
static const bert odd = {.hidden = 60,
                         .heads = 5,
                         .inner = 71,
                         .vocab = 101,
                         .positions = 40,
                         .labels = 3,
                         .layers = 3,
                         .head = HEAD_BOTH,
                         .hidden_states = true,
                         .attentions = true};

static graph *prepared(const bert *b, const char *list) {
    graph *g = bert_graph(memory, &weights, b);
    pass_context c = {.diag = &errors, .verify = true};
    bool ok = passes_run(g, list, &c);
    diag_print(&errors, stderr);
    ck_assert(ok);
    return g;
}

static const variant *added(graph *g, const target *t, int64_t length, int64_t batch) {
    pass_context c = {.diag = &errors, .verify = true, .target = t};
    int i = passes_add_variant(g, length, batch, &c);
    diag_print(&errors, stderr);
    ck_assert_int_ge(i, 0);
    return &g->variants[i];
}

static value first_matmul(const graph *g, int64_t n) {
    for (value v = 0; v < g->count; v++)
        if (graph_node(g, v)->op == OP_matmul && dim_is(graph_type(g, v)->d[1], n)) return v;
    ck_abort_msg("no matmul with %d columns", (int)n);
    return VALUE_NONE;
}

START_TEST(tiles_are_those_of_the_products) {
    graph *g = prepared(&base, "assign_layouts,pack_weights");
    const struct {
        const target *t;
        int rows, columns;
    } cases[] = {{&avx512, 8, 48}, {&avx2, 6, 16}, {&sse2, 2, 16}, {&neon, 6, 16}};
    for (int i = 0; i < 4; i++) {
        const variant *x = added(g, cases[i].t, 128, 1);
        const schedule *s = &x->schedules[first_matmul(g, 768)];
        ck_assert_int_eq(s->tile_rows, cases[i].rows);
        ck_assert_int_eq(s->tile_columns, cases[i].columns);
        ck_assert_int_eq(x->row_tile, cases[i].rows);
    }
}
END_TEST

// Tasks of a full call; blocks are whole tiles.
static int64_t tasks(const variant *x, value v, int thread_class, int64_t n) {
    const schedule *s = &x->schedules[v];
    task_split p = s->splits[thread_class];
    ck_assert_int_eq(p.block_rows % s->tile_rows, 0);
    ck_assert_int_eq(p.block_columns % s->tile_columns, 0);
    ck_assert_int_eq(p.form, p.block_columns ? FORM_COLUMNS : FORM_ROWS);
    int64_t outer = p.block_rows ? (x->tokens + p.block_rows - 1) / p.block_rows : 1;
    return outer * (p.block_columns ? (n + p.block_columns - 1) / p.block_columns : 1);
}

START_TEST(weights_stream_once_up_to_128_rows) {
    graph *g = prepared(&base, "assign_layouts,pack_weights");
    for (int64_t length = 32; length <= 128; length *= 4) {
        const variant *x = added(g, &avx512, length, 1);
        for (int64_t n = 768; n <= 3072; n *= 4) {
            ck_assert_int_eq(tasks(x, first_matmul(g, n), 0, n), 1);
            ck_assert_int_eq(tasks(x, first_matmul(g, n), 1, n) % 2, 0);
        }
    }
}
END_TEST

START_TEST(long_texts_go_in_blocks_of_about_128_rows) {
    graph *g = prepared(&base, "assign_layouts,pack_weights");
    for (int64_t length = 384; length <= 512; length += 128) {
        const variant *x = added(g, &avx512, length, 1);
        task_split s = x->schedules[first_matmul(g, 768)].splits[0];
        ck_assert_int_ge(s.block_rows, 96);
        ck_assert_int_le(s.block_rows, 128);
    }
}
END_TEST

START_TEST(every_class_has_tasks_for_its_threads) {
    graph *g = prepared(&base, "assign_layouts,pack_weights");
    for (int64_t length = 128; length <= 512; length *= 2) {
        const variant *x = added(g, &avx512, length, 1);
        for (int64_t n = 768; n <= 3072; n *= 4) {
            ck_assert_int_ge(tasks(x, first_matmul(g, n), 1, n), 2);
            ck_assert_int_ge(tasks(x, first_matmul(g, n), 2, n), 8);
            ck_assert_int_ge(tasks(x, first_matmul(g, n), 3, n), 32);
        }
    }
}
END_TEST

// The verifier holds places against each other; here: strides, alignment, room for the row tile.
START_TEST(places_have_room) {
    graph *g = prepared(&odd, "assign_layouts,pack_weights");
    const variant *x = added(g, &avx2, 13, 3);
    ck_assert_int_eq(x->tokens, 39);
    ck_assert_int_eq(x->sequences, 39);
    for (value v = 0; v < g->count; v++) {
        const type *t = graph_type(g, v);
        const place *p = &x->places[v];
        if (graph_node(g, v)->op == OP_constant) {
            ck_assert_int_eq(p->kind, PLACE_WEIGHT);
            continue;
        }
        ck_assert_int_eq(p->kind, PLACE_ARENA);
        ck_assert_int_eq(p->offset % 64, 0);
        if (t->rank < 2) continue;
        int64_t last = t->d[t->rank - 1].s == SYM_M ? 13 : t->d[t->rank - 1].n;
        ck_assert_int_eq(p->ld, (last + 15) / 16 * 16);
        int64_t rows = 42 * (t->rank == 3 ? t->d[1].n : 1);
        ck_assert_int_le(p->offset + rows * p->ld * 4, x->arena_bytes);
    }
}
END_TEST

START_TEST(memory_is_reused) {
    bert shallow = base, deep;
    shallow.hidden = 96;
    shallow.inner = 384;
    deep = shallow;
    deep.layers = 12;
    graph *g = prepared(&shallow, "assign_layouts,pack_weights"),
          *h = prepared(&deep, "assign_layouts,pack_weights");
    ck_assert_int_eq(added(g, &avx512, 128, 1)->arena_bytes, added(h, &avx512, 128, 1)->arena_bytes);
}
END_TEST

// A chain of `layers` matmuls, whose rows in between are of type `e`, with a chain of whole numbers beside it.
static graph *chain(elem e, int layers) {
    graph *g = graph_new(memory, "chain");
    dim rows[] = {dim_sym(SYM_T), dim_num(50)};
    int64_t axis = 1;
    attr to = {.id = ATTR_to, .u.e = e}, whole = {.id = ATTR_to, .u.e = ELEM_I32},
         back = {.id = ATTR_to, .u.e = ELEM_F32}, axes = {.id = ATTR_axes, .n = 1, .u.ints = &axis};
    value x = graph_input(g, "x", type_make(ELEM_F32, 2, rows)), counts = VALUE_NONE;
    value w = graph_constant_recipe(g, "w", test_tensor(&weights, "w", 2, (int64_t[]){50, 50}));
    value table = graph_constant_recipe(g, "table", test_tensor(&weights, "table", 2, (int64_t[]){9, 50}));
    for (int i = 0; i < layers; i++) {
        value h = graph_append(g, OP_cast, 1, &x, 1, &to);
        h = graph_append(g, OP_cast, 1, &h, 1, &back);
        value most = graph_append(g, OP_reduce_max, 1, &h, 1, &axes);
        value n = graph_append(g, OP_cast, 1, &most, 1, &whole);
        counts = counts == VALUE_NONE ? n : graph_op2(g, OP_add, counts, n);
        x = graph_op2(g, OP_matmul, h, w);
    }
    value most = graph_append(g, OP_reduce_max, 1, &x, 1, &axes);
    value ids = graph_reshape(g, graph_append(g, OP_cast, 1, &most, 1, &whole), 1, rows);
    x = graph_op2(g, OP_add, x, graph_op2(g, OP_gather, table, ids));
    graph_output_add(g, "y", graph_op2(g, OP_add, x, graph_append(g, OP_cast, 1, &counts, 1, &back)));
    return g;
}

static const variant *chain_variant(graph *g) {
    pass_context c = {.diag = &errors, .verify = true, .target = &avx512};
    ck_assert(passes_run(g, "pack_weights", &c));
    return added(g, &avx512, 128, 1);
}

// Bytes are shared within a kind: more layers need no more of them, whatever their rows are.
START_TEST(memory_is_reused_by_every_type) {
    static const elem rows[] = {ELEM_F32, ELEM_F16, ELEM_BF16};
    for (int i = 0; i < 3; i++) {
        const variant *few = chain_variant(chain(rows[i], 4)), *many = chain_variant(chain(rows[i], 40));
        ck_assert_int_eq(few->arena_bytes, many->arena_bytes);
    }
}
END_TEST

static int64_t end_of(const graph *g, const variant *x, value v) {
    const type *t = graph_type(g, v);
    return x->places[v].offset + x->tokens * x->places[v].ld * (int64_t)elem_size(t->e);
}

// Padding of one type is never read as another's; ids of a lookup share with nothing.
START_TEST(bytes_hold_values_of_one_kind) {
    graph *g = chain(ELEM_BF16, 12);
    const variant *x = chain_variant(g);
    const bool *index = places_find_indices(memory, g);
    int indices = 0;
    for (value v = 0; v < g->count; v++) {
        if (graph_node(g, v)->op == OP_constant) continue;
        elem e = graph_type(g, v)->e;
        indices += index[v];
        if (graph_type(g, v)->rank >= 2) ck_assert_int_eq(x->places[v].ld * (int64_t)elem_size(e) % 64, 0);
        for (value u = 0; u < v; u++) {
            if (graph_node(g, u)->op == OP_constant) continue;
            bool apart = end_of(g, x, u) <= x->places[v].offset || end_of(g, x, v) <= x->places[u].offset;
            if (e != graph_type(g, u)->e || index[v] || index[u]) ck_assert(apart);
        }
    }
    ck_assert_int_ge(indices, 2);           // the ids and what they are made of
    ck_assert(!index[g->outputs[0].value]); // never a float
}
END_TEST

START_TEST(weights_are_packed_and_placed) {
    graph *g = prepared(&odd, "assign_layouts,pack_weights");
    int64_t end = 0;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_matmul) ck_assert_int_eq(graph_type(g, n->inputs[1])->layout, LAYOUT_PACKED);
        if (n->op != OP_constant) continue;
        int64_t at = node_attr(n, ATTR_at)->u.i;
        ck_assert_int_eq(at, end);
        const attr *r = node_attr(n, ATTR_recipe);
        end = at + (int64_t)((r ? recipe_bytes(r->u.recipe) : sizeof(float)) + 63) / 64 * 64;
    }
    ck_assert_int_eq(g->weight_bytes, end + 64);
}
END_TEST

START_TEST(wrong_requests_are_errors) {
    graph *g = bert_graph(memory, &weights, &odd);
    pass_context c = {.diag = &errors, .verify = true, .target = &avx2};
    ck_assert(!passes_run(g, "assign_layouts,no_such_pass", &c));
    ck_assert(!passes_run(g, "assign_layouts,-pack_weights", &c));
    ck_assert(!passes_run(g, "schedule", &c));
    ck_assert_int_eq(passes_add_variant(g, 16, 1, &c), -1); // weights without places
    ck_assert(passes_run(g, "assign_layouts,pack_weights", &c));
    ck_assert_int_eq(passes_add_variant(g, 0, 1, &c), -1);
    ck_assert_int_eq(passes_add_variant(g, INT64_MAX, 2, &c), -1);
    ck_assert_int_eq(passes_add_variant(g, 16, 1, &c), 0);
    ck_assert_int_eq(passes_add_variant(g, 16, 1, &c), -1);
    c.target = NULL;
    ck_assert_int_eq(passes_add_variant(g, 16, 2, &c), -1);
    ck_assert_int_eq(errors.errors, 8);
    ck_assert_int_eq(g->variant_count, 1);
}
END_TEST

START_TEST(lists_and_prints) {
    char *text = NULL;
    size_t size = 0;
    graph *g = bert_graph(memory, &weights, &odd);
    int count = g->count;
    pass_context c = {.diag = &errors, .verify = true, .print_after = "merge_qkv"};
    ck_assert(passes_run(g, "", &c));
    ck_assert_int_eq(g->count, count);
    c.print_to = open_memstream(&text, &size);
    ck_assert(passes_run(g, "-fuse_norm,+fuse_mlp", &c));
    fclose(c.print_to);
    ck_assert_ptr_nonnull(strstr(text, "// after merge_qkv\ngraph @encoder"));
    ck_assert_ptr_null(strstr(text, "// after fuse_mlp"));
    free(text);
    for (value v = 0; v < g->count; v++)
        for (value u = 0; graph_node(g, v)->body && u < graph_node(g, v)->body->count; u++)
            if (graph_node(graph_node(g, v)->body, u)->op == OP_layer_norm)
                ck_assert_str_eq(graph_node(g, v)->name, "embeddings");
    c.print_after = "no_such_pass";
    ck_assert(!passes_run(g, "", &c));
    c.print_after = "schedule"; // leaves a variant half made, which has no text form
    ck_assert(!passes_run(g, "", &c));
}
END_TEST

// A product of 2-byte elements costs what one of 4-byte elements does where memory is twice as fast and caches
// are twice as large; a higher peak shows what memory costs.
START_TEST(splits_go_by_bytes_and_peaks_of_the_types) {
    const target slow = avx512;
    target fast = slow;
    fast.memory_gbs *= 2, fast.l2_bytes *= 2, fast.l3_bytes *= 2;
    const target_product f32 = slow.products[0];
    target_product half = f32, peak = f32;
    half.left = half.right = ELEM_F16;
    peak.peak_gflops *= 8;
    int same = 0, bytes = 0, peaks = 0;
    for (int64_t rows = 24; rows <= 768; rows *= 2)
        for (int64_t n = 384; n <= 3072; n *= 2)
            for (int i = 0; i < THREAD_CLASSES; i++, same++) {
                kernel_shape shape = {.kind = KERNEL_MATMUL, .k = 3456 - n, .n = n, .heads = 1};
                cost_site a = {shape, &slow, &f32, f32.rows, f32.columns, rows, rows}, b = a, c = a, d = a;
                b.product = &half;
                c.target = &fast;
                d.product = &peak;
                task_split x = cost_matmul_split(&a, i), y = cost_matmul_split(&b, i);
                task_split z = cost_matmul_split(&c, i), w = cost_matmul_split(&d, i);
                ck_assert_mem_eq(&y, &z, sizeof(y));
                bytes += memcmp(&x, &y, sizeof(x)) != 0;
                peaks += memcmp(&x, &w, sizeof(x)) != 0;
            }
    ck_assert_msg(bytes > 0 && peaks > 0, "of %d splits %d and %d differ", same, bytes, peaks);
}
END_TEST

START_TEST(products_that_are_not_there) {
    target none = avx512;
    none.product_count = 0;
    graph *g = prepared(&base, "assign_layouts,pack_weights");
    pass_context c = {.diag = &errors, .verify = true, .target = &none};
    ck_assert_int_eq(passes_add_variant(g, 128, 1, &c), -1);
    ck_assert_str_eq(errors.items[errors.count - 1].text,
                     "schedule: the target has no product of f32 by f32");
}
END_TEST

int main(void) {
    Suite *s = suite_create("variants");
    TCase *t = tcase_create("variants");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, tiles_are_those_of_the_products);
    tcase_add_test(t, splits_go_by_bytes_and_peaks_of_the_types);
    tcase_add_test(t, products_that_are_not_there);
    tcase_add_test(t, weights_stream_once_up_to_128_rows);
    tcase_add_test(t, long_texts_go_in_blocks_of_about_128_rows);
    tcase_add_test(t, every_class_has_tasks_for_its_threads);
    tcase_add_test(t, places_have_room);
    tcase_add_test(t, memory_is_reused);
    tcase_add_test(t, memory_is_reused_by_every_type);
    tcase_add_test(t, bytes_hold_values_of_one_kind);
    tcase_add_test(t, weights_are_packed_and_placed);
    tcase_add_test(t, wrong_requests_are_errors);
    tcase_add_test(t, lists_and_prints);
    suite_add_tcase(s, t);
    return suite_status(s);
}
