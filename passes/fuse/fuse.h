// What the fusions share: boxes that grow from an anchor.
#ifndef BERTC_PASSES_FUSE_H
#define BERTC_PASSES_FUSE_H

#include "passes/pass.h"

#define BOX_MAX 24
typedef struct box {
    int count;
    value ops[BOX_MAX];
    int result_count;
    value results[BOX_MAX]; // those of the ops that are used outside; the first one is what the box is for
} box;

// A box of one op, which is its result.
box box_of(value v);
bool box_holds(const box *b, value v);
// Is v, one of the ops, used outside of the box, as an operand or as an output? The `result`s of a fuse are
// values of their own.
bool box_used_outside(rewriter *r, const box *b, value v);
// Draws the box: its fuse, in place of the results.
value box_fuse(rewriter *r, const box *b);
// The columns of the matmul with a matrix of known size that `v` is, or that the fuse `v` has as its anchor; 0 where
// there is none.
int64_t product_columns(const graph *g, value v);
// Does `v` need whole rows? It is, or its fuse holds, a norm or a reduction.
bool holds_norm(const graph *g, value v);
// Is `v` a pointwise node f32[X,N] whose operands are rows of the same type, or constants that are vectors
// [N] or one number? *why says what is wrong.
bool epilogue_op(const graph *g, value v, const char **why);
// layer_norm or rms_norm?
bool norm_op(op o);
// Adds to a box of a norm the numbers of its row that the graph computes beside it (norm.c has a drawing). Those
// that are used outside become results.
void box_take_numbers(rewriter *r, box *b);
// Adds the epilogue ops that only lead to the box, to an op behind its anchor, and that no product before them can
// take: what they read is neither a product nor an epilogue op.
void box_take_leading(rewriter *r, box *b);
// Adds the epilogue ops that read a value of the box, where no path leads out of it and back in: all ops that are
// used outside become results, what was added last first. Returns how many ops were added.
// `lasting`: only ops that lead to a product, a box or an output; what sums and reductions alone read joins these (fuse_sums, fuse_rows).
int box_grow_results(rewriter *r, box *b, bool lasting);
// Adds the epilogue ops that read the box's one result, one by one, as long as it keeps one. If it
// stops before an op that looks like an epilogue, *stopped_at is that op and *why the reason; else
// VALUE_NONE.
void box_grow(rewriter *r, box *b, value *stopped_at, const char **why);

#endif
