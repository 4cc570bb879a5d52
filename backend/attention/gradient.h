// Attention's gradient: products of heads' rows, ops on the pairs of queries and keys, and products of these with rows.
// What its files share. Private to backend/attention/.
//
//   t0 = a0 b0^T, t1 = a1 b1^T            anchors: a rows of queries, b of keys              (q k^T, dO v^T)
//   x0, x1 = ops on t0, t1                with numbers of rows (log-sum-exp), drawn ones     (dS, P)
//   rows of queries   x c                 a sum over keys                                    (dq = dS k)
//   rows of keys      x^T c               a sum over queries                                 (dk = dS^T q, dv = P^T dO)
//
// Pairs are computed block by block: ATTENTION_QUERIES queries and ATTENTION_KEYS keys at a time. So a task's scratch grows
// with a text's length, not with its square.
#ifndef BERTC_BACKEND_ATTENTION_GRADIENT_H
#define BERTC_BACKEND_ATTENTION_GRADIENT_H

#include "backend/attention/attention.h"

#define ATTENTION_QUERIES 48
#define ATTENTION_KEYS    192 // a multiple of PHILOX_BLOCK

// Rows of heads that products read, of queries or of keys, and how they lie in scratch.
typedef struct gradient_rows {
    heads of;
    bool keys;
    // Queries: all rows, `ld` floats apart. Keys: those of a block, where they are made first.
    int64_t at, ld;
    bool columns, values;          // are they read as columns of a right operand, or as its rows?
    int64_t columns_at, values_at; // in panels; of keys those of a block
    int64_t panel;                 // bytes, of `values`
    LLVMValueRef take, make;       // attention_take_rows or attention_make_rows
    LLVMValueRef pack_columns, pack_values;
} gradient_rows;

// A product of pairs with rows.
typedef struct gradient_sum {
    value product;  // of the body
    bool keys;      // its rows are keys', else queries'
    int tile, rows; // x, and c: a number of gradient.rows
    int64_t width;
    int64_t at, ld; // the sums in scratch: of all queries, or of a block of keys
    const panels *code;
} gradient_sum;

// Columns of a result.
typedef struct gradient_part {
    const kernel_result *result;
    int64_t column, width;
    int sum;
    value made; // VALUE_NONE: the sums themselves, or rows of heads that are made of them (rotary positions)
    LLVMValueRef give;
} gradient_part;

// A result f32[S,..]: what is added up over a text's pairs.
typedef struct gradient_table {
    const kernel_result *result;
    int64_t stride, ld; // floats from head to head, from text to text
    int64_t at;         // in scratch: the sum so far; pair_sum.at has a block's
} gradient_table;

#define GRADIENT_ROWS  6
#define GRADIENT_SUMS  4
#define GRADIENT_PARTS 6
typedef struct gradient {
    attention x; // its q: rows of queries; dim, body, operands, and the ops on the pairs
    dim queries;
    int left[2], right[2]; // of the anchors, numbers of `rows`
    int row_count, sum_count, part_count, table_count, value_count, tile_count;
    value values[2];
    gradient_rows rows[GRADIENT_ROWS];
    gradient_sum sums[GRADIENT_SUMS];
    gradient_part parts[GRADIENT_PARTS];
    gradient_table tables[2];
    pair_sum pair_sums[2];
    bool hides; // blocks of which no score is seen add nothing

    // set by gradient_emit_code
    int tile_rows;
    int64_t score_ld, turned_ld, tiles[2], turned, bytes;
    panels anchors[2], products[GRADIENT_SUMS];
    LLVMValueRef numbers, pass, turn, seen, open_queries, open_keys;
} gradient;

// Is the node such a gradient? (gradient_match.c)
bool gradient_recognise(arena *a, const kernel_site *s, gradient *out);
// Emits the functions of its kernels. (gradient_code.c)
void gradient_emit_code(emit *e, const kernel_site *s, gradient *g);
// The builder's function adds a block of pairs, queries [i, i + rows) and keys [j, j + keys), to the sums of queries, of
// keys, or both.
void gradient_block(emit *e, const gradient *g, LLVMValueRef scratch, LLVMValueRef i, LLVMValueRef rows,
                    LLVMValueRef j, LLVMValueRef keys, bool to_queries, bool to_keys);
// The next multiple of a tile's rows.
LLVMValueRef gradient_whole_tiles(emit *e, const gradient *g, LLVMValueRef rows);

#endif
