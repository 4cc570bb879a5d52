// What follows a product in its kernel while its sums are in registers: pointwise ops, and what of them is
// stored. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_EPILOGUE_H
#define BERTC_BACKEND_MATMUL_EPILOGUE_H

#include "backend/matmul/panels.h"

// A value of the body that the tile stores: to rows of `ld` floats at argument `arg` of the kernel.
typedef struct epilogue_store {
    value v;
    int arg;
    int64_t ld;
} epilogue_store;

// The pointwise ops of a body from the anchor's sums to `result`, which goes to C, and to the stores.
typedef struct epilogue {
    const graph *body; // NULL: none
    value anchor, result;
    bool costly; // too many registers for the sums to stay in theirs
    int op_count;
    int count;                     // operands that come in, beside the anchor and scalar literals
    int store_count;               // what is stored beside the result
    value values[TILE_MAX_EXTRAS]; // of the body: params, then stores
    int args[TILE_MAX_EXTRAS];     // their numbers among the kernel's arguments
    panel_extra extras[TILE_MAX_EXTRAS];
} epilogue;

// Collects the ops between `anchor` [X,n], `result` and the stores, all of the anchor's type. Params may be scalars,
// [n], or rows [X,n]. False where any other op is between them: then there is no epilogue.
bool epilogue_collect(const kernel_site *s, const graph *body, const value *operands, value anchor,
                      value result, int store_count, const epilogue_store *stores, epilogue *out);
// Makes the tiles of `p` end with it.
void epilogue_attach(panels *p, const epilogue *x);
// The panels' extras for rows from `row` on; args: the kernel's.
void epilogue_extras(emit *e, const epilogue *x, LLVMValueRef args, LLVMValueRef row, panels_args *out);
// tile_finish of a product with that epilogue (context: epilogue *); the tile's extras are the epilogue's.
void epilogue_finish(emit *e, const tile *t, const tile_sums *sums);

#endif
