// What the files of passes/recompute/ share: a graph that trains, the forward values that its backward part
// may make again, and the graph that does so. Private to the room.
#ifndef BERTC_PASSES_RECOMPUTE_H
#define BERTC_PASSES_RECOMPUTE_H

#include "ir/parts.h"
#include "passes/pass.h"

// A graph whose nodes stand in the order of its parts.
typedef struct remake {
    arena *a; // scratch
    const graph *g;
    graph_part *parts;
    bool *read;   // a value of the forward part that the backward reads?
    bool *passed; // one that the forward part itself reads, or an output?
    bool *may; // may the backward make it again? No input, output, state, or index vector of the forward part
} remake;
void remake_open(remake *r, arena *a, const graph *g);
// The node that makes v: of a `result`, its region.
value remake_producer(const graph *g, value v);
// The value of its body that v is; only of a region's results.
value remake_yield(const graph *g, value v);

// --- part.c: a part of a region's body as a body of its own

// What `wanted` values of a body need, up to those that are `there` (by value; NULL: none is).
typedef struct body_part {
    bool *in;       // by value: an op of the part
    bool light;     // no product, no region, no numbers at random
    bool pointwise; // nothing but pointwise ops and constants
} body_part;
body_part part_of(arena *a, const graph *body, int n, const value *wanted, const bool *there);
// A body that yields them. Its params are those of `body` that they need, in their order, and behind them values
// that are there; sources[i]: which value of `body` param i is. `sources` has room for all values of the body.
graph *part_body(arena *a, const graph *body, int n, const value *wanted, const bool *there, value *sources,
                 int *count);
// `body`, in which what makes value `yield` of `from` stands in place of param `param`: its other params in their
// order, and behind them those of the part of `from`, with their `sources` there.
graph *part_inlined(arena *a, const graph *body, int param, const graph *from, value yield, const bool *there,
                    value *sources, int *count);
// Do pointwise ops alone read the param, with results of its shape?
bool part_read_pointwise(const graph *body, int param);

// --- expose.c

// Where several values of a product's box are kept for the backward, and pointwise ops make them of one, that one
// becomes a value too: they can then be made again without the product. Returns how many.
int expose_sums(graph *g, arena *scratch);

// --- build.c

// g, with the values that are `again` made again in the backward part, each behind its first reader there; what
// makes a pointwise value of a box stands in the box of its reader instead, where one alone reads it and can take
// it. In arena `a`; bodies that stay are g's. `made` (may be NULL): by value of g, is it made again? What nothing reads
// there is not.
graph *remake_build(const remake *r, const bool *again, bool *made, arena *a);

// --- seconds.c: modelled seconds of nodes, for a call that fills the variant

#define TARGETS_MOST 16

typedef struct remake_rates {
    bindings most;                     // values of the symbols
    double flops, simple_flops, bytes; // each a second: of products, of other ops, of memory
} remake_rates;
remake_rates rates_of(const target *t, const variant *x);
double value_bytes(const remake_rates *r, const type *t);
double node_seconds(const remake_rates *r, const graph *g, value v);
double graph_seconds(const remake_rates *r, const graph *g);

// --- candidates.c: what may be made again, cheapest by the byte first

typedef enum remake_class {
    REMAKE_ROWS,    // pointwise ops, norms, lookups, packed copies
    REMAKE_RANDOM,  // numbers at random
    REMAKE_TEXTS,   // attention, and other regions
    REMAKE_PRODUCTS // products with weights
} remake_class;
typedef struct candidate {
    value first; // of its values, for what is printed
    int count;
    const value *values; // made together
    remake_class class;
    double seconds;
    int64_t bytes;
} candidate;
candidate *candidates_find(const remake *r, const remake_rates *rates, int *count);

// --- sizes.c: what a graph takes

typedef struct remake_sizes {
    int count; // targets that run the graph; none: sizes are the usual ones
    const target *targets[TARGETS_MOST];
    variant variants[TARGETS_MOST]; // sizes alone
    remake_rates rates;
} remake_sizes;
bool sizes_open(remake_sizes *s, const graph *g, const memory_options *m, diag *d);
// Bytes of the largest arena; without targets, of what the backward reads of the forward. `a` is scratch.
int64_t sizes_arena(const remake_sizes *s, const graph *g, arena *a, diag *d);
// Bytes of the forward part that the backward reads.
int64_t sizes_kept(const remake_sizes *s, const graph *g, arena *a);
int64_t sizes_fixed(const graph *g); // of states and weights

// --- search.c: which values are made again, in again[] by value of r->g

// Those of the classes up to `last`, without those that save nothing.
void search_policy(const remake *r, const remake_sizes *s, remake_class last, bool *again, diag *d);
void search_least(const remake *r, const remake_sizes *s, bool *again, diag *d);
// False: an arena of `most` bytes can't be had; *least is the smallest one.
bool search_budget(const remake *r, const remake_sizes *s, int64_t most, bool *again, int64_t *least,
                   diag *d);

#endif
