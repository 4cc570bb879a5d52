// The tasks of kernels over rows of C: blocks of rows. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_BLOCKS_H
#define BERTC_BACKEND_MATMUL_BLOCKS_H

#include "backend/matmul/tail.h"

// Rows of the highest register tile: the schedule's, else the variant's row tile.
int block_tile_rows(const kernel_site *s);
// The unit of a phase whose tasks take `rows` rows; 0: all.
int64_t block_unit(const kernel_site *s, int64_t rows);

// The rows of block number `number` (i64): first, and how many are present; `last`: i1, no rows follow.
typedef struct block {
    LLVMValueRef first, count, last;
} block;
block block_rows(emit *e, LLVMValueRef call, sym rows, int64_t unit, LLVMValueRef number);

// The first row of sequence number i (i64) in T, or among the rows that a head reads (`chosen`), and how many
// it has.
void block_sequence(emit *e, LLVMValueRef call, bool chosen, LLVMValueRef i, LLVMValueRef *first,
                    LLVMValueRef *count);

// Emits void (args, call, task, scratch) that runs the tail over the rows of a task: the phase ".norm".
// `tail`: tail_emit's.
LLVMValueRef block_tail_kernel(emit *e, sym rows, int64_t unit, const product_end *x, LLVMValueRef tail);

#endif
