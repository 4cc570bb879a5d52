// links: ir
// Recipes of every element type: casts, moves and packed images, read back element by element by formulas that stand
// here, with every byte beside the elements.
#include "main.h"
#include "text.h"

static arena *a;
static diag d;
static tensor_view stored; // the one tensor, "x"

static bool find(void *context, const char *name, tensor_view *out) {
    (void)context;
    *out = stored;
    return !strcmp(name, "x");
}
static const tensor_source source = {NULL, find};

static void setup(void) {
    a = arena_new();
    diag_init(&d);
}
static void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

static const elem elems[] = {ELEM_F32, ELEM_F16, ELEM_BF16, ELEM_I32, ELEM_I8, ELEM_U8, ELEM_I4};
#define ELEMS (int)(sizeof(elems) / sizeof(elems[0]))

// --- A matrix whose elements are known

// Whole numbers that every float type holds, and the ends of the integers' ranges.
static int number(elem e, int64_t i) {
    if (e == ELEM_I4) return (int)((i * 5 + i / 11) % 16) - 8;
    return (int)((i * 37 + i / 251) % 256) - (e == ELEM_U8 ? 0 : 128);
}

static recipe *matrix(elem e, int64_t rows, int64_t columns) {
    int64_t shape[] = {rows, columns};
    unsigned char *data = (unsigned char *)arena_alloc(a, (size_t)(rows * columns) * 4 + 1) + 1; // unaligned
    bool bytes = e == ELEM_I8 || e == ELEM_U8;
    for (int64_t i = 0; i < rows * columns; i++) {
        float f = (float)number(e, i);
        if (bytes)
            data[i] = (unsigned char)number(e, i);
        else
            memcpy(data + 4 * i, &f, 4);
    }
    stored = (tensor_view){.e = bytes ? e : ELEM_F32, .rank = 2, .shape = {rows, columns}, .data = data};
    return recipe_cast(a, recipe_tensor(a, "x", stored.e, 2, shape), e);
}

// In memory of exactly its size, behind which other bytes stand.
#define FENCE 64
static unsigned char *run(const recipe *r) {
    size_t n = recipe_bytes(r);
    unsigned char *exact = malloc(n), *out = malloc(n + FENCE);
    memset(out, 0xa5, n + FENCE);
    memset(exact, 0x5a, n);
    ck_assert_msg(recipe_run(r, &source, out, &d), "%s", d.count ? d.items[0].text : "");
    ck_assert(recipe_run(r, &source, exact, &d));
    ck_assert_msg(!memcmp(exact, out, n), "some bytes were not written");
    for (int i = 0; i < FENCE; i++) ck_assert_uint_eq(out[n + (size_t)i], 0xa5);
    free(exact);
    return out;
}

static double number_at(elem e, const unsigned char *p, bool high) {
    float f;
    int nibble = high ? *p >> 4 : *p & 15;
    if (e == ELEM_I4) return nibble < 8 ? nibble : nibble - 16;
    elem_convert(e, p, ELEM_F32, &f, 1);
    return (double)f;
}

// --- Packed

static const int64_t shapes[][2] = {{1, 1}, {7, 17}, {50, 17}, {50, 32}, {312, 17}, {512, 33}, {64, 16}};
#define SHAPES (int)(sizeof(shapes) / sizeof(shapes[0]))

// Every slot of the image of matrix [rows,columns], whose element [k, n] is number k * step_k + n * step_n of `e`.
static void expect_packed(elem e, const recipe *r, int64_t rows, int64_t columns, int64_t step_k,
                          int64_t step_n) {
    int64_t g = e == ELEM_I4 ? 8 : 4 / (int64_t)elem_size(e), groups = (rows + g - 1) / g;
    if (g > 1) groups = (groups + 15) / 16 * 16;
    int64_t panels = (columns + 15) / 16;
    ck_assert_uint_eq(recipe_bytes(r), (size_t)(panels * groups * 64));
    unsigned char *image = run(r);
    for (int64_t slot = 0; slot < panels * groups * 16 * g; slot++) {
        int64_t in = slot % g, column = slot / g % 16, group = slot / g / 16 % groups;
        int64_t k = group * g + in, n = slot / g / 16 / groups * 16 + column;
        const unsigned char *at = image + (slot / g) * 4; // a group's column takes 4 bytes
        at += e == ELEM_I4 ? in % 4 : in * (int64_t)elem_size(e);
        double has = number_at(e, at, in >= 4);
        double want = k < rows && n < columns ? number(e, k * step_k + n * step_n) : 0;
        ck_assert_msg(has == want, "%s [%d,%d]: element [%d,%d] is %g, not %g", elem_name(e), (int)rows,
                      (int)columns, (int)k, (int)n, has, want);
        if (k >= rows || n >= columns) continue;
        bool high;
        ck_assert_int_eq(packed_at(e, rows, k, n, &high), at - image);
        ck_assert(high == (in >= 4));
    }
    free(image);
}

START_TEST(packs) {
    int64_t rows = shapes[_i % SHAPES][0], columns = shapes[_i % SHAPES][1];
    elem e = elems[_i / SHAPES];
    if (e == ELEM_I32) {
        ck_assert(!elem_packs(e));
        return;
    }
    expect_packed(e, recipe_pack(a, matrix(e, rows, columns)), rows, columns, columns, 1);
    expect_packed(e, recipe_pack(a, recipe_transpose(a, matrix(e, columns, rows))), rows, columns, 1, rows);
}
END_TEST

// --- Rows

// Element [i, j] of `r` is number first + i * step_i + j * step_j.
static void expect_rows(elem e, const recipe *r, int64_t first, int64_t step_i, int64_t step_j) {
    int64_t rows = r->type.d[0].n, columns = r->type.d[1].n;
    size_t row = e == ELEM_I4 ? (size_t)(columns + 1) / 2 : (size_t)columns * elem_size(e);
    ck_assert_uint_eq(recipe_bytes(r), (size_t)rows * row);
    unsigned char *out = run(r);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            const unsigned char *at = out + (size_t)i * row;
            at += e == ELEM_I4 ? (size_t)j / 2 : (size_t)j * elem_size(e);
            double has = number_at(e, at, e == ELEM_I4 && j % 2);
            ck_assert_msg(has == number(e, first + i * step_i + j * step_j), "%s: [%d,%d] is %g",
                          elem_name(e), (int)i, (int)j, has);
        }
        if (e == ELEM_I4 && columns % 2) ck_assert_uint_eq(out[(size_t)(i + 1) * row - 1] >> 4, 0);
    }
    free(out);
}

START_TEST(moves) {
    elem e = elems[_i];
    recipe *m = matrix(e, 9, 7);
    expect_rows(e, m, 0, 7, 1);
    expect_rows(e, recipe_transpose(a, m), 0, 1, 7);
    expect_rows(e, recipe_slice(a, m, 0, 2, 5), 14, 7, 1);
    expect_rows(e, recipe_slice(a, m, 1, 3, 6), 3, 7, 1);
    expect_rows(e, recipe_slice(a, recipe_transpose(a, m), 1, 3, 6), 21, 1, 7);
    expect_rows(e, recipe_reshape(a, m, 2, (int64_t[]){3, 21}), 0, 21, 1);
    expect_rows(e, recipe_reshape(a, m, 2, (int64_t[]){21, 3}), 0, 3, 1);
    recipe *left = recipe_slice(a, m, 1, 0, 3), *right = recipe_slice(a, m, 1, 3, 7);
    expect_rows(e, recipe_concat(a, 1, 2, (recipe *[]){left, right}), 0, 7, 1);
    recipe *above = recipe_slice(a, m, 0, 0, 4), *below = recipe_slice(a, m, 0, 4, 9);
    expect_rows(e, recipe_concat(a, 0, 2, (recipe *[]){above, below}), 0, 7, 1);
    recipe *turned[] = {recipe_transpose(a, left), recipe_transpose(a, right)};
    expect_rows(e, recipe_concat(a, 0, 2, turned), 0, 1, 7);
    recipe *cube = recipe_reshape(a, m, 3, (int64_t[]){3, 3, 7}); // the axis in the middle
    cube = recipe_slice(a, cube, 1, 1, 2);
    expect_rows(e, recipe_reshape(a, cube, 2, (int64_t[]){3, 7}), 7, 21, 1);
}
END_TEST

// Blocks of rows, each in columns of its own, odd numbers of them; zero beside them.
START_TEST(diagonals) {
    elem e = elems[_i];
    unsigned char *out = run(recipe_diagonal(a, matrix(e, 6, 3), 3));
    size_t row = e == ELEM_I4 ? 5 : 9 * elem_size(e);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 9; j++) {
            const unsigned char *at = out + (size_t)i * row;
            at += e == ELEM_I4 ? (size_t)j / 2 : (size_t)j * elem_size(e);
            double want = j / 3 == i / 2 ? number(e, i * 3 + j % 3) : 0;
            ck_assert_double_eq(number_at(e, at, e == ELEM_I4 && j % 2), want);
        }
    }
    free(out);
}
END_TEST

// Every number of a type is one of every wider type: there and back.
START_TEST(casts_back) {
    elem e = elems[_i];
    for (int k = 0; k < ELEMS; k++) {
        bool narrow = (elems[k] == ELEM_I4 && e != ELEM_I4) || (elems[k] == ELEM_I8 && e == ELEM_U8) ||
                      (elems[k] == ELEM_U8 && e != ELEM_U8);
        if (!narrow) expect_rows(e, recipe_cast(a, recipe_cast(a, matrix(e, 5, 51), elems[k]), e), 0, 51, 1);
    }
}
END_TEST

// --- Numbers that don't fit

#define CASTS 14
static const float inputs[CASTS] = {NAN, INFINITY, -INFINITY, 0.99f, -0.99f, 7.9f,   8,
                                    -9,  127.9f,   128,       -129,  255.9f, -1e20f, 3e9f};
static const struct {
    elem e;
    int32_t want[CASTS];
} outputs[] = {
    {ELEM_I8, {0, 127, -128, 0, 0, 7, 8, -9, 127, 127, -128, 127, -128, 127}},
    {ELEM_U8, {0, 255, 0, 0, 0, 7, 8, 0, 127, 128, 0, 255, 0, 255}},
    {ELEM_I4, {0, 7, -8, 0, 0, 7, 7, -8, 7, 7, -8, 7, -8, 7}},
    {ELEM_I32, {0, INT32_MAX, INT32_MIN, 0, 0, 7, 8, -9, 127, 128, -129, 255, INT32_MIN, INT32_MAX}},
};

START_TEST(saturates) {
    elem e = outputs[_i].e;
    int32_t wide[CASTS];
    stored = (tensor_view){.e = ELEM_F32, .rank = 1, .shape = {CASTS}, .data = inputs};
    recipe *r = recipe_cast(a, recipe_tensor(a, "x", ELEM_F32, 1, stored.shape), e);
    unsigned char *out = run(recipe_cast(a, r, ELEM_I32));
    memcpy(wide, out, sizeof(wide));
    for (int i = 0; i < CASTS; i++)
        ck_assert_msg(wide[i] == outputs[_i].want[i], "%s of %g: %d, not %d", elem_name(e), (double)inputs[i],
                      wide[i], outputs[_i].want[i]);
    free(out);
}
END_TEST

// i32 by way of f32, as the op; between integers without loss.
START_TEST(from_integers) {
    static const int32_t x[] = {16777217, INT32_MIN, INT32_MAX, 300, -300};
    static const double want[] = {16777216, -0x1p31, 0x1p31, 300, -300};
    stored = (tensor_view){.e = ELEM_I32, .rank = 1, .shape = {5}, .data = x};
    recipe *r = recipe_tensor(a, "x", ELEM_I32, 1, stored.shape);
    unsigned char *out = run(recipe_cast(a, r, ELEM_F32));
    for (int i = 0; i < 5; i++) ck_assert_double_eq(number_at(ELEM_F32, out + 4 * i, false), want[i]);
    free(out);
    out = run(recipe_cast(a, r, ELEM_U8));
    ck_assert_mem_eq(out, ((uint8_t[]){255, 0, 255, 255, 0}), 5);
    free(out);
}
END_TEST

START_TEST(what_casts) {
    for (elem from = 0; from < ELEM_COUNT; from++) {
        for (elem to = 0; to < ELEM_COUNT; to++) {
            bool holds = to != ELEM_I1 && to != ELEM_F64 && to != ELEM_F8_E4M3 && to != ELEM_F8_E5M2;
            ck_assert_int_eq(recipe_casts(from, to), holds && from != ELEM_I1);
        }
    }
}
END_TEST

// --- Hashes stand in texts: they don't change with the enum.

START_TEST(hashes_stay) {
    static const struct {
        elem e;
        uint64_t hash;
    } known[] = {{ELEM_F32, 0x73c08204915cf6ea},     {ELEM_F16, 0xfda4796f6c7b6573},
                 {ELEM_BF16, 0x37fffe0feefd7463},    {ELEM_I32, 0x4fb43e47afee4086},
                 {ELEM_F64, 0xdd8eee3efc4fb1e7},     {ELEM_F8_E4M3, 0x1771ecde2cf1af95},
                 {ELEM_F8_E5M2, 0xb7a4c2b130caaa45}, {ELEM_I8, 0xc181f14aaa21f20c},
                 {ELEM_U8, 0x0b613dd0fd84c25c}};
    static const unsigned char data[24] = {1, 2, 3, 250};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        uint64_t hash;
        stored = (tensor_view){.e = known[i].e, .rank = 1, .shape = {3}, .data = data};
        ck_assert(recipe_hash(recipe_tensor(a, "x", known[i].e, 1, stored.shape), &source, &hash, &d));
        ck_assert_msg(hash == known[i].hash, "%s: 0x%016llx", elem_name(known[i].e),
                      (unsigned long long)hash);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("recipes of elements");
    TCase *c = tcase_create("recipes of elements");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, packs, 0, ELEMS * SHAPES);
    tcase_add_loop_test(c, moves, 0, ELEMS);
    tcase_add_loop_test(c, diagonals, 0, ELEMS);
    tcase_add_loop_test(c, casts_back, 0, ELEMS);
    tcase_add_loop_test(c, saturates, 0, (int)(sizeof(outputs) / sizeof(outputs[0])));
    tcase_add_test(c, from_integers);
    tcase_add_test(c, what_casts);
    tcase_add_test(c, hashes_stay);
    suite_add_tcase(s, c);
    return suite_status(s);
}
