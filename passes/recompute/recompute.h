// What the files of passes/recompute/ share: a graph that trains, the forward values that its backward part may
// compute again, and the graph that does so. Private to this folder.
#ifndef BERTC_PASSES_RECOMPUTE_H
#define BERTC_PASSES_RECOMPUTE_H

#include "ir/parts.h"
#include "passes/pass.h"

// A graph whose nodes are in the order of its parts. Arrays are indexed by value.
typedef struct remake {
    arena *a; // scratch
    const graph *g;
    graph_part *parts;
    bool *read;   // is it a value of the forward part that the backward part reads?
    bool *passed; // is it read by the forward part itself, or an output?
    bool *may;    // may the backward part compute it again? Not inputs, outputs, states, index vectors
} remake;
void remake_open(remake *r, arena *a, const graph *g);
// The node that computes v: the region if v is a `result`.
value remake_producer(const graph *g, value v);
// Which value of the body v is; only for results of a region.
value remake_yield(const graph *g, value v);

// --- part.c: a part of a region's body as a body of its own

// The ops that the `wanted` values of a body need. `there` marks values that are given (NULL: none).
typedef struct body_part {
    bool *in;       // indexed by value: is it an op of the part?
    bool light;     // it has no product, no region, no random numbers
    bool pointwise; // it has only pointwise ops and constants
} body_part;
body_part part_of(arena *a, const graph *body, int n, const value *wanted, const bool *there);
// A body that yields the `wanted` values. Its params are the params of `body` that they need, in order, then the
// given values that they need. sources[i] is the value of `body` that param i stands for; there is room for all
// values.
graph *part_body(arena *a, const graph *body, int n, const value *wanted, const bool *there, value *sources,
                 int *count);
// A copy of `body` that computes its param `param` itself, as `from` computes its value `yield`. Its params are
// the other params of `body`, in order, then those of the part of `from`, for which `sources` gives the values of
// `from`.
graph *part_inlined(arena *a, const graph *body, int param, const graph *from, value yield, const bool *there,
                    value *sources, int *count);
// Do only pointwise ops read the param, with results of its shape?
bool part_read_pointwise(const graph *body, int param);

// --- expose.c

// If several values of a product's kernel are kept for the backward part, and pointwise ops compute them all from
// one value, that value becomes a result too. They can then be computed again without the product. Returns how
// many values became results.
int expose_sums(graph *g, arena *scratch);

// --- build.c

// A copy of g, in arena `a`. Its backward part computes the values marked in `again` itself, each right ahead of
// its first reader there. A pointwise value of a kernel that only one kernel reads is computed inside that reader,
// if it can be. Bodies that don't change are g's. `made` (may be NULL), indexed by value of g: is it computed again?
// Not if nothing in the backward part reads it.
graph *remake_build(const remake *r, const bool *again, bool *made, arena *a);

// --- seconds.c: predicted seconds of nodes, for a call that fills the variant

#define TARGETS_MOST 16

typedef struct remake_rates {
    bindings most;                     // values of the symbols
    double flops, simple_flops, bytes; // per second: of products, of other ops, of memory
} remake_rates;
remake_rates rates_of(const target *t, const variant *x);
double value_bytes(const remake_rates *r, const type *t);
double node_seconds(const remake_rates *r, const graph *g, value v);
double graph_seconds(const remake_rates *r, const graph *g);

// --- candidates.c: what may be computed again, in ascending order of seconds per byte

typedef enum remake_class {
    REMAKE_ROWS,    // pointwise ops, norms, lookups, packed copies
    REMAKE_RANDOM,  // random numbers
    REMAKE_TEXTS,   // attention, and other regions
    REMAKE_PRODUCTS // products with weights
} remake_class;
typedef struct candidate {
    value first; // the first of its values, for messages
    int count;
    const value *values; // computed together
    remake_class class;
    double seconds;
    int64_t bytes;
} candidate;
candidate *candidates_find(const remake *r, const remake_rates *rates, int *count);

// --- sizes.c: the memory that a graph takes

typedef struct remake_sizes {
    int count; // targets that run the graph; 0: default sizes are used
    const target *targets[TARGETS_MOST];
    variant variants[TARGETS_MOST]; // only their sizes are set
    remake_rates rates;
} remake_sizes;
bool sizes_open(remake_sizes *s, const graph *g, const memory_options *m, diag *d);
// Bytes of the largest arena. Without targets: bytes of the forward values that the backward part reads. `a` is
// scratch.
int64_t sizes_arena(const remake_sizes *s, const graph *g, arena *a, diag *d);
// Bytes of the forward values that the backward part reads.
int64_t sizes_kept(const remake_sizes *s, const graph *g, arena *a);
int64_t sizes_fixed(const graph *g); // bytes of states and weights

// --- search.c: which values are computed again. They are marked in again[], indexed by value of r->g.

// Marks the values of the classes up to `last`, except those that save nothing.
void search_policy(const remake *r, const remake_sizes *s, remake_class last, bool *again, diag *d);
// Marks the values that give the smallest arena that the search finds.
void search_least(const remake *r, const remake_sizes *s, bool *again, diag *d);
// Marks values so that the arena has at most `most` bytes. False: no choice does; *least is the smallest arena.
bool search_budget(const remake *r, const remake_sizes *s, int64_t most, bool *again, int64_t *least,
                   diag *d);

#endif
