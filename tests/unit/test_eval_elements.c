// links: ir
// The evaluator over narrow elements: quantize and dequantize, ops that move elements of every type, literals, products.
#include "eval_case.h"

#define BYTES(...) ((int8_t[]){__VA_ARGS__})

static void expect_numbers(value v, elem e, int n, const double *want) {
    tensor t = get(v);
    ck_assert_int_eq(t.e, e);
    ck_assert_int_eq(tensor_count(&t), n);
    for (int i = 0; i < n; i++) {
        float f;
        elem_convert(e, (char *)t.data + (size_t)i * elem_size(e), ELEM_F32, &f, 1);
        ck_assert_msg((double)f == want[i], "%d: %.9g, not %.9g", i, (double)f, want[i]);
    }
}
#define EXPECT(v, e, ...) expect_numbers(v, e, COUNT(((double[]){__VA_ARGS__})), (double[]){__VA_ARGS__})

static value cast(value x, elem to) {
    attr e = attr_elem(ATTR_to, to);
    return graph_append(g, OP_cast, 1, &x, 1, &e);
}

// --- scales, quantize, dequantize

static value scales(value x, int64_t group, int64_t limit) {
    attr how[] = {attr_int(ATTR_group, group), attr_int(ATTR_limit, limit)};
    return graph_append(g, OP_scales, 1, &x, 2, how);
}

// Magnitudes, of each group; where there is nothing but zeros, or numbers whose scale has no reciprocal, 1.
START_TEST(scales_groups) {
    value x = in2("x", ELEM_F32, 2, 4, FLOATS(1, -6, 0.5f, 0, 0, -0.0f, 0x1p-122f, -0x1p-121f));
    EXPECT_F(scales(x, 2, 2), 3, 0.25f, 1, 0x1p-122f);
    EXPECT_F(scales(x, 4, 127), 6 / 127.0f, 1);
    EXPECT_F(scales(in2("not", ELEM_F32, 1, 3, FLOATS(NAN, -2, 1)), 3, 1), 2);
}
END_TEST

static value quantize(value x, value scale, elem to, int64_t group, int64_t limit) {
    attr how[] = {attr_elem(ATTR_to, to), attr_int(ATTR_group, group), attr_int(ATTR_limit, limit)};
    return graph_append(g, OP_quantize, 2, (value[]){x, scale}, 3, how);
}

static value dequantize(value q, value scale, int64_t group) {
    attr how = attr_int(ATTR_group, group);
    return graph_append(g, OP_dequantize, 2, (value[]){q, scale}, 1, &how);
}

START_TEST(rounds_to_even) {
    value x = in2("x", ELEM_F32, 1, 8, FLOATS(0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 0.50001f, -3.49999f));
    value one = in2("one", ELEM_F32, 1, 1, FLOATS(1));
    EXPECT(quantize(x, one, ELEM_I8, 8, 127), ELEM_I8, 0, 2, 2, 0, -2, -2, 1, -3);
    EXPECT(quantize(x, one, ELEM_I4, 8, 7), ELEM_I4, 0, 2, 2, 0, -2, -2, 1, -3);
    EXPECT(quantize(x, one, ELEM_U8, 8, 127), ELEM_U8, 128, 130, 130, 128, 126, 126, 129, 125);
}
END_TEST

// The reciprocal is rounded to f32, its product with x is not: x times 1 / 3 is 2.5 in f32, and a bit more than that.
START_TEST(multiplies_by_the_reciprocal) {
    float third = 1 / 3.0f, seven = 7.5f;
    ck_assert(seven * third == 2.5f && (double)seven * (double)third > 2.5);
    value x = in2("x", ELEM_F32, 1, 1, FLOATS(7.5f));
    value scale = in2("scale", ELEM_F32, 1, 1, FLOATS(3));
    EXPECT(quantize(x, scale, ELEM_I8, 1, 127), ELEM_I8, 3);
}
END_TEST

START_TEST(saturates) {
    value x = in2("x", ELEM_F32, 1, 6, FLOATS(127.4f, 127.6f, -1e30f, INFINITY, -INFINITY, -64.2f));
    value one = in2("one", ELEM_F32, 1, 1, FLOATS(1));
    EXPECT(quantize(x, one, ELEM_I8, 6, 127), ELEM_I8, 127, 127, -127, 127, -127, -64);
    EXPECT(quantize(x, one, ELEM_I8, 6, 63), ELEM_I8, 63, 63, -63, 63, -63, -63);
    EXPECT(quantize(x, one, ELEM_U8, 6, 127), ELEM_U8, 255, 255, 1, 255, 1, 64);
    EXPECT(quantize(x, one, ELEM_U8, 6, 63), ELEM_U8, 127, 127, 1, 127, 1, 1);
    EXPECT(quantize(x, one, ELEM_I4, 6, 7), ELEM_I4, 7, 7, -7, 7, -7, -7);
    EXPECT(quantize(x, one, ELEM_I4, 6, 1), ELEM_I4, 1, 1, -1, 1, -1, -1);
}
END_TEST

START_TEST(not_a_number) {
    value x = in2("x", ELEM_F32, 2, 3, FLOATS(0, 2, -3, NAN, 5, INFINITY));
    value scale = in2("scale", ELEM_F32, 2, 1, FLOATS(0, INFINITY));
    EXPECT(quantize(x, scale, ELEM_I8, 3, 127), ELEM_I8, -127, 127, -127, -127, 0, -127);
    EXPECT(quantize(x, scale, ELEM_U8, 3, 127), ELEM_U8, 1, 255, 1, 1, 128, 1);
}
END_TEST

START_TEST(groups) {
    value x = in2("x", ELEM_F32, 2, 6, FLOATS(1, 2, 3, 1, 2, 3, 10, 20, 30, -10, -20, -30));
    value scale = in2("scale", ELEM_F32, 2, 2, FLOATS(1, 0.5f, 10, 5));
    value q = quantize(x, scale, ELEM_I8, 3, 127);
    EXPECT(q, ELEM_I8, 1, 2, 3, 2, 4, 6, 1, 2, 3, -2, -4, -6);
    EXPECT_F(dequantize(q, scale, 3), 1, 2, 3, 1, 2, 3, 10, 20, 30, -10, -20, -30);
    value offset = quantize(x, scale, ELEM_U8, 3, 127), small = quantize(x, scale, ELEM_I4, 3, 7);
    EXPECT_F(dequantize(offset, scale, 3), 1, 2, 3, 1, 2, 3, 10, 20, 30, -10, -20, -30);
    EXPECT_F(dequantize(small, scale, 3), 1, 2, 3, 1, 2, 3, 10, 20, 30, -10, -20, -30);
}
END_TEST

// u8 has limit + 1 for 0, in dequantize too.
START_TEST(zero_points) {
    value x = in2("x", ELEM_F32, 1, 3, FLOATS(-1.5f, 0, 31.5f)),
          scale = in2("scale", ELEM_F32, 1, 1, FLOATS(0.5f));
    value q = quantize(x, scale, ELEM_U8, 3, 63);
    EXPECT(q, ELEM_U8, 61, 64, 127);
    attr how[] = {attr_int(ATTR_group, 3), attr_int(ATTR_limit, 63)};
    EXPECT_F(graph_append(g, OP_dequantize, 2, (value[]){q, scale}, 2, how), -1.5f, 0, 31.5f);
}
END_TEST

// Higher ranks, and a row that is one group.
START_TEST(whole_rows) {
    int64_t shape[] = {2, 1, 3}, ones[] = {2, 1, 1};
    value x = input("x", ty(ELEM_F32, 3, shape), 3, shape, FLOATS(1, -2, 4, 8, 4, -6));
    value scale = input("scale", ty(ELEM_F32, 3, ones), 3, ones, FLOATS(1, 2));
    EXPECT(quantize(x, scale, ELEM_I4, 3, 7), ELEM_I4, 1, -2, 4, 4, 2, -3);
}
END_TEST

// The product is one of f32.
START_TEST(multiplies_in_f32) {
    value q = in2("q", ELEM_U8, 1, 3, BYTES(0, (int8_t)255, (int8_t)128));
    value scale = in2("scale", ELEM_F32, 1, 1, FLOATS(0.1f));
    tensor t = get(dequantize(q, scale, 3));
    const float *y = t.data;
    ck_assert(y[0] == -128 * 0.1f && y[1] == 127 * 0.1f && y[2] == 0);
}
END_TEST

// --- Moves

static const elem elems[] = {ELEM_F16, ELEM_BF16, ELEM_I8, ELEM_U8, ELEM_I4};

START_TEST(moves) {
    elem e = elems[_i];
    value x = cast(in2("x", ELEM_F32, 2, 3, FLOATS(1, 2, 3, 4, 5, 6)), e), zero = cast(graph_scalar(g, 0), e);
    value ids = in1("ids", ELEM_I32, 3, INTS(1, 0, 1)), swap = in2("swap", ELEM_I32, 1, 2, INTS(2, 0));
    value bits = cast(in2("bits", ELEM_F32, 1, 3, FLOATS(1, 0, 1)), ELEM_I1);
    attr axis0 = attr_int(ATTR_axis, 0), axis1 = attr_int(ATTR_axis, 1);
    attr wide = attr_dims(a, ATTR_shape, 2, DIMS(N(3), N(4))),
         twice = attr_dims(a, ATTR_shape, 3, DIMS(N(2), N(1), N(3)));
    EXPECT(graph_transpose(g, x, 2, (int64_t[]){1, 0}), e, 1, 4, 2, 5, 3, 6);
    EXPECT(graph_reshape(g, x, 1, DIMS(N(6))), e, 1, 2, 3, 4, 5, 6);
    value tail = graph_slice(g, x, 2, DIMS(N(1), N(0)), DIMS(N(2), N(3)));
    EXPECT(tail, e, 4, 5, 6);
    EXPECT(graph_slice(g, x, 2, DIMS(N(0), N(1)), DIMS(N(2), N(2))), e, 2, 5);
    EXPECT(graph_append(g, OP_concat, 2, (value[]){tail, x}, 1, &axis0), e, 4, 5, 6, 1, 2, 3, 4, 5, 6);
    EXPECT(graph_append(g, OP_concat, 2, (value[]){x, x}, 1, &axis1), e, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6);
    EXPECT(graph_append(g, OP_pad, 1, &x, 1, &wide), e, 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0);
    EXPECT(graph_append(g, OP_broadcast, 1, &tail, 1, &twice), e, 4, 5, 6, 4, 5, 6);
    EXPECT(graph_op2(g, OP_gather, x, ids), e, 4, 5, 6, 1, 2, 3, 4, 5, 6);
    EXPECT(graph_op2(g, OP_gather_along, x, swap), e, 3, 1, 6, 4);
    EXPECT(graph_op3(g, OP_select, bits, x, zero), e, 1, 0, 3, 4, 0, 6);
    EXPECT(graph_op3(g, OP_select, bits, zero, x), e, 0, 2, 0, 0, 5, 0);
}
END_TEST

START_TEST(casts) {
    value x = in1("x", ELEM_F32, 6, FLOATS(200.7f, -200.7f, NAN, 0.3f, -7.9f, 100));
    EXPECT(cast(x, ELEM_I8), ELEM_I8, 127, -128, 0, 0, -7, 100);
    EXPECT(cast(x, ELEM_U8), ELEM_U8, 200, 0, 0, 0, 0, 100);
    EXPECT(cast(x, ELEM_I4), ELEM_I4, 7, -8, 0, 0, -7, 7);
    value i = in1("i", ELEM_I32, 4, INTS(INT32_MAX, INT32_MIN, -3, 16777217));
    EXPECT(cast(i, ELEM_I8), ELEM_I8, 127, -128, -3, 127);
    EXPECT(cast(cast(i, ELEM_I4), ELEM_I32), ELEM_I32, 7, -8, -3, 7);
    EXPECT(cast(i, ELEM_I32), ELEM_I32, 0x1p31, -0x1p31, -3, 16777216); // as f32 holds them
    EXPECT_I(cast(i, ELEM_I32), INT32_MAX, INT32_MIN, -3, 16777217);
    value u = in1("u", ELEM_U8, 3, BYTES(0, (int8_t)200, (int8_t)255));
    EXPECT(cast(u, ELEM_I8), ELEM_I8, 0, 127, 127);
    EXPECT(cast(u, ELEM_BF16), ELEM_BF16, 0, 200, 255);
    EXPECT_I(cast(cast(u, ELEM_I1), ELEM_I32), 0, 1, 1);
    EXPECT(cast(cast(u, ELEM_I1), ELEM_U8), ELEM_U8, 0, 1, 1);
}
END_TEST

// --- Constants

static bool find(void *context, const char *name, tensor_view *out) {
    (void)name;
    *out = *(const tensor_view *)context;
    return true;
}

START_TEST(constants) {
    type t = type_make(ELEM_I4, 2, DIMS(N(2), N(3)));
    value literal = graph_constant_literal(g, NULL, t, BYTES(-8, 7, 0, 1, -1, 3));
    EXPECT(literal, ELEM_I4, -8, 7, 0, 1, -1, 3);
    t.e = ELEM_U8;
    EXPECT(graph_constant_literal(g, NULL, t, BYTES(0, 1, 2, -1, -128, 3)), ELEM_U8, 0, 1, 2, 255, 128, 3);
    tensor_view v = {.e = ELEM_I8, .rank = 2, .shape = {3, 5}};
    int8_t data[15];
    for (int i = 0; i < 15; i++) data[i] = (int8_t)(i - 8);
    v.data = data;
    recipe *r = recipe_cast(a, recipe_tensor(a, "w", ELEM_I8, 2, v.shape), ELEM_I4);
    tensor out;
    g->output_count = 0;
    graph_output_add(g, "y", cast(graph_constant_recipe(g, "w", r), ELEM_I32));
    eval_options o = {.source = &(tensor_source){&v, find}};
    ck_assert(graph_eval(g, &o, a, &out, &d));
    for (int i = 0; i < 15; i++) ck_assert_int_eq(((int32_t *)out.data)[i], data[i]);
}
END_TEST

// --- Products

START_TEST(products_of_bytes) {
    value x = in2("x", ELEM_I8, 2, 3, BYTES(-128, 127, 1, 2, 3, 4));
    value u = in2("u", ELEM_U8, 1, 3, BYTES(-1, -1, -1));
    value w = in2("w", ELEM_I8, 3, 2, BYTES(-128, 1, 127, 0, 5, -1));
    EXPECT_I(graph_op2(g, OP_matmul, x, w), 16384 + 16129 + 5, -129, -256 + 381 + 20, -2);
    EXPECT_I(graph_op2(g, OP_matmul, u, w), 255 * 4, 0);
}
END_TEST

// The sums of each group of k apart.
START_TEST(products_in_groups) {
    value x = in2("x", ELEM_U8, 2, 6, BYTES(1, 2, 3, 4, 5, 6, (int8_t)255, 0, 1, 0, 0, 2)),
          w = in2("w", ELEM_I8, 6, 2, BYTES(1, -1, 1, 0, 1, 2, 1, 0, -128, 1, 0, 3));
    attr group = attr_int(ATTR_group, 3);
    EXPECT_I(graph_append(g, OP_matmul, 2, (value[]){x, w}, 1, &group), 6, 5, -636, 23, 256, -253, 0, 6);
    group = attr_int(ATTR_group, 2);
    EXPECT_I(graph_append(g, OP_matmul, 2, (value[]){x, w}, 1, &group), 3, -1, 7, 6, -640, 23, 255, -255, 1,
             2, 0, 6);
}
END_TEST

START_TEST(products_of_bf16) {
    value x = in2("x", ELEM_F32, 1, 3, FLOATS(1.5f, -2, 0x1p-20f)),
          w = in2("w", ELEM_F32, 3, 1, FLOATS(3, 4.5f, 1));
    EXPECT_F(graph_op2(g, OP_matmul, cast(x, ELEM_BF16), cast(w, ELEM_BF16)), -4.5 + 0x1p-20);
}
END_TEST

// Packed right operands, whose K and N are multiples of nothing, give what row-major ones do.
START_TEST(products_with_packed) {
    enum { K = 50, COLUMNS = 17, ROWS = 3 };
    elem e = _i ? ELEM_I8 : ELEM_BF16;
    static float weights[K * COLUMNS], left[ROWS * K];
    for (int i = 0; i < K * COLUMNS; i++) weights[i] = (float)(i * 37 % 255 - 127);
    for (int i = 0; i < ROWS * K; i++) left[i] = (float)(i * 11 % 255 - 127);
    tensor_view v = {.e = ELEM_F32, .rank = 2, .shape = {K, COLUMNS}, .data = weights};
    recipe *r = recipe_cast(a, recipe_tensor(a, "w", ELEM_F32, 2, v.shape), e);
    value x = cast(in2("x", ELEM_F32, ROWS, K, left), e);
    value row = graph_op2(g, OP_matmul, x, graph_constant_recipe(g, "w", r));
    value packed = graph_op2(g, OP_matmul, x, graph_constant_recipe(g, "p", recipe_pack(a, r)));
    graph_output_add(g, "row", row);
    graph_output_add(g, "packed", packed);
    tensor out[2];
    eval_options o = {.inputs = inputs, .input_count = input_count, .source = &(tensor_source){&v, find}};
    ck_assert_msg(graph_verify(g, "test", &d) && graph_eval(g, &o, a, out, &d), "%s",
                  d.count ? d.items[0].text : "");
    ck_assert_mem_eq(out[0].data, out[1].data, 4 * ROWS * COLUMNS);
    double sum = 0;
    for (int k = 0; k < K; k++) sum += (double)left[K + k] * (double)weights[k * COLUMNS + 16];
    float last = ((float *)out[1].data)[COLUMNS + 16];
    int32_t whole = ((int32_t *)out[1].data)[COLUMNS + 16];
    ck_assert(e == ELEM_I8 ? whole == (int32_t)sum : (double)last == sum);
}
END_TEST

int main(void) {
    Suite *s = suite_create("eval elements");
    TCase *c = tcase_create("eval elements");
    tcase_add_checked_fixture(c, setup, teardown);
    const TTest *tests[] = {rounds_to_even,
                            multiplies_by_the_reciprocal,
                            saturates,
                            not_a_number,
                            groups,
                            whole_rows,
                            multiplies_in_f32,
                            casts,
                            constants,
                            products_of_bytes,
                            products_of_bf16,
                            scales_groups,
                            zero_points,
                            products_in_groups};
    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) tcase_add_test(c, tests[i]);
    tcase_add_loop_test(c, moves, 0, COUNT(elems));
    tcase_add_loop_test(c, products_with_packed, 0, 2);
    suite_add_tcase(s, c);
    return suite_status(s);
}
