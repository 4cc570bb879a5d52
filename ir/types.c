#include "ir/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t size; // of an element by itself
    int bits;    // in memory
} elems[] = {
    [ELEM_F32] = {"f32", 4, 32},        [ELEM_F16] = {"f16", 2, 16},        [ELEM_BF16] = {"bf16", 2, 16},
    [ELEM_I32] = {"i32", 4, 32},        [ELEM_I8] = {"i8", 1, 8},           [ELEM_U8] = {"u8", 1, 8},
    [ELEM_I4] = {"i4", 1, 4},           [ELEM_I1] = {"i1", 1, 8},           [ELEM_F64] = {"f64", 8, 64},
    [ELEM_F8_E4M3] = {"f8_e4m3", 1, 8}, [ELEM_F8_E5M2] = {"f8_e5m2", 1, 8},
};
static_assert(sizeof(elems) / sizeof(elems[0]) == ELEM_COUNT, "a row an element type");

static const char *const syms[] = {
    [SYM_NONE] = "", [SYM_T] = "T", [SYM_S] = "S", [SYM_R] = "R", [SYM_L] = "L", [SYM_Q] = "Q", [SYM_M] = "M",
};
static_assert(sizeof(syms) / sizeof(syms[0]) == SYM_COUNT, "a name a symbol");

const char *elem_name(elem e) {
    return elems[e].name;
}
size_t elem_size(elem e) {
    return elems[e].size;
}
int elem_bits(elem e) {
    return elems[e].bits;
}
int64_t elem_bytes(elem e, int64_t n) {
    return e == ELEM_I4 ? ceil_div(n, 2) : n * (int64_t)elems[e].size;
}

bool elem_is_stored(elem e) {
    switch (e) {
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2: return true;
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_I32:
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4:
    case ELEM_I1:
    case ELEM_COUNT: break;
    }
    return false;
}

bool elem_is_float(elem e) {
    switch (e) {
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2: return true;
    case ELEM_I32:
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4:
    case ELEM_I1:
    case ELEM_COUNT: break;
    }
    return false;
}

bool elem_packs(elem e) {
    switch (e) {
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4: return true;
    case ELEM_I32:
    case ELEM_I1:
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    return false;
}

const char *sym_name(sym s) {
    return syms[s];
}

bool type_same_shape(const type *a, const type *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++) {
        if (!dim_eq(a->d[i], b->d[i])) return false;
    }
    return true;
}

bool type_eq(const type *a, const type *b) {
    return a->e == b->e && a->layout == b->layout && type_same_shape(a, b);
}

type type_make(elem e, int rank, const dim *d) {
    assert(rank >= 0 && rank <= IR_MAX_RANK);
    type t = {.e = e, .layout = LAYOUT_ROW, .rank = rank};
    for (int i = 0; i < rank; i++) t.d[i] = d[i];
    return t;
}

static void __attribute__((format(printf, 4, 5))) append_format(char *buf, size_t size, size_t *at,
                                                                const char *format, ...) {
    if (*at >= size) return;
    va_list list;
    va_start(list, format);
    int n = vsnprintf(buf + *at, size - *at, format, list);
    va_end(list);
    *at += n > 0 ? (size_t)n : 0;
}

const char *type_print(const type *t, char *buf, size_t size) {
    size_t at = 0;
    append_format(buf, size, &at, "%s[", elem_name(t->e));
    for (int i = 0; i < t->rank; i++) {
        const char *comma = i ? "," : "";
        dim d = t->d[i];
        if (d.s == SYM_NONE)
            append_format(buf, size, &at, "%s%" PRId64, comma, d.n);
        else if (d.n == 0)
            append_format(buf, size, &at, "%s%s", comma, sym_name(d.s));
        else
            append_format(buf, size, &at, "%s%s%+" PRId64, comma, sym_name(d.s), d.n);
    }
    append_format(buf, size, &at, t->layout == LAYOUT_PACKED ? "] packed" : "]");
    return buf;
}

int64_t type_count(const type *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        if (t->d[i].s != SYM_NONE || __builtin_mul_overflow(n, t->d[i].n, &n)) return -1;
    }
    return n;
}

int64_t dim_value(dim d, const bindings *b) {
    return d.s == SYM_NONE ? d.n : b->v[d.s] + d.n;
}

int64_t type_count_bound(const type *t, const bindings *b) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        if (__builtin_mul_overflow(n, dim_value(t->d[i], b), &n)) return -1;
    }
    return n;
}

// --- Memory

// ceil_div(n, 2) for i4 without a sum that could wrap; -1: too many.
static int64_t checked_bytes(elem e, int64_t rows, int64_t n) {
    int64_t row, bytes;
    if (e == ELEM_I4)
        row = n / 2 + n % 2;
    else if (__builtin_mul_overflow(n, (int64_t)elems[e].size, &row))
        return -1;
    return __builtin_mul_overflow(rows, row, &bytes) ? -1 : bytes;
}

int64_t type_bytes(const type *t) {
    if (type_count(t) < 0) return -1;
    if (t->layout == LAYOUT_PACKED) return packed_bytes(t->e, t->d[0].n, t->d[1].n);
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->rank; i++) rows *= t->d[i].n;
    return checked_bytes(t->e, rows, t->rank ? t->d[t->rank - 1].n : 1);
}

#define GROUPS_TOGETHER 16 // an AMX tile spans as many

int64_t packed_group(elem e) {
    return 32 / elem_bits(e);
}

int64_t packed_groups(elem e, int64_t rows) {
    int64_t g = packed_group(e), groups = rows / g + (rows % g != 0);
    return g == 1 ? groups : round_up(groups, GROUPS_TOGETHER);
}

int64_t packed_bytes(elem e, int64_t rows, int64_t columns) {
    int64_t panels = columns / PANEL_COLUMNS + (columns % PANEL_COLUMNS != 0), bytes;
    if (__builtin_mul_overflow(panels, packed_groups(e, rows), &bytes) ||
        __builtin_mul_overflow(bytes, (int64_t)GROUP_BYTES, &bytes))
        return -1;
    return bytes;
}

int64_t packed_at(elem e, int64_t rows, int64_t k, int64_t n, bool *high) {
    int64_t g = packed_group(e), group = n / PANEL_COLUMNS * packed_groups(e, rows) + k / g;
    int64_t in = k % g * elem_bits(e) / 8;
    *high = e == ELEM_I4 && k % g >= 4;
    if (e == ELEM_I4) in = k % 4;
    return group * GROUP_BYTES + n % PANEL_COLUMNS * 4 + in;
}
