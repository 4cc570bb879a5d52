// What the files of lower_precision share: how a graph of one class is lowered, and the rows and weights made so far.
#ifndef BERTC_PASSES_LOWER_H
#define BERTC_PASSES_LOWER_H

#include "passes/pass.h"

// What spread_outliers puts behind the names of norms and weights that it changes.
#define LOWER_SPREAD ".spread"

// Rows that products read, made once whatever reads them.
typedef struct lower_rows {
    value x;      // the f32 rows
    value narrow; // bf16 or u8
    value scale;  // of u8: f32[X,N/group]
    int64_t group;
    struct lower_rows *next;
} lower_rows;

// A constant that stands in for another one; it gets that one's name, where nobody reads that any more.
typedef struct lower_name {
    value old, made;
    const char *ending; // of the name where both stay: "bf16"
    struct lower_name *next;
} lower_name;

// A name of --keep, and whether some part of the graph has it.
typedef struct lower_keep {
    const char *pattern;
    bool found;
} lower_keep;

typedef struct lower {
    rewriter *r;
    pass *p;
    arena *scratch;
    elem weight;    // of weights and tables: bf16 or i8
    bool rows;      // rows are narrowed too; else weights alone are, and products stay f32
    int64_t limit;  // of rows in u8
    bool attention; // products of attention in bf16
    lower_rows *made;
    lower_name *names;
    int keep_count;
    lower_keep *keeps;
} lower;

// --- keep.c: which parts --keep holds in f32, by the names of kernels, weights and tensors

// Splits the context's list; marks the names that the graph has. False, with a diagnostic, for one that it hasn't.
bool keep_open(lower *l);
// Is the kernel v kept, or the constant w (VALUE_NONE: none)?
bool keep_holds(const lower *l, value v, value w);

// --- weights.c: constants

// The columns and inner rows from which on a product's weight is lowered: one panel.
#define LOWER_LEAST 16

// NULL where `w` can be made narrow: a f32 matrix of a checkpoint that is no state. Else why it can't.
const char *weight_stays(const graph *g, value w);
// w in bf16 or i8.
value weight_narrow(lower *l, value w);
// Is w zero outside of blocks down its diagonal? A product then sums no groups of k apart, but leaves zeros out.
bool weight_has_blocks(const lower *l, value w);
// The same of any right operand of a product of rows. In bf16 it may also be a matrix of known size that changes from call to
// call: a state, one turned round, what ops make of it. That is cast as a call runs.
const char *right_stays(const lower *l, value w);
value right_narrow(lower *l, value w);
// Of w in i8: the scales of its columns, f32[N].
value weight_scales(lower *l, value w);
// Of w in i8: what the zero point of rows adds to sums over groups of k, i32[N] or [K/group,N].
value weight_sums(lower *l, value w, int64_t group);
// Is the table [V,H] the transpose of a weight of some product that is lowered too (a tied decoder)?
bool table_is_tied(const lower *l, value table);
// A table [V,H] whose rows are looked up, in bf16 or i8; of i8 *scales is f32[V,H/group].
value table_narrow(lower *l, value table, value *scales);
// A f32 table that products of attention read, in bf16.
value table_bf16(lower *l, value table);
// Gives the constants their names, once no more is made.
void weights_name(lower *l);

// --- finite.c

// NaN or infinity in a vector or table that kernels of a graph in int8 read as it is: false, with a diagnostic that names the
// tensor. (Who quantises a matrix looks at it anyway.) Products that stay f32 may read what they like.
bool vectors_are_finite(lower *l);

// --- rows.c

// x in bf16, a node of its own. It may be a matrix of known size, too.
value rows_cast(lower *l, value x);
// x in u8, with its scales; two nodes of their own. `whole`: where they are new, each row is one group.
const lower_rows *rows_quantized(lower *l, value x, bool whole);
// How many elements of a row of `t` share a scale; `wide`: no task owns whole rows of it.
int64_t rows_group(const lower *l, const type *t, bool wide);

// --- product.c, sums.c, table.c, attention.c: what v becomes, where it is one

void lower_products(lower *l, value v);
bool lower_sums(lower *l, value v); // is it one?
void lower_lookups(lower *l, value v);
void lower_attention(lower *l, value v);

// --- saved.c: of a lowered step, what the backward part may read in bf16, too
void lower_saved(graph *g, pass *p);

// --- box.c: a kernel's ops at the top level, to be boxed again

typedef struct open_box {
    int count, room;
    value *ops;
    value *map; // of the body's values
    const graph *body;
} open_box;

// Appends an op of the box.
value box_add(lower *l, open_box *b, op o, int n, const value *inputs, int attr_count, const attr *attrs);
// Copies the body's node u, with operands mapped.
value box_copy(lower *l, open_box *b, value u);
// The kernel v opened: params are mapped to its operands. The map of other values is filled in by the caller.
open_box box_open(lower *l, value v);
// Puts the ops in the place of the kernel v, which box_open opened: one op by itself, several in a fuse.
void box_close(lower *l, open_box *b, value v);
// The same for an op v that stands by itself: `made` takes its place.
void box_close_op(lower *l, open_box *b, value v, value made);

#endif
