// The rewrite interface of the passes. It tracks the uses of values, so that passes need not.
//
// A pattern is a term, such as `(layer_norm (add (matmul ?x ?w) ?b) ?gamma ?beta)`:
//   ?name     any value; the same name must be the same value
//   !name     a constant
//   0.5       a scalar literal of that value
//   _         anything
//   (...)@n   binds the term's own value to `n`
// Ops that commute match in either order of operands. Below the root, a term matches only values with one use, unless
// `*` follows the op: `(matmul* ?x ?w)`.
#ifndef BERTC_IR_REWRITE_H
#define BERTC_IR_REWRITE_H
#include "ir/graph.h"

typedef struct rewriter rewriter;
#define MATCH_MAX 16
typedef struct match_result {
    int count;
    const char *names[MATCH_MAX];
    value values[MATCH_MAX];
    int op_count; // the values of the matched terms, root first
    value ops[MATCH_MAX];
} match_result;

// Opens a graph for rewriting. Values stay valid until rewriter_end: new nodes are appended, old ones stay.
rewriter *rewriter_begin(graph *g);
// Closes. Puts the nodes in topological order, with readers of a state before its assign. Drops nodes that neither an
// output nor a node that writes a state needs; inputs of a top-level graph stay. If an op reads a state and depends on
// its assign, there is no such order, and the verifier reports it. Values change. Returns the number of replacements.
int rewriter_end(rewriter *r);
graph *rewriter_graph(rewriter *r);

bool match(rewriter *r, value root, const char *pattern, match_result *m);
value match_get(const match_result *m, const char *name);
int use_count(rewriter *r, value v); // outputs and the `result`s of a region count as uses
bool has_one_use(rewriter *r, value v);
int own_use_count(rewriter *r, value v); // without the `result`s of a region: the uses of yield 0
// The users of v, in order. Writes at most `max`; returns how many there are.
int users_of(rewriter *r, value v, value *out, int max);
// Replaces every use of `old`, outputs included, by `with`. If `with` has no name, it gets the name of `old`. Types
// must be equal. The `result`s of a region `old` don't count as uses of its value: they stay with it.
void replace_all_uses(rewriter *r, value old, value with);
// Replaces each yield of region `old` that is read by the same yield of region `with`.
void replace_results(rewriter *r, value old, value with);
// Puts `ops` into the body of a new `fuse` that yields `results`, one or more, and replaces each by its yield.
// `results` must be those of `ops` that are used outside. A `fuse` among `ops` is replaced by its body's ops; those of
// its `result`s that are used outside are yielded after `results`. The operands are in the order of their first use.
// `ops`, with the `result`s of their fuses, must be convex.
value fuse_ops(rewriter *r, int n, const value *ops, int result_count, const value *results);
// Are `ops` convex: does no path lead from one of them to another through a node outside? Only then can they become
// one node.
bool ops_convex(rewriter *r, int n, const value *ops);
// Checks only the order of states: do the readers of a state still come before its assign? For ops that are convex
// otherwise.
bool ops_ordered(rewriter *r, int n, const value *ops);

// Appends a copy of `n`, without its name, with other operands. The copy has n's type; the caller changes it if it
// differs.
value copy_node(graph *to, const node *n, const value *inputs);

#endif
