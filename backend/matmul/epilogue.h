// What follows a product in its kernel: pointwise ops on its sums while they are in registers, and a norm
// over its rows (row_norm). Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_EPILOGUE_H
#define BERTC_BACKEND_MATMUL_EPILOGUE_H

#include "backend/matmul/panels.h"

// The pointwise ops of a body from the anchor's sums to `result`.
typedef struct epilogue {
    const graph *body; // NULL: none
    value anchor, result;
    bool costly; // too many registers for the sums to stay in theirs
    int op_count;
    int count;                     // operands that come in, beside the anchor and scalar literals
    value params[TILE_MAX_EXTRAS]; // a param's number is its operand's
    panel_extra extras[TILE_MAX_EXTRAS];
} epilogue;

// Collects the ops between `anchor` [X,n] and `result`. Params may be scalars, [n], or rows [X,n]. False
// where any other op is between them: then there is no epilogue.
bool epilogue_collect(const kernel_site *s, const graph *body, const value *operands, value anchor,
                      value result, epilogue *out);
// tile_finish of a product with that epilogue (context: epilogue *); the tile's extras are the epilogue's.
void epilogue_finish(emit *e, const tile *t, LLVMValueRef *acc);

// The norm that is a body's last op, over rows of `n` floats.
typedef struct row_norm {
    op op; // layer_norm, rms_norm; OP_COUNT: none
    double eps;
    int gamma, beta; // operands of the node; beta -1: none
    int64_t n;
} row_norm;

// If v of the body is such a norm with params for gamma and beta: fills in *out and returns its operand.
// Else *out is none, and v is returned.
value row_norm_collect(const graph *body, value v, row_norm *out);
// A function void (ptr rows, i64 count, ptr gamma, ptr beta) that normalises rows of `ld` floats in place.
LLVMValueRef row_norm_emit(emit *e, const row_norm *c, int64_t ld, const char *name);
// Calls it for `count` rows from `rows`; args: the kernel's.
void row_norm_call(emit *e, const row_norm *c, LLVMValueRef function, LLVMValueRef rows, LLVMValueRef count,
                   LLVMValueRef args);

#endif
