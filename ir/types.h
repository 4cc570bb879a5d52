// Types of the IR: element types, dimensions, layouts.
//
// A dimension is a number, or a symbol for what is known only at run time, plus a number:
//   T tokens present, S sequences, R rows that a head reads; and, inside a `per_sequence` body,
//   L tokens of this sequence and Q rows that a head reads in this sequence. M is the variant's length (the
//   longest sequence that fits), the width to which ragged results are padded.
#ifndef BERTC_IR_TYPES_H
#define BERTC_IR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_MAX_RANK 6

// The last three are what a tensor of a checkpoint may have; no value of a graph has them.
typedef enum elem {
    ELEM_F32,
    ELEM_F16,
    ELEM_BF16,
    ELEM_I32,
    ELEM_I1,
    ELEM_F64,
    ELEM_F8_E4M3, // as PyTorch's float8_e4m3fn: no infinity
    ELEM_F8_E5M2,
    ELEM_COUNT
} elem;

typedef enum sym { SYM_NONE, SYM_T, SYM_S, SYM_R, SYM_L, SYM_Q, SYM_M, SYM_COUNT } sym;

typedef struct dim {
    sym s;     // SYM_NONE: a plain number
    int64_t n; // the number, or what is added to the symbol
} dim;

// Layout of a matrix in memory. `row` is row-major. `packed` is [N/16][K][16]: panels of 16 columns, K rows
// each, the last panel filled with zeros; one packing for every ISA of an architecture.
typedef enum layout { LAYOUT_ROW, LAYOUT_PACKED, LAYOUT_COUNT } layout;
#define PANEL_COLUMNS 16

typedef struct type {
    elem e;
    layout layout;
    int rank;
    dim d[IR_MAX_RANK];
} type;

// n in whole steps of `to`, and the number of steps; n is not negative.
static inline int64_t round_up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}
static inline int64_t ceil_div(int64_t n, int64_t by) {
    return (n + by - 1) / by;
}

static inline dim dim_num(int64_t n) {
    return (dim){SYM_NONE, n};
}
static inline dim dim_sym(sym s) {
    return (dim){s, 0};
}
static inline bool dim_eq(dim a, dim b) {
    return a.s == b.s && a.n == b.n;
}
static inline bool dim_is(dim a, int64_t n) {
    return a.s == SYM_NONE && a.n == n;
}

const char *elem_name(elem e); // "f32"
size_t elem_size(elem e);      // bytes; i1 takes one
bool elem_is_stored(elem e);   // does only a tensor of a checkpoint have it?
bool elem_is_float(elem e);
const char *sym_name(sym s); // "T"
bool type_eq(const type *a, const type *b);
bool type_same_shape(const type *a, const type *b);
type type_make(elem e, int rank, const dim *d);
// "f32[T,768]", or "f32[768,3072] packed"; into `buf`, which is returned.
const char *type_print(const type *t, char *buf, size_t size);
// Elements of a type without symbols; -1 where it has one.
int64_t type_count(const type *t);

// Values of the symbols in one evaluation or variant.
typedef struct bindings {
    int64_t v[SYM_COUNT];
} bindings;
int64_t dim_value(dim d, const bindings *b);
int64_t type_count_bound(const type *t, const bindings *b);

#endif
