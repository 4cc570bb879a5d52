// The tasks of kernels over rows of C: blocks of rows. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_BLOCKS_H
#define BERTC_BACKEND_MATMUL_BLOCKS_H

#include "backend/matmul/tail.h"

// Rows of the highest register tile: the schedule's, else the variant's row tile.
int block_tile_rows(const kernel_site *s);
// The unit of a phase whose tasks take `rows` rows; 0: all.
int64_t block_unit(const kernel_site *s, int64_t rows);

// The rows at which a block may begin are multiples of this: 1, or where the product's lowest tile has more rows than
// one, the row tile.
int64_t block_step(const kernel_site *s, const target_product *product);
// The rows of block number `number` (i64): first, and how many are present; `last`: i1, no rows follow. A phase has as many
// blocks as `unit` rows each would take, a multiple of `step`, and they are of nearly equal heights: 33 rows by 32 are 17
// and 16.
typedef struct block {
    LLVMValueRef first, count, last;
} block;
block block_rows(emit *e, LLVMValueRef call, sym rows, int64_t unit, int64_t step, LLVMValueRef number);

// The first row of sequence number i (i64) in T, or among the rows that a head reads (`chosen`), and how many
// it has.
void block_sequence(emit *e, LLVMValueRef call, bool chosen, LLVMValueRef i, LLVMValueRef *first,
                    LLVMValueRef *count);

// Emits void (args, call, task, scratch) that runs the tail over the rows of a task: the phase ".norm".
// `tail`: tail_emit's.
LLVMValueRef block_tail_kernel(emit *e, sym rows, int64_t unit, const product_end *x, LLVMValueRef tail);

#endif
