#include "recipe.h"
#include "half.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- Makers

static recipe *make(arena *a, recipe_kind kind, type t, int n, recipe *const *parts) {
    recipe *r = ARENA_NEW(a, recipe);
    r->kind = kind;
    r->type = t;
    r->part_count = n;
    r->parts = n ? arena_dup(a, parts, sizeof(*parts) * (size_t)n) : NULL;
    return r;
}

static type numbers_type(elem e, int rank, const int64_t *shape) {
    assert(rank >= 0 && rank <= IR_MAX_RANK);
    type t = {.e = e, .rank = rank};
    for (int i = 0; i < rank; i++) t.d[i] = dim_num(shape[i]);
    return t;
}

recipe *recipe_tensor(arena *a, const char *name, elem e, int rank, const int64_t *shape) {
    recipe *r = make(a, RECIPE_TENSOR, numbers_type(e, rank, shape), 0, NULL);
    r->tensor = arena_strdup(a, name);
    return r;
}

recipe *recipe_transpose(arena *a, recipe *r) {
    type t = r->type;
    assert(t.rank == 2 && t.layout == LAYOUT_ROW);
    t.d[0] = r->type.d[1];
    t.d[1] = r->type.d[0];
    return make(a, RECIPE_TRANSPOSE, t, 1, &r);
}

recipe *recipe_concat(arena *a, int64_t axis, int n, recipe *const *parts) {
    type t = parts[0]->type;
    assert(n > 0 && axis >= 0 && axis < t.rank && t.layout == LAYOUT_ROW);
    for (int i = 1; i < n; i++) {
        const type *p = &parts[i]->type;
        assert(p->e == t.e && p->rank == t.rank && p->layout == LAYOUT_ROW);
        t.d[axis].n += p->d[axis].n;
    }
    recipe *r = make(a, RECIPE_CONCAT, t, n, parts);
    r->axis = axis;
    return r;
}

recipe *recipe_scale(arena *a, recipe *r, double c) {
    assert(r->type.e == ELEM_F32 && r->type.layout == LAYOUT_ROW);
    recipe *scaled = make(a, RECIPE_SCALE, r->type, 1, &r);
    scaled->scale = c;
    return scaled;
}

recipe *recipe_cast(arena *a, recipe *r, elem to) {
    type t = r->type;
    assert(t.layout == LAYOUT_ROW && t.e <= ELEM_BF16 && to <= ELEM_BF16);
    t.e = to;
    return make(a, RECIPE_CAST, t, 1, &r);
}

recipe *recipe_reshape(arena *a, recipe *r, int rank, const int64_t *shape) {
    type t = numbers_type(r->type.e, rank, shape);
    assert(r->type.layout == LAYOUT_ROW && type_count(&t) == type_count(&r->type));
    return make(a, RECIPE_RESHAPE, t, 1, &r);
}

recipe *recipe_pack(arena *a, recipe *r) {
    type t = r->type;
    assert(t.rank == 2 && t.e == ELEM_F32 && t.layout == LAYOUT_ROW);
    t.layout = LAYOUT_PACKED;
    return make(a, RECIPE_PACK, t, 1, &r);
}

bool recipe_eq(const recipe *a, const recipe *b) {
    if (a == b) return true;
    if (a->kind != b->kind || !type_eq(&a->type, &b->type) || a->part_count != b->part_count) return false;
    if (a->axis != b->axis || memcmp(&a->scale, &b->scale, sizeof(double))) return false;
    if (a->kind == RECIPE_TENSOR && strcmp(a->tensor, b->tensor)) return false;
    for (int i = 0; i < a->part_count; i++) {
        if (!recipe_eq(a->parts[i], b->parts[i])) return false;
    }
    return true;
}

size_t recipe_bytes(const recipe *r) {
    if (r->type.layout == LAYOUT_PACKED) {
        size_t panels = ((size_t)r->type.d[1].n + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
        return panels * PANEL_COLUMNS * (size_t)r->type.d[0].n * sizeof(float);
    }
    return (size_t)type_count(&r->type) * elem_size(r->type.e);
}

// --- Execution. A view is a matrix with two strides, so that a transposition costs nothing until its
// elements are copied; what is not a matrix is one row. Data is dense in one of the two orders, and may be
// unaligned.

typedef struct view {
    elem e;
    int64_t rows, cols, row_step, col_step;
    const unsigned char *data;
    void *owned;
} view;

static bool view_dense(const view *v) {
    return v->col_step == 1;
}

static view view_of(const type *t, const void *data, void *owned) {
    bool matrix = t->rank == 2;
    int64_t rows = matrix ? t->d[0].n : 1, cols = matrix ? t->d[1].n : type_count(t);
    return (view){t->e, rows, cols, cols, 1, data, owned};
}

static void widen(elem e, const unsigned char *in, float *out, int64_t n) {
    uint16_t h;
    if (e == ELEM_F32) {
        memcpy(out, in, (size_t)n * 4);
    } else if (e == ELEM_F16) {
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_f16(h);
    } else {
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_bf16(h);
    }
}

void elem_convert(elem from, const void *data, elem to, void *out, int64_t n) {
    const unsigned char *in = data;
    if (from == to) {
        memcpy(out, in, (size_t)n * elem_size(to));
        return;
    }
    if (to == ELEM_F32) {
        widen(from, in, out, n);
        return;
    }
    float block[256];
    uint16_t *half = out;
    for (int64_t i = 0; i < n; i += 256) {
        int64_t m = n - i < 256 ? n - i : 256;
        widen(from, in + (size_t)i * elem_size(from), block, m);
        for (int64_t k = 0; k < m; k++) half[i + k] = to == ELEM_F16 ? to_f16(block[k]) : to_bf16(block[k]);
    }
}

#define BLOCK 32

// Into a row-major matrix whose rows are `ld` elements apart.
static void copy_matrix(const view *v, unsigned char *out, int64_t ld) {
    size_t size = elem_size(v->e);
    if (view_dense(v)) {
        for (int64_t i = 0; i < v->rows; i++) {
            memcpy(out + (size_t)(i * ld) * size, v->data + (size_t)(i * v->row_step) * size,
                   (size_t)v->cols * size);
        }
        return;
    }
    for (int64_t i0 = 0; i0 < v->rows; i0 += BLOCK) {
        for (int64_t j0 = 0; j0 < v->cols; j0 += BLOCK) {
            int64_t i1 = i0 + BLOCK < v->rows ? i0 + BLOCK : v->rows;
            int64_t j1 = j0 + BLOCK < v->cols ? j0 + BLOCK : v->cols;
            for (int64_t i = i0; i < i1; i++) {
                const unsigned char *from = v->data + (size_t)(i * v->row_step) * size;
                unsigned char *to = out + (size_t)(i * ld) * size;
                if (size == 4) {
                    for (int64_t j = j0; j < j1; j++) memcpy(to + 4 * j, from + 4 * j * v->col_step, 4);
                } else {
                    for (int64_t j = j0; j < j1; j++) memcpy(to + 2 * j, from + 2 * j * v->col_step, 2);
                }
            }
        }
    }
}

static void pack(const view *v, float *out) {
    for (int64_t j = 0; j < v->cols; j += PANEL_COLUMNS, out += PANEL_COLUMNS * v->rows) {
        int64_t n = v->cols - j < PANEL_COLUMNS ? v->cols - j : PANEL_COLUMNS;
        if (n < PANEL_COLUMNS) memset(out, 0, sizeof(float) * (size_t)(PANEL_COLUMNS * v->rows));
        for (int64_t k0 = 0; k0 < v->rows; k0 += BLOCK) {
            int64_t k1 = k0 + BLOCK < v->rows ? k0 + BLOCK : v->rows;
            for (int64_t c = 0; c < n; c++) {
                const unsigned char *from = v->data + 4 * (j + c) * v->col_step;
                for (int64_t k = k0; k < k1; k++)
                    memcpy(&out[k * PANEL_COLUMNS + c], from + 4 * k * v->row_step, 4);
            }
        }
    }
}

static bool run(const recipe *r, const tensor_source *source, void *out, diag *d);
static bool find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d);

// The result as a view; memory of its own where the recipe computes.
static bool open_view(const recipe *r, const tensor_source *source, view *v, diag *d) {
    if (r->kind == RECIPE_TENSOR) {
        tensor_view t;
        if (!find_tensor(r, source, &t, d)) return false;
        *v = view_of(&r->type, t.data, NULL);
        return true;
    }
    if (r->kind == RECIPE_TRANSPOSE) {
        view x;
        if (!open_view(r->parts[0], source, &x, d)) return false;
        *v = (view){x.e, x.cols, x.rows, x.col_step, x.row_step, x.data, x.owned};
        return true;
    }
    if (r->kind == RECIPE_RESHAPE) {
        if (!open_view(r->parts[0], source, v, d)) return false;
        if (view_dense(v)) {
            *v = view_of(&r->type, v->data, v->owned);
            return true;
        }
        free(v->owned);
    }
    void *owned = malloc(recipe_bytes(r) + 1);
    if (!owned) return diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r));
    if (!run(r, source, owned, d)) {
        free(owned);
        return false;
    }
    *v = view_of(&r->type, owned, owned);
    return true;
}

static bool find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d) {
    char place[256], want[96], has[96];
    snprintf(place, sizeof(place), "tensor \"%s\"", r->tensor);
    if (!source || !source->find(source->context, r->tensor, t)) {
        return diag_error(d, place, "is not in the checkpoint");
    }
    type found = numbers_type(t->e, t->rank, t->shape);
    if (type_eq(&found, &r->type)) return true;
    return diag_error(d, place, "is %s in the checkpoint, not %s", type_print(&found, has, sizeof(has)),
                      type_print(&r->type, want, sizeof(want)));
}

// Cast and scale, in the order in which the part lies; a transposed part is transposed afterwards.
static bool run_elementwise(const recipe *r, const tensor_source *source, void *out, diag *d) {
    view v;
    if (!open_view(r->parts[0], source, &v, d)) return false;
    int64_t n = v.rows * v.cols;
    unsigned char *to = out;
    unsigned char *between = view_dense(&v) ? NULL : malloc(recipe_bytes(r) + 1);
    bool ok = view_dense(&v) || between;
    if (!ok) diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r));
    if (ok && between) to = between;
    if (ok && r->kind == RECIPE_CAST) elem_convert(v.e, v.data, r->type.e, to, n);
    if (ok && r->kind == RECIPE_SCALE) {
        float c = (float)r->scale, x;
        for (int64_t i = 0; i < n; i++) memcpy(&x, v.data + 4 * i, 4), x *= c, memcpy(to + 4 * i, &x, 4);
    }
    if (ok && between) {
        view result = v;
        result.e = r->type.e;
        result.data = between;
        copy_matrix(&result, out, v.cols);
    }
    free(between);
    free(v.owned);
    return ok;
}

static bool run_concat(const recipe *r, const tensor_source *source, unsigned char *out, diag *d) {
    size_t size = elem_size(r->type.e);
    int64_t outer = 1, inner = 1, at = 0;
    for (int i = 0; i < r->type.rank; i++) *(i < r->axis ? &outer : &inner) *= r->type.d[i].n;
    for (int i = 0; i < r->part_count; i++) {
        const type *t = &r->parts[i]->type;
        int64_t cols = type_count(t) / outer;
        view v;
        if (!open_view(r->parts[i], source, &v, d)) return false;
        if (t->rank != 2) {
            v.rows = outer;
            v.cols = v.row_step = cols;
        }
        copy_matrix(&v, out + (size_t)at * size, t->rank == 2 && r->axis == 0 ? v.cols : inner);
        at += cols;
        free(v.owned);
    }
    return true;
}

static bool run(const recipe *r, const tensor_source *source, void *out, diag *d) {
    if (r->kind == RECIPE_CONCAT) return run_concat(r, source, out, d);
    if (r->kind == RECIPE_CAST || r->kind == RECIPE_SCALE) return run_elementwise(r, source, out, d);
    view v;
    const recipe *from = r->kind == RECIPE_TENSOR || r->kind == RECIPE_TRANSPOSE ? r : r->parts[0];
    if (!open_view(from, source, &v, d)) return false;
    if (r->kind == RECIPE_PACK)
        pack(&v, out);
    else
        copy_matrix(&v, out, v.cols);
    free(v.owned);
    return true;
}

bool recipe_run(const recipe *r, const tensor_source *source, void *out, diag *d) {
    return run(r, source, out, d);
}

// --- Hash

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static uint64_t mix_bytes(uint64_t h, const void *data, size_t size) {
    const unsigned char *p = data;
    uint64_t word;
    h = mix(h, size);
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        h = mix(h, word);
    }
    word = 0;
    memcpy(&word, p, size);
    return mix(h, word);
}

static bool hash_into(uint64_t *h, const recipe *r, const tensor_source *source, diag *d) {
    uint64_t scale;
    memcpy(&scale, &r->scale, sizeof(scale));
    *h = mix(mix(mix(*h, (uint64_t)r->kind), (uint64_t)r->axis), scale);
    *h = mix(mix(*h, (uint64_t)r->type.e), (uint64_t)r->type.rank);
    for (int i = 0; i < r->type.rank; i++) *h = mix(*h, (uint64_t)r->type.d[i].n);
    if (r->kind == RECIPE_TENSOR) {
        tensor_view t;
        if (!find_tensor(r, source, &t, d)) return false;
        *h = mix_bytes(mix_bytes(*h, r->tensor, strlen(r->tensor)), t.data, recipe_bytes(r));
    }
    for (int i = 0; i < r->part_count; i++) {
        if (!hash_into(h, r->parts[i], source, d)) return false;
    }
    return true;
}

bool recipe_hash(const recipe *r, const tensor_source *source, uint64_t *hash, diag *d) {
    *hash = 0x6265727463ull;
    return hash_into(hash, r, source, d);
}
