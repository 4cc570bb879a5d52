// Types of the IR: element types, dimensions, layouts.
//
// A dimension is a number, or a symbol plus a number. A symbol is a length that is known only at run time:
//   T  tokens of the call
//   S  sequences of the call
//   R  rows that a head reads
//   L  tokens of one sequence; only in the body of a `per_sequence`
//   Q  rows that a head reads in one sequence; only there
//   M  the variant's length (the longest sequence that fits): the width to which ragged results are padded
#ifndef BERTC_IR_TYPES_H
#define BERTC_IR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_MAX_RANK 6

// The order means nothing; use the functions below. Only tensors of a checkpoint may be f64 or f8, not values of a
// graph.
typedef enum elem {
    ELEM_F32,
    ELEM_F16,
    ELEM_BF16,
    ELEM_I32,
    ELEM_I8,
    ELEM_U8,
    ELEM_I4, // -8 to 7
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

// Layout of a matrix [K,N] in memory. `row` is row-major. `packed` is [ceil(N/16)][K'][16][g]: panels of 16
// columns, K' groups of g rows each, g = 4 / the size of an element (i4: 8), so that a group is always 64
// bytes. K' = ceil(K / g), and for elements below 4 bytes the next multiple of 16. Elements past N and K are
// zero. A group of i4 is [16][4] bytes: low nibbles are rows 0 to 3 of the group, high nibbles rows 4 to 7.
// One packing for every ISA of an architecture.
typedef enum layout { LAYOUT_ROW, LAYOUT_PACKED, LAYOUT_COUNT } layout;
#define PANEL_COLUMNS 16
#define GROUP_BYTES   64

typedef struct type {
    elem e;
    layout layout;
    int rank;
    dim d[IR_MAX_RANK];
} type;

// n rounded up to a multiple of `to`, and n / by rounded up; n is not negative.
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
// Bytes of one element that is stored separately: in the evaluator's tensors and in literals. i1 and i4 take one.
size_t elem_size(elem e);
int elem_bits(elem e); // in memory: 4 for i4, 8 for i1
// Bytes of a row of n elements in memory. i4: two per byte, the low nibble first. A row begins at a byte; if n is
// odd, the last high nibble is 0.
int64_t elem_bytes(elem e, int64_t n);
bool elem_is_stored(elem e); // may only a tensor of a checkpoint have it?
bool elem_is_float(elem e);
bool elem_packs(elem e);     // may a matrix of it have LAYOUT_PACKED?
const char *sym_name(sym s); // "T"
bool type_eq(const type *a, const type *b);
bool type_same_shape(const type *a, const type *b);
type type_make(elem e, int rank, const dim *d);
// Prints "f32[T,768]", or "f32[768,3072] packed", into `buf`; returns it.
const char *type_print(const type *t, char *buf, size_t size);
// Number of elements; -1 if the type has a symbol.
int64_t type_count(const type *t);
// Bytes in memory: dense rows (along the last axis), or the packed layout with its padding; -1 if the type has a
// symbol or is too large.
int64_t type_bytes(const type *t);
// Convert between separate elements (elem_size bytes each) and rows in memory, for a row-major type without symbols.
// The bytes differ only for i4. (convert.c)
void type_to_memory(const type *t, const void *elements, void *memory);
void type_from_memory(const type *t, const void *memory, void *elements);

// --- The packed layout, of a matrix [rows, columns]

int64_t packed_group(elem e);                                // g: rows in a group
int64_t packed_groups(elem e, int64_t rows);                 // K': groups in a panel
int64_t packed_bytes(elem e, int64_t rows, int64_t columns); // -1: too many
// The byte offset of element [k, n]. For i4, `*high` says in which nibble; for other types it is false.
int64_t packed_at(elem e, int64_t rows, int64_t k, int64_t n, bool *high);

// Converts n separate elements (elem_size bytes each), by way of f32, to any type but f64 and f8:
//   to f16, bf16   the nearest, ties to even
//   to an integer  towards zero; what does not fit becomes the nearest that does, NaN becomes 0
//   to i1          whether it is not 0
// `in` may be unaligned, `out` not. (convert.c)
void elem_convert(elem from, const void *in, elem to, void *out, int64_t n);

// Values of the symbols in one evaluation or variant.
typedef struct bindings {
    int64_t v[SYM_COUNT];
} bindings;
int64_t dim_value(dim d, const bindings *b);
int64_t type_count_bound(const type *t, const bindings *b);

#endif
