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
// The columns of the matmul with a constant that `v` is, or that the fuse `v` has as its anchor; 0 where
// there is none.
int64_t product_columns(const graph *g, value v);
// Does `v` need whole rows? It is, or its fuse holds, a norm or a reduction.
bool holds_norm(const graph *g, value v);
// Is `v` a pointwise node f32[X,N] whose operands are rows of the same type, or constants that are vectors
// [N] or one number? *why says what is wrong.
bool epilogue_op(const graph *g, value v, const char **why);
// Adds the epilogue ops that read the box's result, one by one, as long as the box keeps one result. If it
// stops before an op that looks like an epilogue, *stopped_at is that op and *why the reason; else
// VALUE_NONE.
void box_grow(rewriter *r, box *b, value *stopped_at, const char **why);

#endif
