// Constants by content: finds those that are equal (constant_eq) without comparing each with each.
#ifndef BERTC_IR_CONSTANT_SET_H
#define BERTC_IR_CONSTANT_SET_H

#include "ir/graph.h"

// Two constants of the same type with the same elements, by literal or recipe, which may share one place?
// (Names and places do not count.)
bool constant_eq(const node *a, const node *b);

// Of a constant's type and elements: constants that are equal have equal ones.
uint64_t constant_hash(const node *constant);

typedef struct constant_set constant_set;

// An empty set in `a`.
constant_set *constant_set_new(arena *a);
// Adds a constant, which is borrowed and must not change; equal ones may be added, too.
void constant_set_add(constant_set *s, const node *constant);
// The first equal one that was added (after == NULL), or the first that was added behind `after`, which this function
// has given. NULL: there is none.
const node *constant_set_find(const constant_set *s, const node *constant, const node *after);

#endif
