// What the files of a tile's function share: tile.c, which begins and ends it, tile_amx.c and tile_parts.c. Private to them.
#ifndef BERTC_BACKEND_MATMUL_TILE_FUNCTION_H
#define BERTC_BACKEND_MATMUL_TILE_FUNCTION_H

#include "backend/matmul/tile.h"

#define TILE_UNROLL 4

// The function's parameters up to its first optional one.
enum { PARAM_A, PARAM_B, PARAM_C, PARAM_AHEAD, PARAM_STEP, PARAM_NEXT };

static inline LLVMValueRef tile_param(const tile *t, unsigned i) {
    return LLVMGetParam(t->function, i);
}

// Groups of k where they are known at run time.
static inline LLVMValueRef tile_param_k(const tile *t) {
    return tile_param(t, t->next ? PARAM_NEXT + 1 : PARAM_NEXT);
}

static inline LLVMValueRef tile_param_start(const tile *t) {
    return tile_param(t, PARAM_NEXT + (unsigned)t->next + (t->k == 0 ? 1u : 0u));
}

// What a loop carries; it comes from `block` as `from`.
static inline LLVMValueRef tile_phi(emit *e, LLVMValueRef from, LLVMBasicBlockRef block) {
    LLVMValueRef p = LLVMBuildPhi(e->b, LLVMTypeOf(from), "");
    LLVMAddIncoming(p, &from, &block, 1);
    return p;
}

// Prefetches the rows that t->touch names.
void tile_touch_rows(emit *e, const tile *t);

// --- tile_amx.c: what a function does between its beginning and its return, by AMX's tiles.
void tile_amx_body(emit *e, const tile *t);

#endif
