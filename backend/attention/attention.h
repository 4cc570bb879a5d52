// What the files of the attention family share. Private to backend/.
//
//   match.c          finds queries, keys, values and the ops on the scores in the body
//   view.c           views of operands as heads
//   heads.c          rows of heads: views, or rows that the body computes
//   pack.c           rows between memory and the tiles' layouts
//   produced_rows.c  rows that are computed first: norms of heads, rotary positions
//   frame.c          the sequence, head and rows of a task
//   scores.c         finds the ops on the scores: bias, windows, tables, dropout
//   pairs.c          emits them: a vector of keys at a time
//   range.c          the values that their integers can have: visible keys, looked-up rows
//   table.c          products that the ops on the scores look up: disentangled terms
//   softmax.c        softmax of a tile of scores
//   fused.c          scores and softmax in one pass, with AMX
//   log_sum.c        the log-sum-exp of a row of scores, where something reads it
//   tile.c           one tile of queries: scores, softmax, values
//   code.c           the functions of a kernel, and the layout of its scratch
//   attention.c      the kernel
//
// Attention's gradient is a family of its own (gradient.h):
//
//   gradient_match.c finds it
//   gradient_code.c  the functions of a kernel, and the layout of its scratch
//   gradient.c       the kernel
#ifndef BERTC_BACKEND_ATTENTION_H
#define BERTC_BACKEND_ATTENTION_H

#include "backend/emit/view.h"
#include "backend/matmul/epilogue.h"

// A value of the body as a view of an operand's rows: each of its axes is the rows, or a part of their
// columns. (view.c)
typedef struct head_axis {
    bool row;
    dim size;
    int64_t stride; // floats; of columns
} head_axis;
typedef struct head_view {
    value param; // or the value that it is a view of
    elem e;      // of the operand in memory: casts to f32, and from f32 to bf16, are part of the view
    int64_t column;
    int rank;
    head_axis axes[IR_MAX_RANK];
} head_view;
bool attention_view_of(const graph *g, value v, head_view *x);
// The same of `base`, a value of the body whose view is `of`, in place of params.
bool attention_view_over(const graph *g, value v, value base, const head_view *of, head_view *x);

// The queries, the keys or the values: where their heads lie in an operand of the per_sequence.
typedef struct heads {
    int operand;   // its number among the node's operands
    elem e;        // in memory
    elem as;       // of the numbers that are multiplied: f32, or bf16, to which others are rounded
    elem read;     // as the product's code reads them: bf16 as f32 where the target multiplies no bf16
    int64_t whole; // elements of k that the product takes at once: rows are filled up to a multiple, by zeros
    dim rows;      // L, Q or 1: rows of one sequence; or the rows of a table that is passed whole
    int64_t ld;    // elements from row to row
    int64_t column; // of head 0
    int64_t stride; // elements from head to head
    int64_t count;  // heads
    int64_t width;  // elements of a head
    int64_t group;  // heads of queries for each of these
    value producer; // not VALUE_NONE: rows that the body computes, [heads,rows,width], from those of operands
} heads;

// The view as heads: axis 0 the heads, `row` the rows, `column` the floats of a head. `operand` is a param's
// number until the match is done.
bool attention_as_heads(const graph *g, value v, int row, int column, heads *out);

// Whose rows a vector of the body belongs to.
typedef enum side { SIDE_QUERY, SIDE_KEY } side;

// Elements of k side by side in a panel that the product reads.
static inline int64_t attention_group(const heads *x) {
    return 4 / (int64_t)elem_size(x->read);
}
// Elements of a row, filled up.
static inline int64_t attention_filled(const heads *x) {
    return round_up(x->width, x->whole);
}
// Bytes of a panel of 16 of these rows.
static inline int64_t attention_panel_bytes(const heads *x) {
    return attention_filled(x) / attention_group(x) * GROUP_BYTES;
}
// Keys that the product with the values takes at once.
static inline int64_t attention_whole_keys(const heads *values) {
    int64_t four = 4 * attention_group(values);
    return values->whole > four ? values->whole : four;
}

// One number for each row, read by the ops on the scores: i32[L] as [L,1] or [1,L].
typedef struct score_leaf {
    int operand;
    side side;
    elem e;
    dim rows;
    // For keys: byte offsets in a task's scratch, of their numbers, and of the least and the largest of
    // each panel.
    int64_t at, panel_limits;
} score_leaf;

// A table of rows of `n` numbers in which the body looks up one number for each pair of query and key:
// gather_along.
typedef struct score_table {
    value gather;
    bool transposed; // its rows are keys: the body transposes what it found
    elem e;
    int64_t n;
    // The same for all queries and keys,
    int operand;
    int64_t stride; // elements from head to head
    // or a product of the queries (`transposed`: the keys) with rows of an operand.
    bool product;
    value left;         // of the product
    heads of;           // its rows are the columns of the right operand
    int64_t packed, at; // in a task's scratch: the panels of the right operand, and the result
    int64_t ld;         // floats from row to row of the result
} score_table;

// One number for each row of queries and each head, [heads,rows,1]: it lies in an operand, or is the sum of the products of
// the rows of two. In gradients alone.
typedef struct row_number {
    value v; // of the body
    bool summed;
    heads of[2]; // of[1]: summed
    int64_t at;  // in a task's scratch: one of each row
} row_number;

// Numbers that are drawn for each pair: `random` of [rows,heads,keys].
typedef struct drawn_pairs {
    value v;        // of the body, [heads,rows,keys]
    int rows, seed; // operands: the rows' numbers, and the two words of the seed
    dim row_count;
    int64_t stream;
} drawn_pairs;

#define SCORE_MOST 8
// The ops from the first product to softmax; or from it to the product with the values; or those of a gradient.
typedef struct score_ops {
    const graph *body;
    value anchors[2], result; // they start from products, or from what is set here
    int anchor_count, anchor_most;
    epilogue plain;     // arithmetic with numbers alone: done on the registers
    bool separate_pass; // anything else: a pass over the tile of scores
    int leaf_count, table_count;
    score_leaf leaves[SCORE_MOST];
    score_table tables[SCORE_MOST];
    int row_count, drawn_count;
    row_number rows[2];
    drawn_pairs drawn[1];
} score_ops;

// A result [rows,heads]: the logarithm of the sum of a row's exponentials. Axes of length 1 may be anywhere.
typedef struct log_sum {
    int arg;
    int64_t ld, stride; // floats from row to row, from head to head
} log_sum;

typedef struct attention {
    elem gives;                  // element type of its rows
    const kernel_result *result; // that of the rows; the node's others are log-sums
    int log_sum_count;
    const log_sum *log_sums;
    const graph *body;     // all values below are of it
    const value *operands; // of a param of the body: the number of the per_sequence's operand
    heads q, k, v;
    score_ops scores;
    sym dim;         // leading dimension of the result
    bool row_bounds; // the node has them
    // NULL, or the ops between softmax and the product with the values, as its scores: dropout, linear in the probability.
    struct attention *drop;
    // NULL, or the attention of the rows for which `chooser`, a condition on their numbers, holds.
    struct attention *other, *chooser;
} attention;

// Is the node softmax(pointwise(q k^T)) v over heads of its operands? (match.c) `a` holds the
// result's arrays.
bool attention_recognise(arena *a, const kernel_site *s, attention *out);
// The results of a per_sequence whose body is one box, and what that yields for each; x: its body, and its operands. NULL: it
// is no such node.
const kernel_result *attention_open_box(arena *a, const kernel_site *s, attention *x, int *count,
                                        const value **yields);
// Have the numbers of queries as many rows as the queries, those of keys as many as the sequence?
bool attention_leaves_fit(const attention *x);
bool attention_same_rows(const heads *a, const heads *b);
// Rows of heads, [heads,rows,width] or `turned` [heads,width,rows], of operands or made of them; its operand is the node's.
bool attention_head_rows(const kernel_site *s, const attention *x, value v, bool turned, heads *out);
// Collects the ops from scores->anchors to scores->result; false where the family can't compute one.
// (scores.c)
bool attention_collect_scores(arena *a, const kernel_site *s, attention *x);
// The number of the leaf that the reshape `n` is, and of the table that the gather_along `v` reads.
int attention_leaf(const attention *x, const node *n, bool transposed);
int attention_table(const score_ops *x, value v, bool transposed);
// The same from the anchors that are set to each of `results`, for pairs of softmax and gradients; a seed, too.
bool attention_collect_pairs(arena *a, const kernel_site *s, attention *x, int count, const value *results);
// Is v one number that the body computes from words of operands (a seed)?
bool attention_is_number(const graph *g, value v);
// The same for a condition on the rows' numbers, x->scores.result.
bool attention_collect_condition(arena *a, const kernel_site *s, attention *x);
// Can rows [heads,rows,width] of the body be computed a row and a head at a time? base: VALUE_NONE, or a product in the body
// that they may be computed from, too. (produced_rows.c)
bool attention_makes_rows(const graph *g, value v, dim rows, int64_t count, value base);

// Is v of the body the log-sum-exp of the rows of `scores` [heads,rows,keys], with its axes in an order of its own? Then
// result r, which holds it, as a log_sum. (log_sum.c)
//
//   log (reduce_sum (exp (scores - most))) + most        most: reduce_max scores
bool attention_log_sum_of(const kernel_site *s, const graph *body, value v, value scores,
                          const kernel_result *r, log_sum *out);

// Does a select hide scores?
bool attention_hides(const attention *x);
// How many keys a query of a sequence of that length sees, on an average; the length itself where that is not known.
double attention_reach(emit *e, const attention *x, int64_t length);

// Where the numbers of keys and the limits of each panel lie in scratch from `at` on; where they end.
int64_t attention_plan_numbers(score_ops *x, int64_t length, bool hides, int64_t at);

// --- What a task works on. It is stored at the start of the task's scratch, for the functions that the task calls.
typedef struct task_frame {
    LLVMValueRef args;
    LLVMValueRef head;           // of the queries
    LLVMValueRef key, keys;      // first row of the keys in T, and how many
    LLVMValueRef query, queries; // the same of the queries, in the result's rows
    LLVMValueRef sequence;
} task_frame;
#define FRAME_BYTES 64
void task_frame_store(emit *e, const task_frame *f, LLVMValueRef scratch);
task_frame task_frame_load(emit *e, LLVMValueRef scratch);
// Elements from row to row of an operand.
int64_t attention_ld(const kernel_site *s, int operand);
// Its first row in this task.
LLVMValueRef attention_operand(emit *e, const kernel_site *s, const task_frame *f, int operand);
// Of the task's head, row 0.
LLVMValueRef attention_head_at(emit *e, const kernel_site *s, const task_frame *f, const heads *x);
LLVMValueRef attention_smaller(emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef attention_up_to(emit *e, LLVMValueRef x, int64_t n); // the next multiple of n, a power of two

// The least and the largest number that each leaf has in a block of queries and keys. (range.c)
typedef struct ranges {
    emit *e;
    const attention *x;
    LLVMValueRef scan;                           // attention_scan's
    LLVMValueRef row_lo, row_hi, key_lo, key_hi; // i32: numbers of rows and keys
    LLVMValueRef lo[SCORE_MOST], hi[SCORE_MOST]; // i32; NULL: unknown
    LLVMValueRef tables[SCORE_MOST];             // address of the head's row
} ranges;
void attention_ranges_open(ranges *r, const kernel_site *s, const task_frame *f);
// Queries [from, to) of the task's sequence, keys [from, to).
void attention_ranges_rows(ranges *r, const kernel_site *s, const task_frame *f, LLVMValueRef from,
                           LLVMValueRef to);
void attention_ranges_keys(ranges *r, LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef to);
// i1: may a score of these pairs be seen? NULL: any may.
LLVMValueRef attention_ranges_seen(const ranges *r);
// The panels of columns of a table that these pairs look up.
void attention_ranges_looked_up(const ranges *r, const score_table *t, LLVMValueRef *from, LLVMValueRef *to);

// Each of the following emits a function and returns it. The emitted functions read only rows below
// `count`; the rows past it are copies of the last one, so that padding is finite.

// `v`, elements of type `from`, as the numbers of x that its product reads.
LLVMValueRef attention_numbers(emit *e, const heads *x, elem from, LLVMValueRef v);
// Zeros behind such a row, up to attention_filled.
void attention_fill(emit *e, const heads *x, LLVMValueRef row);
// void (ptr rows, i64 count, ptr out): rows of x.width elements, x.ld apart, into panels [count/16][width/group][16][group],
// each a key's column, filled up.
LLVMValueRef attention_pack_keys(emit *e, const heads *x);
// void (ptr rows, i64 count, ptr out): into panels [width/16][../group][16][group], `panel` bytes apart, of count rows
// rounded up to attention_whole_keys.
LLVMValueRef attention_pack_values(emit *e, const heads *x, int64_t panel);
// void (ptr rows, i64 count, ptr out): `tile` rows, as the product reads them, `ld` elements apart, filled up.
LLVMValueRef attention_take_rows(emit *e, const heads *x, int tile_rows, int64_t ld);
// void (ptr tile, i64 count, ptr rows, ptr shares): the first `count` rows of the tile, each times its share,
// to rows of x.width elements of `gives`, out_ld apart.
LLVMValueRef attention_give_rows(emit *e, int64_t width, int64_t ld, elem gives, int64_t out_ld);
// void (ptr scratch, i64 from, i64 count, ptr out): rows [from, from + count) of rows->producer, as the product reads
// them, `ld` elements from row to row, filled up.
LLVMValueRef attention_make_rows(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                                 int64_t ld);
// The same of rows that are made of `base`, a product of the body, too: void (.., ptr products), rows of them from the
// first on, `base_ld` floats apart.
LLVMValueRef attention_make_rows_of(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                                    int64_t ld, value base, int64_t base_ld);
// void (ptr scratch): stores the numbers of the keys (score_leaf.at), filled up to a whole panel.
LLVMValueRef attention_key_numbers(emit *e, const kernel_site *s, const attention *x);
// A pass over tiles of pairs, in place. (pairs.c)
typedef struct pair_pass {
    const char *name;
    const attention *x;
    int tile_count; // of its anchors, `ld` floats from row to row; and of its values
    int64_t ld;
    value values[2]; // what becomes of each tile
    bool blocks;     // keys begin at multiples of PHILOX_BLOCK
    bool masks;      // behind `count` columns, up to a whole panel, there shall be zeros
    int sum_count;   // sums over pairs, by the numbers that they look up
    const struct pair_sum *sums;
} pair_pass;
// Of each pair, `v` is added to element `ids` of n floats in a task's scratch.
typedef struct pair_sum {
    value v, ids;
    int64_t n, at;
} pair_sum;
// void (ptr scratch, i64 row, i64 key, i64 count, i64 rows, ptr tile...): of queries from `row` on, for `count` keys from
// `key` on.
LLVMValueRef attention_pair_pass(emit *e, const kernel_site *s, const pair_pass *p);
// void (ptr p, i64 from, i64 to, ptr out): the least and the largest of the i32 [from, to) at p.
LLVMValueRef attention_scan(emit *e);
// void (ptr scratch): those of each panel of keys.
LLVMValueRef attention_panel_limits(emit *e, const attention *x, LLVMValueRef scan);
// Panels of keys, one or two, that are left out together: the product with the values takes all of their keys at once.
int64_t attention_panels_at_once(const attention *x);
// i64 (ptr scratch, i64 row): finds the runs of panels of keys that a tile of queries from `row` on may
// see. Stores the first and the end panel of each as i64, from offset `visible_runs` of scratch on; returns
// how many numbers it stored.
LLVMValueRef attention_visible_runs(emit *e, const kernel_site *s, const attention *x, LLVMValueRef scan,
                                    int tile_rows, int64_t visible_runs);
// A tile of rows of queries or keys on its way to scratch.
typedef struct row_source {
    const heads *rows;
    int tile;
    int64_t ld, at;          // elements from row to row there; bytes in scratch
    LLVMValueRef take, make; // attention_take_rows, or attention_make_rows
} row_source;
row_source attention_source(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                            int tile_rows, int64_t ld, int64_t at);
// Takes rows from `from` on; those from `until` on do not exist.
void attention_take(emit *e, const kernel_site *s, const task_frame *f, const row_source *from_rows,
                    LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef until);

// Functions of a table that is a product. prepare: void (ptr scratch, i64 from, i64 to), for a task of the
// queries [from, to). multiply: where it is straight, void (ptr scratch, i64 row, ptr queries) for a tile of
// queries; transposed, the same as prepare, for all keys. (table.c)
typedef struct table_code {
    LLVMValueRef prepare, multiply;
} table_code;
table_code attention_table_code(emit *e, const kernel_site *s, const attention *x, const score_table *t,
                                LLVMValueRef scan, const row_source *keys, const row_source *queries);
// i1 (ptr scratch, i64 row): does the condition x->scores.result hold for that query?
LLVMValueRef attention_condition(emit *e, const kernel_site *s, const attention *x);
// float (ptr scores, i64 count, ptr sums, i64 rows): exp(x - the row's maximum) over the first `count` columns of `rows`
// rows, as the product with `values` reads them; zeros after them, up to what that takes at once; sums[row] = 1 / the
// row's sum, added lane by lane from the sequence's start, then in a tree. Gives the least maximum of these rows.
// log_sums: bytes from sums to where the rows' maximum + log(sum) go; 0: nowhere. A few more rows of `tile_rows` may be
// computed too.
// again: with one more argument, ptr shifts; the shift of a row is its maximum only where its share in `sums` is unfit.
LLVMValueRef attention_softmax(emit *e, const heads *values, int tile_rows, int64_t ld, int64_t log_sums,
                               bool again);
// Is a row's shift of no use to it? share: the 1 / sum that came of it.
LLVMValueRef attention_unfit(emit *e, LLVMValueRef share);
LLVMValueRef attention_side_by_side(emit *e, LLVMValueRef a, LLVMValueRef b);

// --- The kernel's functions (code.c)

// Byte offsets in a task's scratch, and the strides of its tiles, in floats.
typedef struct scratch_layout {
    int tile;
    int64_t score_ld, query_ld, out_ld, value_panel, produced_ld;
    int64_t keys, values, queries, scores, outs, sums, log_sums, produced, visible_runs, state, bytes;
} scratch_layout;

// Scores and softmax in one pass. (fused.c)
#define FUSED_STATE_BYTES 2240
typedef struct exp_block {
    bool last; // has keys past the sequence's end
} exp_block;
typedef struct fused_code {
    exp_block blocks[2];
    panels exp[2];                      // of whole blocks, and of the last one
    LLVMValueRef shifts, totals, again; // NULL: it is not used
} fused_code;
bool attention_fuses(const attention *x);

typedef struct attention_code {
    const kernel_site *s;
    attention *x;
    scratch_layout layout;
    panels score, value;
    row_source queries;
    LLVMValueRef pack_keys, pack_values, give, softmax;
    LLVMValueRef make_keys, make_values;                      // NULL: they lie in an operand
    LLVMValueRef numbers, pass;                               // NULL: the scores are plain
    LLVMValueRef drop;                                        // NULL: no probability is dropped
    LLVMValueRef panel_limits, visible_runs, visible_softmax; // NULL: no score is hidden
    table_code tables[SCORE_MOST];
    fused_code fused;
} attention_code;
void attention_emit_fused(emit *e, attention_code *p);
// The probabilities of a tile of which `rows` are there, and its sums; its first 32 keys' scores are there. i1: are they
// to be made again, all scores at first?
LLVMValueRef attention_fused_probabilities(emit *e, const attention_code *p, const task_frame *f,
                                           LLVMValueRef scratch, LLVMValueRef rows);
void attention_emit_code(emit *e, const kernel_site *s, attention *x, attention_code *p);
// Packs what a task of the queries [from, to) reads, for the tiles that follow.
void attention_prepare(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                       LLVMValueRef from, LLVMValueRef to);
// The tile of queries from `row` on: outs and sums of scratch, for rows up to `until`. (tile.c)
void attention_tile(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                    LLVMValueRef row, LLVMValueRef until);
// For hidden scores: float (ptr scratch, i64 row, i64 n), scores and softmax over the visible runs, which
// are n numbers in scratch. Returns the least maximum of the rows.
LLVMValueRef attention_visible_softmax(emit *e, const attention_code *p);
void attention_call(emit *e, LLVMValueRef f, int n, LLVMValueRef *args);

#endif
