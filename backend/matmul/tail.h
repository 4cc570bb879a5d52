// How a product ends: which of the node's results it writes, and what is left to do with whole rows.
//
//   x w --> epilogue, on registers --> C, and other results --> the tail, row by row, while they are hot
//
// The tail is a norm, its mean, variance and 1 / standard deviation, reductions along the row, softmax, scales, and
// pointwise ops, quantize and dequantize on any of these. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_TAIL_H
#define BERTC_BACKEND_MATMUL_TAIL_H

#include "backend/matmul/epilogue.h"

// An argument that the tail reads or writes.
typedef struct tail_port {
    int arg;
    value v;   // of the body: a param, or what a result holds
    bool rows; // a row for each of C's, `ld` elements apart; else all rows read the same
    int64_t ld;
} tail_port;

typedef struct product_end {
    const graph *body; // NULL: the product is the whole node
    epilogue after;
    int c; // the argument that the product goes to, its elements, and how many from one of its rows to the next
    elem c_elem;
    int64_t ldc;
    int64_t n; // columns
    // 0, or: the tail works on groups of so many columns, C lies in scratch and holds those of one.
    int64_t group;
    // The tail; count 0: there is none.
    int count; // values that it computes
    const value *values;
    const int *ports_of; // by value: the port that it goes to
    value main;          // what C holds when the tail begins
    int port_count;      // the first is C's
    const tail_port *ports;
    double flops; // a row's
} product_end;

// Of the results of the site's node, those that `take` chooses (NULL: all): values of the body that follow from its
// product's sums [X,n]. False where one can't be computed so. In `a`.
bool product_end_collect(arena *a, const kernel_site *s, const product_sums *sums, const bool *take,
                         product_end *out);
// Lets tasks own groups of columns in place of whole rows, where the tail allows it.
void product_end_by_groups(arena *a, product_end *x);
// Of a node that is a product.
void product_end_plain(const kernel_site *s, product_end *out);
int64_t product_end_row(const product_end *x);   // bytes from one of C's rows to the next
int64_t product_end_bytes(const product_end *x); // a row's, read and written beside the product's operands
int64_t product_end_tail_bytes(const product_end *x); // a row's, of the tail alone

// Rows of a task whose product goes to scratch, where the schedule leaves that open.
#define SCRATCH_ROWS 128
// Bytes of scratch for so many rows of C; 0: it lies elsewhere.
int64_t product_end_scratch(const product_end *x, int64_t rows);
// C's row `row`, or the scratch.
LLVMValueRef product_end_c(emit *e, const product_end *x, LLVMValueRef args, LLVMValueRef row,
                           LLVMValueRef scratch);

// A function that runs the tail over rows; *scratch_bytes: what it needs.
LLVMValueRef tail_emit(emit *e, const product_end *x, const char *name, int64_t *scratch_bytes);
// Calls it for `count` rows from C's row `first` on, which lies at `c`; args: the kernel's; scratch: what it needs.
typedef struct tail_rows {
    LLVMValueRef args, c, first, count, scratch;
    LLVMValueRef from, to; // where x->group: the columns; c: column 0, which need not be there
} tail_rows;
void tail_call(emit *e, const product_end *x, LLVMValueRef function, const tail_rows *rows);

#endif
