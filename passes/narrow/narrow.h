// Between the files of narrow_rows.
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
    int *operands; // param i stands for this param of the body of before
    bool *narrow;  // along its rows (then its operand must be narrowed too), or whole
} narrowed_body;

// Which values of a per_sequence's body are reached along their rows, by which axis, and which are needed
// whole, where each row of its result is asked for by itself. `whole` and `cut` are false beforehand, by
// value. False, with the cause, where its rows are not independent.
bool narrow_needs(const graph *body, bool *whole, bool (*cut)[IR_MAX_RANK], const char **cause);

// The body of a per_sequence again, yielding chosen rows only: `rows` is Q (those that a head reads) or 1
// (the first, or the last). False, with the cause, where its rows are not independent.
bool narrow_body(arena *a, const graph *body, dim rows, bool first, narrowed_body *out, const char **cause);

#endif
