// The parts of the attention family. Private to backend/.
#ifndef BERTC_BACKEND_ATTENTION_H
#define BERTC_BACKEND_ATTENTION_H

#include "matmul_epilogue.h"

// One of queries, keys, values: where its heads stand in an operand of the per_sequence.
typedef struct heads {
    int operand;    // its number among the node's operands
    dim rows;       // L, Q or 1: rows of one sequence
    int64_t ld;     // floats from row to row
    int64_t column; // of head 0
    int64_t stride; // floats from head to head
    int64_t count;  // heads
    int64_t width;  // floats of a head
} heads;

typedef struct attention {
    heads q, k, v;
    epilogue scores; // pointwise ops on the scores
    sym dim;         // leading dimension of the result
    bool row_bounds; // the node has them
} attention;

// Is the node softmax(pointwise(q k^T)) v over heads of its operands? (attention_match.c)
bool attention_recognise(const kernel_site *s, attention *out);

// Emit functions of their own and return them. All read only rows below `count`: past it the last one stands
// in, so that padding is finite.

// void (ptr rows, i64 count, ptr out): rows of x.width floats, x.ld apart, into panels [count/16][width][16],
// each a key's column.
LLVMValueRef attention_pack_keys(emit *e, const heads *x);
// void (ptr rows, i64 count, ptr out): into panels [width/16][..][16], `panel` bytes apart, of count rows
// rounded up to 4.
LLVMValueRef attention_pack_values(emit *e, const heads *x, int64_t panel);
// void (ptr rows, i64 count, ptr out): `tile` rows, `ld` floats apart.
LLVMValueRef attention_take_rows(emit *e, const heads *x, int tile_rows, int64_t ld);
// void (ptr tile, i64 count, ptr rows): the first `count` rows of the tile, to rows of x.width floats, out_ld
// apart.
LLVMValueRef attention_give_rows(emit *e, int64_t width, int64_t ld, int64_t out_ld);
// void (ptr scores, i64 count, ptr sums): exp(x - the row's maximum) over the first `count` columns of `tile`
// rows; zeros behind them up to a whole vector; sums[row] = 1 / the row's sum, added lane by lane from the
// sequence's start, then in a tree.
LLVMValueRef attention_softmax(emit *e, int tile_rows, int64_t ld);

#endif
