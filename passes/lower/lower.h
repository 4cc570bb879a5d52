// What the files of lower_precision share: how the graph of one class is lowered, and the narrow rows and weights
// that exist so far.
#ifndef BERTC_PASSES_LOWER_H
#define BERTC_PASSES_LOWER_H

#include "passes/pass.h"

// The suffix that spread_outliers gives to the names of norms and weights that it changes.
#define LOWER_SPREAD ".spread"

// Rows that products read. They are narrowed once, however many products read them.
typedef struct lower_rows {
    value x;      // the f32 rows
    value narrow; // bf16 or u8
    value scale;  // of u8: f32[X,N/group]
    int64_t group;
    struct lower_rows *next;
} lower_rows;

// A constant that replaces another one. It gets the old one's name if nothing reads the old one any more.
typedef struct lower_name {
    value old, made;
    const char *ending; // the suffix of its name if both stay: "bf16"
    struct lower_name *next;
} lower_name;

// A name or pattern of --keep, and whether some part of the graph matches it.
typedef struct lower_keep {
    const char *pattern;
    bool found;
} lower_keep;

typedef struct lower {
    rewriter *r;
    pass *p;
    arena *scratch;
    elem weight;    // of weights and tables: bf16 or i8
    bool rows;      // are rows narrowed too? Else only weights are, and products stay f32
    int64_t limit;  // of rows in u8
    bool attention; // are products of attention in bf16?
    lower_rows *made;
    lower_name *names;
    int keep_count;
    lower_keep *keeps;
} lower;

// --- keep.c: which parts --keep leaves in f32, by the names of kernels, weights and tensors

// Splits the context's list and marks the names that the graph has. False, with a diagnostic, if it lacks one.
bool keep_open(lower *l);
// Is the kernel v kept in f32, or the constant w (VALUE_NONE: none)?
bool keep_holds(const lower *l, value v, value w);

// --- weights.c: constants

// A weight is lowered only if it has at least so many columns and inner rows: one panel.
#define LOWER_LEAST 16

// NULL if `w` can be narrowed: it is an f32 matrix of the checkpoint, and no state. Else the reason why it can't.
const char *weight_stays(const graph *g, value w);
// w in bf16 or i8.
value weight_narrow(lower *l, value w);
// Is w zero outside of blocks on its diagonal? Its product then has no groups of k, but leaves the zeros out.
bool weight_has_blocks(const lower *l, value w);
// weight_stays and weight_narrow for any right operand of a product of rows. In bf16 it may also be a matrix of known
// size that changes from call to call: a state, its transpose, or what ops make of it. It is cast during the call.
const char *right_stays(const lower *l, value w);
value right_narrow(lower *l, value w);
// The scales of the columns of w in i8: f32[N].
value weight_scales(lower *l, value w);
// What the zero point of rows adds to the sums with w in i8, over groups of k: i32[N] or [K/group,N].
value weight_sums(lower *l, value w, int64_t group);
// Is the table [V,H] the transpose of the weight of a product that is lowered too (a tied decoder)?
bool table_is_tied(const lower *l, value table);
// A table [V,H] of lookups in bf16 or i8. For i8, *scales becomes f32[V,H/group].
value table_narrow(lower *l, value table, value *scales);
// An f32 table that products of attention read, in bf16.
value table_bf16(lower *l, value table);
// Gives the new constants their names. Call it when all exist.
void weights_name(lower *l);

// --- finite.c

// Are the vectors and tables finite that kernels of a graph in int8 read in float? False, with a diagnostic that
// names the tensor. (Quantising a matrix checks it anyway. Operands of products that stay f32 are not checked.)
bool vectors_are_finite(lower *l);

// --- rows.c

// A node with x in bf16. x may also be a matrix of known size.
value rows_cast(lower *l, value x);
// Two nodes: x in u8, and its scales. `whole`: if they don't exist yet, each row is one group.
const lower_rows *rows_quantized(lower *l, value x, bool whole);
// How many elements of a row of `t` share a scale. `wide`: no task owns whole rows.
int64_t rows_group(const lower *l, const type *t, bool wide);

// --- product.c, sums.c, table.c, attention.c: each lowers v if v is of its kind

void lower_products(lower *l, value v);
bool lower_sums(lower *l, value v); // returns whether it is
void lower_lookups(lower *l, value v);
void lower_attention(lower *l, value v);

// --- saved.c: lets the backward part of a lowered step read more rows in bf16
void lower_saved(graph *g, pass *p);

// --- box.c: moves a kernel's ops to the top level, so that they can be changed and fused again

typedef struct open_box {
    int count, room;
    value *ops;
    value *map; // from the body's values to those of the graph
    const graph *body;
} open_box;

// Appends an op to the box.
value box_add(lower *l, open_box *b, op o, int n, const value *inputs, int attr_count, const attr *attrs);
// Copies the body's node u, with operands mapped.
value box_copy(lower *l, open_box *b, value u);
// Opens the kernel v. Its params are mapped to its operands; the caller maps the other values.
open_box box_open(lower *l, value v);
// Replaces the kernel v, which box_open opened, by the ops: a single op alone, several in a fuse.
void box_close(lower *l, open_box *b, value v);
// The same for a single op v that is in no fuse: `made` replaces it.
void box_close_op(lower *l, open_box *b, value v, value made);

#endif
