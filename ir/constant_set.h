// A set of constants by content: finds equal ones (constant_eq) without comparing every pair.
#ifndef BERTC_IR_CONSTANT_SET_H
#define BERTC_IR_CONSTANT_SET_H

#include "ir/graph.h"

// Are they two constants of the same type with the same literal or recipe, so that they may share one place? (Names
// and places don't count.)
bool constant_eq(const node *a, const node *b);

// A hash of the constant's type and elements. Equal constants have equal hashes.
uint64_t constant_hash(const node *constant);

typedef struct constant_set constant_set;

// An empty set in `a`.
constant_set *constant_set_new(arena *a);
// Adds a constant, which is borrowed and must not change. Equal constants may be added too.
void constant_set_add(constant_set *s, const node *constant);
// Finds an equal constant: the first that was added if `after` is NULL, else the next one after `after`, which an
// earlier call returned. NULL: there is none.
const node *constant_set_find(const constant_set *s, const node *constant, const node *after);

#endif
