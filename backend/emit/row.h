// A body over rows [X,N], one row at a time, in one pass over its memory.
//
//   x, bias, looked-up rows --> pointwise ops --> a row in memory --> layer_norm --> results
//
// Ops that need the whole row (`row ops`) are stages: the operand of one is computed into a row of memory, and
// the op runs on it there. Between stages, pointwise ops are computed where they are read, again for each stage
// that reads them; a value that is a result is computed once, into the result's own row. The mean, variance and
// 1 / standard deviation of what a norm norms are the norm's own. Scales of several columns each are at hand, and
// read by quantize and dequantize alone; a group is a multiple of 16 columns. Private to backend/.
#ifndef BERTC_BACKEND_ROW_H
#define BERTC_BACKEND_ROW_H

#include "backend/emit/view.h"

bool row_op(op o);        // needs a whole row
bool row_reduction(op o); // a row op that leaves one number
// A quantize or dequantize whose rows have several scales, and fewer than columns.
bool row_grouped(const graph *g, value v);

// Which number of a norm's row a value of the body is.
typedef enum statistic { STATISTIC_NONE, STATISTIC_MEAN, STATISTIC_VARIANCE, STATISTIC_RSTD } statistic;
// Of the first norm in the body whose operand v is a number of; *norm: that one.
//   mean      reduce_mean x
//   variance  reduce_mean (d d), d = x - mean; of rms_norm: d = x
//   rstd      rsqrt (variance + eps), with the norm's eps
statistic row_statistic(const graph *body, value v, value *norm);

typedef struct row_code {
    emit *e;
    const graph *body;
    LLVMValueRef scratch;   // where rows lie that no result holds
    int64_t *scratch_bytes; // bytes of it that are taken
    // By value: this row of what is at hand, with rank 1, or 0 for columns.
    view *rows;
    bool *there;

    // private to row.c
    int count;
    const value *values;
    const view *outs;
    bool *written, *needed;
    LLVMValueRef *memo;
    sweep *s; // the sweep that loads now
} row_code;
row_code row_code_open(emit *e, const graph *body, LLVMValueRef scratch, int64_t *scratch_bytes);
// v is at hand.
void row_code_have(row_code *r, value v, view row);
// Computes `count` values of the body for this row; outs[i]: this row of where values[i] goes, with rank 1. What is at
// hand is copied.
void row_code_run(row_code *r, int count, const value *values, const view *outs);

#endif
