// Rules for the places of values in a variant's arena. plan_memory follows them, and kernels rely on them.
//
// Kernels read and write whole vectors and row tiles. So a value has padding: columns beside its rows, and
// rows below the last one. Nothing reads a result that comes from padding. But padding may be multiplied by
// zero, so it must be finite in the value's own type. The arena begins as zeros, and a value's bytes may
// only be reused by values of a type for which they stay finite; bytes of another type may read as NaN or
// infinity.
#ifndef BERTC_IR_PLACES_H
#define BERTC_IR_PLACES_H

#include "ir/graph.h"

#define PLACE_ALIGNMENT 64 // bytes: of each place, and of each row of a value of rank >= 2

// Elements from one row to the next: the last axis rounded up to whole 64 bytes; 1 below rank 2.
int64_t place_ld(const type *t, const bindings *b);
// May values of these types use the same bytes at different times? Floats of one type may, and whole numbers of any
// type, which are always finite.
bool place_shares(elem a, elem b);
// For each value of `g` (array in `a`): is it an index vector? Index vectors are read as the ids of a lookup or as
// bounds of a per_sequence: directly, inside a region, or after ops on whole numbers. Their padding must hold numbers
// in range, so they share their bytes with nothing.
bool *places_find_indices(arena *a, const graph *g);

#endif
