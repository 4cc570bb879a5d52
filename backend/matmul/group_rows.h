// Rows of a product that leave quantised, each in groups of columns with a scale of its own: the hidden rows of a
// feed-forward.
//
//   tiles      C in f32, in scratch, and each row's largest magnitude so far (epilogue_find_magnitudes)
//   quantise   a scale for each row; C to 8 bits, in one pass
//
// Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_GROUP_ROWS_H
#define BERTC_BACKEND_MATMUL_GROUP_ROWS_H

#include "backend/matmul/tail.h"

typedef struct group_rows {
    const graph *body;
    value quantize;                   // VALUE_NONE: rows leave in another way
    int scales, numbers;              // of product_end's ports: where they go
    int64_t columns;                  // of a group
    int64_t row;                      // bytes from one of C's rows to the next
    int64_t quantized_row, scale_row; // of what is made
    LLVMValueRef function;
} group_rows;

// Of a tail that does no more than quantise what C holds, in groups of columns.
group_rows group_rows_find(const product_end *x);
// Adds its function.
void group_rows_emit(emit *e, group_rows *x);
// `rows` rows of a group, from the first row of each on. `magnitudes`: 64 bytes a row.
void group_rows_quantize(emit *e, const group_rows *x, LLVMValueRef c, LLVMValueRef quantized,
                         LLVMValueRef scales, LLVMValueRef magnitudes, LLVMValueRef rows);
// What `rows` rows' magnitudes begin with.
void group_rows_clear(emit *e, LLVMValueRef magnitudes, LLVMValueRef rows);

#endif
