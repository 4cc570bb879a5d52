// Rules for the places of values in a variant's arena, which plan_memory keeps and the kernels rely on.
//
// Kernels read and write vectors and row tiles whole, so a value has padding: columns beside its rows, and rows
// below those that are present. Nobody reads a result that is made of padding, but padding may be multiplied by
// zero, so it must be finite in the value's own type. The arena begins as zeros, and finite values take each
// other's bytes; bytes of another type may read as NaN or infinity.
#ifndef BERTC_IR_PLACES_H
#define BERTC_IR_PLACES_H

#include "ir/graph.h"

#define PLACE_ALIGNMENT 64 // bytes: of each place, and of each row of rank >= 2

// Elements from one row to the next: the last axis rounded up to whole 64 bytes; 1 below rank 2.
int64_t place_ld(const type *t, const bindings *b);
// May values of these types use the same bytes, at different times? Floats of one type may, and whole numbers
// of any type, which are always finite.
bool place_shares(elem a, elem b);
// By value of `g` (in `a`): is it an index vector? It is read as the ids of a lookup or as bounds of a
// per_sequence, directly, inside a region, or after ops on whole numbers. Its padding must hold numbers that
// are in range, so it shares its bytes with nothing.
bool *places_find_indices(arena *a, const graph *g);

#endif
