// What the files of narrow_rows and skip_rows share.
#ifndef BERTC_PASSES_NARROW_H
#define BERTC_PASSES_NARROW_H

#include "passes/pass.h"

// --- axes.c: which rows of an op's operands its rows depend on.

// The axis of operand i that holds the rows that `axis` of node n's result holds (n's type has the symbol
// `rows` there: T at the top level, L in a body): element j of the result along it depends on element j of
// the operand alone. NARROW_WHOLE: the operand has no such axis. NARROW_STUCK: the op mixes rows.
enum { NARROW_WHOLE = -1, NARROW_STUCK = -2 };
int narrow_operand_axis(const graph *g, const node *n, int i, int axis, sym rows);
// n's attributes with the size of `axis` replaced, in `a`.
attr *narrow_attrs(arena *a, const node *n, int axis, dim rows);
bool narrow_has_rows(const type *t, int axis, sym rows);

// --- body.c

typedef struct narrowed_body {
    graph *body;
    int count;     // params
    int *operands; // param i of the new body is param operands[i] of the old one
    bool *narrow;  // along its rows (then its operand must be narrowed too), or whole
} narrowed_body;

// What one row of a per_sequence's results needs of each value of its body: cut[v][axis], one row of it
// along that axis; whole[v], all of it. The caller clears both. False, with the cause, where the results'
// rows are not independent, or where one has no row a token.
bool narrow_needs(const graph *body, bool *whole, bool (*cut)[IR_MAX_RANK], const char **cause);

// A copy of a per_sequence's body that yields chosen rows only, of each yield: `rows` is Q (the rows that a head reads) or 1
// (the first, or the last). False, with the cause, where its rows are not independent.
bool narrow_body(arena *a, const graph *body, dim rows, bool first, narrowed_body *out, const char **cause);

#endif
