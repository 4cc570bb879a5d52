// What the fusions share. A box is a set of ops that will become one kernel. It grows from an anchor.
#ifndef BERTC_PASSES_FUSE_H
#define BERTC_PASSES_FUSE_H

#include "passes/pass.h"

#define BOX_MAX 24
typedef struct box {
    int count;
    value ops[BOX_MAX];
    int result_count;
    value results[BOX_MAX]; // the ops that are used outside; the first one is the box's main result
} box;

// A box of one op, which is also its result.
box box_of(value v);
bool box_holds(const box *b, value v);
// Is op v of the box used outside of it, as an operand or as an output? The `result`s of a fuse count as values of
// their own.
bool box_used_outside(rewriter *r, const box *b, value v);
// Turns the box into a fuse that replaces its results.
value box_fuse(rewriter *r, const box *b);
// If `v` is a matmul with a matrix of known size, or a fuse with such an anchor: its columns; else 0.
int64_t product_columns(const graph *g, value v);
// Does `v` need whole rows: is it a norm or a reduction, or does its fuse hold one?
bool holds_norm(const graph *g, value v);
// Is `v` a pointwise node f32[X,N] whose operands are rows of the same type, constant vectors [N] or constant
// numbers? If not, *why says why.
bool epilogue_op(const graph *g, value v, const char **why);
// Is it layer_norm or rms_norm?
bool norm_op(op o);
// Adds to a norm's box the numbers of its row that the graph computes beside it (norm.c has a drawing). Those that
// are used outside become results.
void box_take_numbers(rewriter *r, box *b);
// Adds the epilogue ops that lead only to ops of the box after its anchor, and that no product before them can take:
// their operands are neither products nor epilogue ops.
void box_take_leading(rewriter *r, box *b);
// Adds the epilogue ops that read a value of the box, unless a path would lead out of the box and back in. All ops
// that are used outside become results, the last one added first. Returns how many ops were added. `lasting`: adds
// only ops that lead to a product, a box or an output; ops that only sums and reductions read are left to
// fuse_sums and fuse_rows.
int box_grow_results(rewriter *r, box *b, bool lasting);
// Adds the epilogue ops that read the box's only result, one by one, as long as the box keeps a single result. If it
// stops at an op that looks like an epilogue, *stopped_at is that op and *why the reason; else *stopped_at is
// VALUE_NONE.
void box_grow(rewriter *r, box *b, value *stopped_at, const char **why);

#endif
