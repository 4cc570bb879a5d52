// What the tests of recipes share: tensors in memory (at odd addresses), and what a recipe makes of them.
#ifndef BERTC_TESTS_RECIPE_STORE_H
#define BERTC_TESTS_RECIPE_STORE_H
#include "main.h"
#include "text.h"

static arena *a;
static diag d;

typedef struct store {
    int count;
    const char *names[8];
    tensor_view views[8];
} store;
static store tensors;

static inline bool find(void *context, const char *name, tensor_view *out) {
    const store *s = context;
    for (int i = 0; i < s->count; i++) {
        if (strcmp(s->names[i], name)) continue;
        *out = s->views[i];
        return true;
    }
    return false;
}
static const tensor_source source = {&tensors, find};

static inline void setup(void) {
    a = arena_new();
    diag_init(&d);
    tensors.count = 0;
}
static inline void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

// Puts a tensor into the store, one byte off alignment, and returns its recipe.
static inline recipe *tensor_of(const char *name, elem e, int rank, const int64_t *shape, const void *data) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    unsigned char *odd = (unsigned char *)arena_alloc(a, (size_t)count * elem_size(e) + 1) + 1;
    memcpy(odd, data, (size_t)count * elem_size(e));
    tensor_view *v = &tensors.views[tensors.count];
    tensors.names[tensors.count++] = name;
    *v = (tensor_view){.e = e, .rank = rank, .data = odd};
    for (int i = 0; i < rank; i++) v->shape[i] = shape[i];
    return recipe_tensor(a, name, e, rank, shape);
}

static inline float *floats(int64_t n, int seed) {
    float *x = arena_alloc(a, sizeof(float) * (size_t)n);
    for (int64_t i = 0; i < n; i++) x[i] = (float)((i * 37 + seed) % 101) / 8 - 6;
    return x;
}
static inline recipe *vector(const char *name, int64_t n, float **data) {
    *data = floats(n, (int)n);
    return tensor_of(name, ELEM_F32, 1, &n, *data);
}
static inline recipe *matrix(const char *name, int64_t rows, int64_t cols, float **data) {
    *data = floats(rows * cols, (int)(rows * 7 + cols));
    return tensor_of(name, ELEM_F32, 2, (int64_t[]){rows, cols}, *data);
}

static inline void *run(const recipe *r) {
    void *out = malloc(recipe_bytes(r));
    ck_assert_msg(recipe_run(r, &source, out, &d), "%s", d.count ? d.items[0].text : "");
    return out;
}

#define EACH(i, j, rows, cols)                                                                               \
    for (int64_t i = 0; i < (rows); i++)                                                                     \
        for (int64_t j = 0; j < (cols); j++)

static const int64_t shapes[][2] = {{1, 1}, {1, 7}, {7, 1}, {33, 31}, {40, 65}, {17, 48}};
#define SHAPES (int)(sizeof(shapes) / sizeof(shapes[0]))
#endif
