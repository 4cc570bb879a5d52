// How the rows of a block are cut into register tiles: one tile function for each height that there is. Private to
// backend/.
//
//   17 rows, tiles of at most 8     6 6 5     as few tiles as the highest ones would take, of nearly equal heights
//   70 rows, AMX's                  32 32 16  the last one is computed whole
#ifndef BERTC_BACKEND_MATMUL_HEIGHTS_H
#define BERTC_BACKEND_MATMUL_HEIGHTS_H

#include "backend/emit/emit.h"

// Has the product tiles of that height, where the highest ones have `most` rows?
bool heights_has(const target_product *product, int most, int height);

// `rows` (i64, known at run time) in tiles of at most `most` rows.
typedef struct row_cut {
    LLVMValueRef tiles; // i64
    LLVMValueRef low;   // of the lower tiles
    LLVMValueRef high;  // so many tiles at the front have `more` rows more
    int64_t more;
} row_cut;
row_cut heights_cut(emit *e, const target_product *product, int most, LLVMValueRef rows);
// Tile number i (i64): its first row, and how many it has.
LLVMValueRef heights_first(emit *e, const row_cut *x, LLVMValueRef i);
LLVMValueRef heights_of(emit *e, const row_cut *x, LLVMValueRef i);

#endif
