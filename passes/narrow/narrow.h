// What the files of narrow_rows and skip_rows share.
#ifndef BERTC_PASSES_NARROW_H
#define BERTC_PASSES_NARROW_H

#include "passes/pass.h"

// --- axes.c: on which rows of its operands a row of the result depends.

// The axis of operand i that holds the same rows as `axis` of node n's result (n's type has the symbol
// `rows` there: T at the top level, L in a body). Along it, element j of the result depends only on element
// j of the operand. NARROW_WHOLE: the operand has no such axis. NARROW_STUCK: the op mixes rows.
enum { NARROW_WHOLE = -1, NARROW_STUCK = -2 };
int narrow_operand_axis(const graph *g, const node *n, int i, int axis, sym rows);
// A copy of n's attributes (in `a`) with the size of `axis` replaced.
attr *narrow_attrs(arena *a, const node *n, int axis, dim rows);
bool narrow_has_rows(const type *t, int axis, sym rows);

// --- body.c

typedef struct narrowed_body {
    graph *body;
    int count;     // params
    int *operands; // param i of the new body is param operands[i] of the old one
    bool *narrow;  // is param i narrowed along its rows? Then its operand must be narrowed too
} narrowed_body;

// What one row of the results of a per_sequence needs of each value of its body. cut[v][axis]: one row of v along
// that axis. whole[v]: all of v. The caller clears both. False, with the cause, if the rows of the results are not
// independent, or if a result has no row per token.
bool narrow_needs(const graph *body, bool *whole, bool (*cut)[IR_MAX_RANK], const char **cause);

// A copy of a per_sequence's body in which each yield has only chosen rows. `rows` is Q (the rows that a head
// reads) or 1; for 1, `first` chooses the first or the last row. False, with the cause, if its rows are not
// independent.
bool narrow_body(arena *a, const graph *body, dim rows, bool first, narrowed_body *out, const char **cause);

#endif
