#include "ir/recipe.h"
#include "ir/recipe_parts.h"

#include <assert.h>
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

type recipe_type(elem e, int rank, const int64_t *shape) {
    assert(rank >= 0 && rank <= IR_MAX_RANK);
    type t = {.e = e, .rank = rank};
    for (int i = 0; i < rank; i++) t.d[i] = dim_num(shape[i]);
    return t;
}

recipe *recipe_tensor(arena *a, const char *name, elem e, int rank, const int64_t *shape) {
    recipe *r = make(a, RECIPE_TENSOR, recipe_type(e, rank, shape), 0, NULL);
    r->tensor = arena_strdup(a, name);
    return r;
}

recipe *recipe_zeros(arena *a, const char *name, int rank, const int64_t *shape) {
    recipe *r = recipe_tensor(a, name, ELEM_F32, rank, shape);
    r->kind = RECIPE_ZEROS;
    return r;
}

bool recipe_is_zeros(const recipe *r) {
    bool moves = r->kind == RECIPE_TRANSPOSE || r->kind == RECIPE_CONCAT || r->kind == RECIPE_CAST ||
                 r->kind == RECIPE_RESHAPE || r->kind == RECIPE_SLICE || r->kind == RECIPE_PACK;
    if (!moves) return r->kind == RECIPE_ZEROS;
    for (int i = 0; i < r->part_count; i++)
        if (!recipe_is_zeros(r->parts[i])) return false;
    return true;
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

static recipe *with_number(arena *a, recipe_kind kind, recipe *r, double c) {
    assert(r->type.e == ELEM_F32 && r->type.layout == LAYOUT_ROW);
    recipe *changed = make(a, kind, r->type, 1, &r);
    changed->scale = c;
    return changed;
}

recipe *recipe_scale(arena *a, recipe *r, double c) {
    return with_number(a, RECIPE_SCALE, r, c);
}

recipe *recipe_shift(arena *a, recipe *r, double c) {
    return with_number(a, RECIPE_SHIFT, r, c);
}

bool recipe_casts(elem from, elem to) {
    return from != ELEM_I1 && to != ELEM_I1 && !elem_is_stored(to);
}

recipe *recipe_cast(arena *a, recipe *r, elem to) {
    type t = r->type;
    assert(t.layout == LAYOUT_ROW && recipe_casts(t.e, to));
    t.e = to;
    return make(a, RECIPE_CAST, t, 1, &r);
}

recipe *recipe_reshape(arena *a, recipe *r, int rank, const int64_t *shape) {
    type t = recipe_type(r->type.e, rank, shape);
    assert(r->type.layout == LAYOUT_ROW && type_count(&t) == type_count(&r->type));
    return make(a, RECIPE_RESHAPE, t, 1, &r);
}

recipe *recipe_slice(arena *a, recipe *r, int64_t axis, int64_t begin, int64_t end) {
    type t = r->type;
    assert(t.layout == LAYOUT_ROW && axis >= 0 && axis < t.rank);
    assert(0 <= begin && begin < end && end <= t.d[axis].n);
    t.d[axis] = dim_num(end - begin);
    recipe *part = make(a, RECIPE_SLICE, t, 1, &r);
    part->axis = axis;
    part->begin = begin;
    return part;
}

recipe *recipe_diagonal(arena *a, recipe *r, int64_t n) {
    type t = r->type;
    assert(t.rank == 2 && t.layout == LAYOUT_ROW && n > 0 && t.d[0].n % n == 0);
    t.d[1].n *= n;
    recipe *d = make(a, RECIPE_DIAGONAL, t, 1, &r);
    d->axis = n;
    return d;
}

recipe *recipe_waves(arena *a, recipe_kind kind, int64_t rows, int64_t columns, double c) {
    assert(kind == RECIPE_COS || kind == RECIPE_SIN);
    recipe *r = make(a, kind, recipe_type(ELEM_F32, 2, (int64_t[]){rows, columns}), 0, NULL);
    r->scale = c;
    return r;
}

recipe *recipe_dft(arena *a, recipe_kind kind, int64_t n) {
    assert(kind == RECIPE_DFT_COS || kind == RECIPE_DFT_SIN);
    return make(a, kind, recipe_type(ELEM_F32, 2, (int64_t[]){n, n}), 0, NULL);
}

static bool is_plain(const type *t, int rank) {
    return t->e == ELEM_F32 && t->layout == LAYOUT_ROW && t->rank == rank;
}

bool recipe_is_computed(recipe_kind kind) {
    return kind == RECIPE_PRODUCT || kind == RECIPE_SUM || kind == RECIPE_NORM || kind == RECIPE_LARGE ||
           kind == RECIPE_QUOTIENT || kind == RECIPE_SCALE_ROWS;
}

bool recipe_fits(recipe_kind kind, int n, recipe *const *parts) {
    if (kind == RECIPE_LARGE) return n == 1 && is_plain(&parts[0]->type, 1);
    if (n != (kind == RECIPE_NORM ? 3 : 2)) return false;
    const type *x = &parts[0]->type, *y = &parts[1]->type;
    if (kind == RECIPE_QUOTIENT) return is_plain(x, 1) && type_eq(x, y);
    if (!is_plain(x, 2)) return false;
    if (kind == RECIPE_SCALE_ROWS) return is_plain(y, 1) && y->d[0].n == x->d[0].n;
    bool vector = is_plain(y, 1) && y->d[0].n == x->d[1].n;
    if (kind == RECIPE_PRODUCT) return is_plain(y, 2) && x->d[1].n == y->d[0].n;
    if (kind == RECIPE_SUM) return vector || type_eq(x, y);
    return kind == RECIPE_NORM && vector && type_eq(y, &parts[2]->type);
}

recipe *recipe_product(arena *a, recipe *x, recipe *w) {
    recipe *parts[] = {x, w};
    assert(recipe_fits(RECIPE_PRODUCT, 2, parts));
    type t = x->type;
    t.d[1] = w->type.d[1];
    return make(a, RECIPE_PRODUCT, t, 2, parts);
}

recipe *recipe_sum(arena *a, recipe *x, recipe *y) {
    recipe *parts[] = {x, y};
    assert(recipe_fits(RECIPE_SUM, 2, parts));
    return make(a, RECIPE_SUM, x->type, 2, parts);
}

recipe *recipe_norm(arena *a, recipe *x, recipe *gamma, recipe *beta, double eps) {
    recipe *parts[] = {x, gamma, beta};
    assert(recipe_fits(RECIPE_NORM, 3, parts));
    recipe *r = make(a, RECIPE_NORM, x->type, 3, parts);
    r->scale = eps;
    return r;
}

recipe *recipe_numbers(arena *a, int64_t n, const float *numbers) {
    recipe *r = make(a, RECIPE_NUMBERS, recipe_type(ELEM_F32, 1, &n), 0, NULL);
    r->numbers = arena_dup(a, numbers, sizeof(float) * (size_t)n);
    return r;
}

recipe *recipe_large(arena *a, recipe *r, double c) {
    assert(recipe_fits(RECIPE_LARGE, 1, &r));
    recipe *large = make(a, RECIPE_LARGE, r->type, 1, &r);
    large->scale = c;
    return large;
}

recipe *recipe_quotient(arena *a, recipe *x, recipe *y) {
    recipe *parts[] = {x, y};
    assert(recipe_fits(RECIPE_QUOTIENT, 2, parts));
    return make(a, RECIPE_QUOTIENT, x->type, 2, parts);
}

recipe *recipe_scale_rows(arena *a, recipe *x, recipe *by) {
    recipe *parts[] = {x, by};
    assert(recipe_fits(RECIPE_SCALE_ROWS, 2, parts));
    return make(a, RECIPE_SCALE_ROWS, x->type, 2, parts);
}

const char *recipe_word(recipe_kind kind) {
    static const char *const words[] = {
        [RECIPE_TENSOR] = "tensor",
        [RECIPE_TRANSPOSE] = "transpose",
        [RECIPE_CONCAT] = "concat",
        [RECIPE_SCALE] = "scale",
        [RECIPE_CAST] = "cast",
        [RECIPE_RESHAPE] = "reshape",
        [RECIPE_SLICE] = "slice",
        [RECIPE_DIAGONAL] = "diagonal",
        [RECIPE_COS] = "cos",
        [RECIPE_SIN] = "sin",
        [RECIPE_DFT_COS] = "dft_cos",
        [RECIPE_DFT_SIN] = "dft_sin",
        [RECIPE_PRODUCT] = "product",
        [RECIPE_SUM] = "sum",
        [RECIPE_NORM] = "norm",
        [RECIPE_PACK] = "pack",
        [RECIPE_COLUMN_SCALES] = "column_scales",
        [RECIPE_QUANTIZE_COLUMNS] = "quantize_columns",
        [RECIPE_ROW_SCALES] = "row_scales",
        [RECIPE_QUANTIZE_ROWS] = "quantize_rows",
        [RECIPE_COLUMN_SUMS] = "column_sums",
        [RECIPE_NUMBERS] = "numbers",
        [RECIPE_LARGE] = "large",
        [RECIPE_QUOTIENT] = "quotient",
        [RECIPE_SCALE_ROWS] = "scale_rows",
        [RECIPE_SHIFT] = "shift",
        [RECIPE_ZEROS] = "zeros",
    };
    static_assert(sizeof(words) / sizeof(words[0]) == RECIPE_KINDS, "a word a kind");
    return kind < RECIPE_KINDS ? words[kind] : NULL;
}

recipe *recipe_pack(arena *a, recipe *r) {
    type t = r->type;
    assert(t.rank == 2 && elem_packs(t.e) && t.layout == LAYOUT_ROW);
    t.layout = LAYOUT_PACKED;
    return make(a, RECIPE_PACK, t, 1, &r);
}

recipe *recipe_quantized(arena *a, recipe_kind kind, recipe *r, int64_t limit) {
    type t = r->type;
    assert(is_plain(&t, 2) && limit >= 1 && limit <= 127);
    if (kind == RECIPE_QUANTIZE_COLUMNS || kind == RECIPE_QUANTIZE_ROWS)
        t.e = ELEM_I8;
    else if (kind == RECIPE_ROW_SCALES)
        t.d[1] = dim_num(1);
    else
        t = recipe_type(ELEM_F32, 1, (int64_t[]){t.d[1].n});
    recipe *q = make(a, kind, t, 1, &r);
    q->scale = (double)limit;
    return q;
}

recipe *recipe_column_sums(arena *a, recipe *r, int64_t group, int64_t factor) {
    int64_t k = r->type.d[0].n, n = r->type.d[1].n;
    assert(r->type.e == ELEM_I8 && r->type.rank == 2 && r->type.layout == LAYOUT_ROW);
    assert(group > 0 && k % group == 0);
    type t = group == k ? recipe_type(ELEM_I32, 1, (int64_t[]){n})
                        : recipe_type(ELEM_I32, 2, (int64_t[]){k / group, n});
    recipe *sums = make(a, RECIPE_COLUMN_SUMS, t, 1, &r);
    sums->axis = group;
    sums->scale = (double)factor;
    return sums;
}

bool recipe_eq(const recipe *a, const recipe *b) {
    if (a == b) return true;
    if (a->kind != b->kind || !type_eq(&a->type, &b->type) || a->part_count != b->part_count) return false;
    if (a->axis != b->axis || a->begin != b->begin || memcmp(&a->scale, &b->scale, sizeof(double)))
        return false;
    if (recipe_names_tensor(a) && strcmp(a->tensor, b->tensor)) return false;
    if (a->kind == RECIPE_NUMBERS && memcmp(a->numbers, b->numbers, recipe_bytes(a))) return false;
    for (int i = 0; i < a->part_count; i++) {
        if (!recipe_eq(a->parts[i], b->parts[i])) return false;
    }
    return true;
}

size_t recipe_bytes(const recipe *r) {
    return (size_t)type_bytes(&r->type);
}
