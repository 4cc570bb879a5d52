// Products that are needed in chosen rows only:
//
//   select (compare numbers [X,1], a number), (the product with its epilogue) [X,N], 0
//
// Row tiles without a chosen row are skipped, and rows that are not chosen are zeros. Private to backend/.
#ifndef BERTC_BACKEND_ROW_CHOICE_H
#define BERTC_BACKEND_ROW_CHOICE_H

#include "backend/emit/view.h"
#include "backend/matmul/tile.h"

typedef struct row_choice {
    const graph *body; // NULL: all rows are wanted
    value param;       // f32[X] or i32[X]: one number for each row
    const node *compare;
} row_choice;
// `v`: what a body yields. If it is such a select: fills in *out and returns the value that it chooses.
// Else returns v.
value row_choice_collect(const graph *body, value v, row_choice *out);
// i1: does the condition hold for one of the `n` numbers at `numbers`?
LLVMValueRef row_choice_any(emit *e, const row_choice *x, LLVMValueRef numbers, int n);
// A function void (ptr numbers, i64 rows, ptr c, i64 columns): zeros in the rows of C, `ld` floats apart,
// that are not chosen. Columns are whole panels.
LLVMValueRef row_choice_clear(emit *e, const row_choice *x, int64_t ld);

#endif
