// What follows a product in its kernel while its sums are in registers: pointwise ops, and what of them is
// stored. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_EPILOGUE_H
#define BERTC_BACKEND_MATMUL_EPILOGUE_H

#include "backend/matmul/panels.h"
#include "backend/matmul/sums.h"

// A value of the body that the tile stores: to rows of `ld` elements at argument `arg` of the kernel.
typedef struct epilogue_store {
    value v;
    int arg;
    int64_t ld;
} epilogue_store;

// What becomes of the result's rows: C gets each of them, or of each text's rows the maximum or the sum, added to what it
// holds, row after row.
typedef enum epilogue_pool { POOL_NONE, POOL_MAX, POOL_SUM } epilogue_pool;

// The pointwise ops of a body from the anchor's sums to `result`, which goes to C, and to the stores: f32, or bf16 made of
// it by a cast.
typedef struct epilogue {
    const graph *body; // NULL: none
    value anchor, result;
    // Of 8-bit products: the first two operands are the offsets and the scales. `resumes`: what C holds is added to the
    // scaled sums; `pauses`: C gets them in f32, and the rest is left to a later part of k.
    product_sums sums;
    bool scales, resumes, pauses;
    // Pooled: the last operand says of each row which text it is of, i32, and where the product's tiles are higher than
    // blocks -1 of rows that are not there; C has a row of `pool_ld` floats for each text.
    epilogue_pool pool;
    int64_t pool_ld;
    bool costly; // too many registers for the sums to stay in theirs
    int op_count;
    int magnitudes;  // 0, or the operand that keeps the largest magnitudes of a row's results so far
    int count;       // operands that come in, beside the anchor and scalar literals
    int store_count; // what is stored beside the result
    value values[TILE_MAX_EXTRAS]; // of the body: params, then stores
    int args[TILE_MAX_EXTRAS];     // their numbers among the kernel's arguments
    panel_extra extras[TILE_MAX_EXTRAS];
} epilogue;

// Collects the ops between `anchor` [X,n], `result` and the stores, all f32 or bf16 of the anchor's shape. Params may be
// scalars, [n], rows [X,n], or [X,1]. False where any other op is between them: then there is no epilogue.
bool epilogue_collect(const kernel_site *s, const graph *body, const value *operands, value anchor,
                      value result, int store_count, const epilogue_store *stores, epilogue *out);
// From the sums of a product on.
bool epilogue_collect_sums(const kernel_site *s, const graph *body, const value *operands,
                           const product_sums *sums, value result, int store_count,
                           const epilogue_store *stores, epilogue *out);
// Lets C have the rows of texts; the caller gives the last operand's pointer, in extra[x->count - 1], and C's row 0 for all
// rows. False: no operand is left.
bool epilogue_set_pool(epilogue *x, epilogue_pool pool, int64_t ld);
// Rows' magnitudes are found where their results are stored: 64 bytes a row, in whose lanes the caller puts zeros first. They
// are the caller's: extra[x->magnitudes]. False where there are too many operands.
#define MAGNITUDE_BYTES 64
bool epilogue_find_magnitudes(epilogue *x);
// Makes the tiles of `p` end with it.
void epilogue_attach(panels *p, const epilogue *x);
// The panels' extras for rows from `row` on; args: the kernel's. Scales that the kernel makes are the caller's: extra[1].
void epilogue_extras(emit *e, const epilogue *x, LLVMValueRef args, LLVMValueRef row, panels_args *out);
// Of 8-bit products in groups: what the extras are for group `group` (i64) of k. Scales that the kernel makes are of one
// group.
void epilogue_extras_group(emit *e, const epilogue *x, LLVMValueRef group, panels_args *out);
// Bytes of an element of C.
int64_t epilogue_c_size(const epilogue *x);
// tile_finish of a product with that epilogue (context: epilogue *); the tile's extras are the epilogue's.
void epilogue_finish(emit *e, const tile *t, const tile_sums *sums);

#endif
