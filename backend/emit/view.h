// Views: how a kernel addresses a value, one base and a stride an axis; and sweeps over rows of views, a
// vector at a time. Used by all families and the norms. Private to backend/.
#ifndef BERTC_BACKEND_VIEW_H
#define BERTC_BACKEND_VIEW_H

#include "backend/emit/emit.h"

// Sizes may be known at run time alone; strides, in elements, are numbers, for buffers are laid out for the
// variant's capacity.
typedef struct view {
    type type;
    LLVMValueRef size[IR_MAX_RANK]; // i64
    int64_t stride[IR_MAX_RANK];    // of a packed matrix: unused
    LLVMValueRef base;
    // i4, two a byte: elements from `base` to the first one (i64), NULL: 0. `odd`: they may be an odd number.
    LLVMValueRef skipped;
    bool odd;
    LLVMValueRef immediate; // a scalar literal, used instead of memory; or NULL
    // Of a packed matrix's transpose [N,K], and of its rows: groups of 4 bytes in a panel, 64 bytes apart; else 0. Elements
    // have 8 or 16 bits.
    int64_t groups;
    bool padded; // whole vectors may be read and written past the end of the last axis
    int buffer;  // loop nest: the scratch buffer that holds it, or -1
} view;

// A view of `t` at `base`: strides of a dense block whose axes have at least `room` elements each; `ld`: the
// stride of the next to last axis, where it is wider (0: dense).
view view_make(const type *t, LLVMValueRef base, const LLVMValueRef *size, const int64_t *room, int64_t ld);
view view_immediate(emit *e, const graph *g, value v); // a literal of one element

// The first axis taken out, at `index` (i64).
view view_at(emit *e, const view *v, LLVMValueRef index);
view view_transpose(const view *v, const type *t, const attr *perm);
// [begin, begin + size) along each axis; begin: i64s.
// Of a packed matrix: rows [N,K] that view_at takes out of the panels.
view view_panel_rows(const view *v, const type *t);
view view_slice(emit *e, const view *v, const type *t, const LLVMValueRef *begin, const LLVMValueRef *size);
// Numpy's rule, up to t.
view view_broadcast(const view *v, const type *t, const LLVMValueRef *size);
// The same elements under another shape, where strides can express it; false where only a copy can.
bool view_reshape(const view *v, const type *t, const LLVMValueRef *size, view *out);
// The view from element `index[]` on, and its address (of no i4).
view view_from(emit *e, const view *v, const LLVMValueRef *index);
LLVMValueRef view_address(emit *e, const view *v, const LLVMValueRef *index);
// The view `index` (i64) steps further along an axis of that stride.
void view_step(emit *e, view *v, LLVMValueRef index, int64_t stride);

// Loops over the first `n` axes; `index` holds their counters. The builder is inside until walk_end.
typedef struct walk {
    int n;
    loop loops[IR_MAX_RANK];
    LLVMValueRef index[IR_MAX_RANK];
} walk;
walk walk_begin(emit *e, int n, const LLVMValueRef *size);
void walk_end(emit *e, walk *w);
// v at the walk's place: its first w->n axes taken out.
view walk_view(emit *e, const walk *w, const view *v);

// A sweep runs over a row of n elements, `width` at a time, then over the last few under a mask:
//
//   for (sweep s = sweep_begin(e, n, width, 1); sweep_next(&s);)
//       sweep_store(&s, &out, f(sweep_load(&s, &in)));
//
// The body is emitted once for each part. With `slots` > 1 the main part takes that many vectors in a turn,
// each with its own number in s.slot, so that reductions can keep independent accumulators. The order in
// which elements meet an accumulator follows from n, width and slots alone.
typedef struct sweep {
    emit *e;
    LLVMValueRef n, full; // full: where the next part begins
    LLVMValueRef begin;   // of the row's elements, the first; NULL: 0
    int width, slots, part, slot;
    loop l;
    LLVMValueRef index, mask; // first element; lanes that are in the row, or NULL: all
} sweep;
sweep sweep_begin(emit *e, LLVMValueRef n, int width, int slots);
// Over elements [begin, begin + n) of a row, n a known multiple of the width; begin NULL: as sweep_begin.
sweep sweep_part(emit *e, LLVMValueRef begin, LLVMValueRef n, int width, int slots);
bool sweep_next(sweep *s);
// Rows: views of rank 1 whose stride is 1 or 0, or, with width 1, anything (of rank 0: one element). Lanes that the
// mask hides are unspecified. i1 comes as <width x i1>, f16 and bf16 as their bits in i16, i8, u8 and i4 in i8.
LLVMValueRef sweep_load(const sweep *s, const view *row);
void sweep_store(const sweep *s, const view *row, LLVMValueRef v);
// v where the row is, `other` (a number, for f32) in lanes past its end.
LLVMValueRef sweep_masked(const sweep *s, LLVMValueRef v, double other);
// May the row be swept by vectors of the target's width? One of i4 only where each vector begins with a byte and
// none is cut off.
bool sweep_vectors(const emit *e, const view *row);
// A sweep along `row`: by vectors where all `rows` allow it, else element by element.
sweep sweep_of(emit *e, const view *row, int n, const view *const *rows);
LLVMValueRef sweep_lanes(const sweep *s); // <0, 1, ...>, i32

// Accumulators of a sweep: a stack slot each, which LLVM keeps in registers.
#define SWEEP_SLOTS 4
typedef struct accumulator {
    LLVMTypeRef type;
    LLVMValueRef at[SWEEP_SLOTS];
    int n;
} accumulator;
accumulator accumulator_make(emit *e, int width, int n, double start);
LLVMValueRef accumulator_get(const sweep *s, const accumulator *a);
void accumulator_set(const sweep *s, const accumulator *a, LLVMValueRef v);
// All slots and lanes, in one fixed tree.
LLVMValueRef accumulator_sum(emit *e, const accumulator *a);
LLVMValueRef accumulator_max(emit *e, const accumulator *a);

// A stack slot in the function's entry block.
LLVMValueRef view_stack(emit *e, LLVMTypeRef t);

// --- norm.c: the bodies of row ops on views of rank 1 with stride 1. out may be in.
// What a norm finds out about its row on the way, as floats: mean (NULL for rms_norm, whose variance is the mean of
// squares), variance, and 1 / sqrt(variance + eps).
typedef struct norm_scalars {
    LLVMValueRef mean, variance, rstd;
} norm_scalars;
norm_scalars view_norm_scalars(emit *e, const view *in, bool centred, double eps);
// (x - mean) / sqrt(variance + eps) * gamma + beta, a vector of it. Without beta: rms_norm, with mean 0.
LLVMValueRef view_norm_vector(const sweep *s, const norm_scalars *found, const view *in, const view *gamma,
                              const view *beta);
norm_scalars view_norm(emit *e, const view *in, const view *out, const view *gamma, const view *beta,
                       double eps);
void view_softmax(emit *e, const view *in, const view *out);
void view_copy(emit *e, const view *in, const view *out);
LLVMValueRef view_sum(emit *e, const view *in);
LLVMValueRef view_max(emit *e, const view *in);
LLVMValueRef view_magnitude(emit *e, const view *in); // the largest one; NaN counts as 0

// --- pointwise.c: one op on operands of one shape (scalars or vectors).
LLVMValueRef pointwise_op(emit *e, const graph *g, const node *n, const LLVMValueRef *operands);
LLVMValueRef pointwise_literal(emit *e, const node *n, int width);
LLVMValueRef pointwise_element(emit *e, const attr *literal, int i); // element i, a constant of view_elem
// --- elements.c
LLVMTypeRef view_elem(const emit *e, elem x, int width); // of values: i1 is i1, i4 i8
// Are its elements whole bytes that hold a number? Families that compute in f32 then load and store them by a cast.
bool view_loads(elem e);
// The low nibble of each lane, as a signed number.
LLVMValueRef nibbles_signed(emit *e, LLVMValueRef x);
// n of them (even), from the low nibble of the byte at p on.
LLVMValueRef nibbles_load(emit *e, LLVMValueRef p, int n);
void nibbles_store(emit *e, LLVMValueRef x, LLVMValueRef p, int n);
// --- quantize.c: quantize or dequantize, each lane with its factor, or all with one.
LLVMValueRef quantize_op(emit *e, const graph *g, const node *n, LLVMValueRef x, LLVMValueRef factor);
// What n multiplies by: of quantize the reciprocal of the scale, of dequantize the scale.
LLVMValueRef quantize_factor(emit *e, const node *n, LLVMValueRef scale);
// `had`, or the magnitude of x where that is larger; NaN counts as 0.
LLVMValueRef larger_magnitude(emit *e, LLVMValueRef x, LLVMValueRef had);
// The scale of a group whose largest magnitude is `most`.
LLVMValueRef scale_of_magnitude(emit *e, LLVMValueRef most, double limit);
// --- philox.c: numbers in [0, 1) by their place, as ir/philox.h counts them. Vectors of `width` lanes, or single numbers.
typedef struct philox_place {
    LLVMValueRef row, middle, stream, seed[2]; // i32
} philox_place;
// The four words of the counters from `counter` (i32) on.
void philox_words(emit *e, int width, LLVMValueRef counter, const philox_place *at, LLVMValueRef *words);
// 24 bits of a word as a number.
LLVMValueRef philox_uniform(emit *e, int width, LLVMValueRef word);
// The numbers of the columns from j (i32) on, which lie within PHILOX_LANES of them.
LLVMValueRef philox_columns(emit *e, int width, LLVMValueRef j, const philox_place *at);
// --- cast.c
LLVMValueRef cast_op(emit *e, elem from, elem to, LLVMValueRef x);

#endif
