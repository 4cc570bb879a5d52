#include "ir/types.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} elems[] = {
    [ELEM_F32] = {"f32", 4},         [ELEM_F16] = {"f16", 2},         [ELEM_BF16] = {"bf16", 2},
    [ELEM_I32] = {"i32", 4},         [ELEM_I1] = {"i1", 1},           [ELEM_F64] = {"f64", 8},
    [ELEM_F8_E4M3] = {"f8_e4m3", 1}, [ELEM_F8_E5M2] = {"f8_e5m2", 1},
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
bool elem_is_stored(elem e) {
    return e >= ELEM_F64;
}
bool elem_is_float(elem e) {
    return e <= ELEM_BF16 || elem_is_stored(e);
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
