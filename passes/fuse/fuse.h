// What the fusions share: boxes that grow from an anchor.
#ifndef BERTC_PASSES_FUSE_H
#define BERTC_PASSES_FUSE_H

#include "passes/pass.h"

#define BOX_MAX 24
typedef struct box {
    int count;
    value ops[BOX_MAX];
    value result; // the only one that is used outside
} box;

bool box_holds(const box *b, value v);
// The matmul over a constant that `v` is, or that the fuse `v` is built round: its columns; 0 where it is
// none.
int64_t product_columns(const graph *g, value v);
// Does the fuse `v`, or its op, hold an op that needs whole rows (norms, reductions)?
bool holds_norm(const graph *g, value v);
// Is `v` a pointwise node on rows that stands between rows: f32[X,N], its operands constants that are vectors
// [N] or one number, or rows of the same type? *why says what is wrong.
bool epilogue_op(const graph *g, value v, const char **why);
// Lets the box grow by epilogue ops behind its result for as long as it keeps one result. Where it stops
// before an op that looks like one, *stopped_at is that op and *why says why; VALUE_NONE otherwise.
void box_grow(rewriter *r, box *b, value *stopped_at, const char **why);

#endif
