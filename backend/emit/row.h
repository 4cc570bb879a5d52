// A body over rows [X,N], one row at a time, in one pass over its memory.
//
//   x, bias, looked-up rows --> pointwise ops --> a row in memory --> layer_norm --> results
//
// Ops that need the whole row (`row ops`) are stages: the operand of one is computed into a row of memory, and
// the op runs on it there. Between stages, pointwise ops are computed where they are read, again for each stage
// that reads them; a value that is a result is computed once, into the result's own row. The mean, variance and
// 1 / standard deviation of what a norm norms are the norm's own.
//
// `scales` are found in the pass that makes the row which they are of (a norm's last one), and results that follow from
// that row are made in it too. What has several scales a row is done group by group, so that a factor is one number.
// A group is the whole row, or a multiple of 16 columns. Private to backend/.
#ifndef BERTC_BACKEND_ROW_H
#define BERTC_BACKEND_ROW_H

#include "backend/emit/view.h"

bool row_op(op o);        // needs a whole row
bool row_reduction(op o); // a row op that leaves one number
bool row_quantizer(op o); // quantize or dequantize
// Can rows of `width` have so many scales, between 1 and one an element?
bool row_scales_fit(int64_t width, int64_t count);
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
    // 0, or: only columns [from, to) are computed, whole groups of so many. Every op is then one on groups, or on elements.
    int64_t group;
    LLVMValueRef from, to;

    // private to row.c and row_pass.c
    int count;
    const value *values;
    const view *outs;
    bool *written, *needed;
    LLVMValueRef *memo, *factors;
    const sweep *s; // the sweep that loads now
} row_code;
row_code row_code_open(emit *e, const graph *body, LLVMValueRef scratch, int64_t *scratch_bytes);
// v is at hand.
void row_code_have(row_code *r, value v, view row);
// Computes `count` values of the body for this row; outs[i]: this row of where values[i] goes, with rank 1. What is at
// hand is copied.
void row_code_run(row_code *r, int count, const value *values, const view *outs);

// --- row_pass.c

// One sweep over the row: values are computed and stored, and the scales of some are found on the way.
typedef struct row_pass {
    value made; // one that `make` gives in the pass's registers; VALUE_NONE: there is none
    LLVMValueRef (*make)(void *context, const sweep *s);
    void *context;
    int64_t width;
    int count; // stored
    value *values;
    view *outs;
    int scale_count; // `scales` of one group, of one value that the pass computes or that is at hand
    value *scales;
} row_pass;
// Scales of several groups go to r->rows, which must be set; of one, they are at hand afterwards.
void row_pass_run(row_code *r, const row_pass *p);
// One number, as a row that spreads.
view row_number_view(LLVMValueRef x);
// Columns in which no quantize or dequantize below v that the row has to compute changes its factor.
int64_t row_pass_segment(const row_code *r, value v, int64_t width);
// Computes columns: `count` numbers of the row.
void row_pass_numbers(row_code *r, int count, const value *values, const view *outs);

#endif
