// links: hub ir
// Weights of every float type: what PyTorch's cast to float32 makes of them. Each is held against the same values
// stored as float32, bit for bit.
#include <math.h>

#include "folder.h"

// By the types' definition: sign, exponent of `bits`, mantissa; e4m3 has no infinity and one NaN.
static float small_float(unsigned code, int mantissa_bits, int bias) {
    int ones = 1 << mantissa_bits, m = (int)(code & 0x7f) % ones, e = (int)(code & 0x7f) / ones;
    double x = e ? ldexp(ones + m, e - bias - mantissa_bits) : ldexp(m, 1 - bias - mantissa_bits);
    if (mantissa_bits == 3 && (code & 0x7f) == 0x7f) x = (double)NAN;
    if (mantissa_bits == 2 && e == 31) x = m ? (double)NAN : (double)INFINITY;
    return (float)(code & 0x80 ? -x : x);
}

static float e4m3(unsigned code) {
    return small_float(code, 3, 7);
}

static float e5m2(unsigned code) {
    return small_float(code, 2, 15);
}

static int64_t elements(const safetensors_item *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

static float nth(const safetensors_item *t, int64_t i) {
    float x;
    ck_assert_str_eq(t->dtype, "F32");
    memcpy(&x, (const char *)t->data + 4 * i, 4);
    return x;
}

static void store(safetensors_item *t, const char *dtype, void *data, size_t bytes) {
    t->dtype = dtype;
    t->data = data;
    t->bytes = bytes;
}

// --- float64

// Numbers between two float32s, so that the cast has to round.
static bool to_f64(safetensors_item *t, arena *a) {
    int64_t n = elements(t);
    double *to = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < n; i++) to[i] = (double)nth(t, i) * (1 + 0x1p-26);
    store(t, "F64", to, 8 * (size_t)n);
    return true;
}

static bool rounded_f64(safetensors_item *t, arena *a) {
    int64_t n = elements(t);
    float *to = ARENA_ARRAY(a, float, n);
    for (int64_t i = 0; i < n; i++) to[i] = (float)((double)nth(t, i) * (1 + 0x1p-26));
    store(t, "F32", to, 4 * (size_t)n);
    return true;
}

// --- float8: the nearest code of each number

static unsigned nearest(float x, float (*decode)(unsigned)) {
    unsigned best = 0;
    for (unsigned code = 1; code < 256; code++) {
        float y = decode(code);
        if (isfinite(y) && fabsf(y - x) < fabsf(decode(best) - x)) best = code;
    }
    return best;
}

static bool to_f8(safetensors_item *t, arena *a, const char *dtype, float (*decode)(unsigned)) {
    int64_t n = elements(t);
    uint8_t *codes = ARENA_ARRAY(a, uint8_t, n);
    float *floats = ARENA_ARRAY(a, float, n);
    for (int64_t i = 0; i < n; i++) {
        codes[i] = (uint8_t)nearest(nth(t, i), decode);
        floats[i] = decode(codes[i]);
    }
    if (dtype)
        store(t, dtype, codes, (size_t)n);
    else
        store(t, "F32", floats, 4 * (size_t)n);
    return true;
}

static bool to_e4m3(safetensors_item *t, arena *a) {
    return to_f8(t, a, "F8_E4M3", e4m3);
}
static bool rounded_e4m3(safetensors_item *t, arena *a) {
    return to_f8(t, a, NULL, e4m3);
}
static bool to_e5m2(safetensors_item *t, arena *a) {
    return to_f8(t, a, "F8_E5M2", e5m2);
}
static bool rounded_e5m2(safetensors_item *t, arena *a) {
    return to_f8(t, a, NULL, e5m2);
}

static const struct {
    change stored, rounded;
} types[] = {{to_f64, rounded_f64}, {to_e4m3, rounded_e4m3}, {to_e5m2, rounded_e5m2}};

START_TEST(same_numbers) {
    link_case("bert-base-model/config.json", "config.json");
    copy_weights("bert-base-model", types[_i].rounded);
    opened own = open_model((hub_options){0});
    ck_assert(own.ok);
    const tensor *a = all_evaluated(&own);
    copy_weights("bert-base-model", types[_i].stored);
    opened x = open_model((hub_options){0});
    if (!x.ok) diag_print(&x.d, stderr);
    ck_assert(x.ok && x.d.count == 0);
    const tensor *b = all_evaluated(&x);
    for (int i = 0; i < own.m.graph->output_count; i++) {
        size_t bytes = sizeof(float);
        for (int k = 0; k < a[i].rank; k++) bytes *= (size_t)a[i].shape[k];
        ck_assert_msg(!memcmp(a[i].data, b[i].data, bytes), "%s", output_name(&own, i));
    }
    close_model(&own);
    close_model(&x);
}
END_TEST

START_TEST(every_code) {
    uint8_t codes[256];
    float x[256];
    for (int i = 0; i < 256; i++) codes[i] = (uint8_t)i;
    for (int e = 0; e < 2; e++) {
        elem_convert(e ? ELEM_F8_E5M2 : ELEM_F8_E4M3, codes, ELEM_F32, x, 256);
        for (unsigned i = 0; i < 256; i++) {
            float y = e ? e5m2(i) : e4m3(i);
            if (isnan(y))
                ck_assert_msg(isnan(x[i]), "%u", i);
            else
                ck_assert_msg(!memcmp(&x[i], &y, 4), "%u: %a, not %a", i, (double)x[i], (double)y);
        }
    }
}
END_TEST

// Tensors that nobody reads may have any type; a weight of whole numbers has lost what it was scaled by.
static bool with_integers(safetensors_item *t, arena *a) {
    if (!strcmp(t->name, "pooler.dense.bias")) return false;
    if (!strcmp(t->name, "pooler.dense.weight")) {
        t->name = "embeddings.position_ids";
        store(t, "I64", ARENA_ARRAY(a, int64_t, elements(t)), 8 * (size_t)elements(t));
    }
    return true;
}

static bool quantised(safetensors_item *t, arena *a) {
    if (!strcmp(t->name, "encoder.layer.0.output.dense.weight"))
        store(t, "I8", ARENA_ARRAY(a, int8_t, elements(t)), (size_t)elements(t));
    return true;
}

START_TEST(integers) {
    link_case("bert-base-model/config.json", "config.json");
    copy_weights("bert-base-model", with_integers);
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "1 tensor is not read: embeddings.position_ids"));
    close_model(&x);
    copy_weights("bert-base-model", quantised);
    expect_failure((hub_options){0}, "encoder.layer.0.output.dense.weight\": I8 is not supported for weights",
                   1);
}
END_TEST

static bool with_tables(safetensors_item *t, arena *a) {
    int64_t n = elements(t);
    uint8_t *bytes = ARENA_ARRAY(a, uint8_t, 8 * n);
    for (int64_t i = 0; i < 8 * n; i++) bytes[i] = (uint8_t)(7 * i + 130);
    if (!strcmp(t->name, "pooler.dense.weight")) t->name = "table", store(t, "U8", bytes, (size_t)n);
    if (!strcmp(t->name, "pooler.dense.bias")) t->name = "offsets", store(t, "I8", bytes, (size_t)n);
    return true;
}

static float first_of(const opened *x, const char *name, elem e) {
    tensor_view v;
    float f;
    ck_assert(x->m.source.find(x->m.source.context, name, &v));
    ck_assert_int_eq(v.e, e);
    elem_convert(v.e, v.data, ELEM_F32, &f, 1);
    return f;
}

// A graph's recipes may name what the model itself doesn't read.
START_TEST(found_by_recipes) {
    tensor_view v;
    link_case("bert-base-model/config.json", "config.json");
    copy_weights("bert-base-model", with_tables);
    opened x = open_model((hub_options){0});
    ck_assert(x.ok && says(&x, "2 tensors are not read: offsets, table"));
    ck_assert(first_of(&x, "table", ELEM_U8) == 130 && first_of(&x, "offsets", ELEM_I8) == -126);
    close_model(&x);
    copy_weights("bert-base-model", with_integers);
    x = open_model((hub_options){0});
    ck_assert(x.ok && !x.m.source.find(x.m.source.context, "embeddings.position_ids", &v)); // I64
    close_model(&x);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, same_numbers, 0, sizeof(types) / sizeof(types[0]));
    tcase_add_test(c, every_code);
    tcase_add_test(c, integers);
    tcase_add_test(c, found_by_recipes);
}

int main(void) {
    return run_suite("types of weights", add);
}
