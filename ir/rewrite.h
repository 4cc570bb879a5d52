// The rewrite interface of the passes. It keeps the uses; a pass never does.
//
// A pattern is a term: `(layer_norm (add (matmul ?x ?w) ?b) ?gamma ?beta)`. `?name` binds any value (the
// same name, the same value); `!name` binds a constant; a number matches a scalar literal of that value;
// `_` anything. Ops that commute match in either order of operands. A parenthesised term followed by
// `@name` binds the term's own value. Below the root a term matches only values with one use, unless `*`
// follows the op: `(matmul* ?x ?w)`.
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

// Opens a graph for rewriting. Values stay valid until rewriter_end: new nodes are appended, old ones remain.
rewriter *rewriter_begin(graph *g);
// Puts the nodes in topological order, and readers of a state before its assign; drops nodes that neither an
// output nor a node that writes a state needs (inputs of a top-level graph stay); closes. Where an op reads a
// state and depends on its assign there is no such order, which the verifier finds. Values change. Returns the number of replacements made.
int rewriter_end(rewriter *r);
graph *rewriter_graph(rewriter *r);

bool match(rewriter *r, value root, const char *pattern, match_result *m);
value match_get(const match_result *m, const char *name);
int use_count(rewriter *r, value v); // outputs count, and the `result`s of a region
bool has_one_use(rewriter *r, value v);
int own_use_count(rewriter *r, value v); // without the `result`s of a region: those of yield 0
// The users of v, in order; returns how many, writes up to max.
int users_of(rewriter *r, value v, value *out, int max);
// Every use of `old` (outputs too) becomes `with`; if `with` has no name, it gets the name of `old`. Types
// must be equal. The `result`s of a region `old` are no uses of its value: they stay with it.
void replace_all_uses(rewriter *r, value old, value with);
// The same for each yield of region `old` that is read, by the same yield of region `with`.
void replace_results(rewriter *r, value old, value with);
// Puts `ops` into the body of a new `fuse` that yields `results`, one or more, and replaces each by its yield.
// `results` are those of `ops` that are used outside; the others are used only inside. A `fuse` among `ops` is
// replaced by its body's ops; its `result`s come along, and those that are used outside are yielded after
// `results`. The operands are in the order of their first use. `ops` with the `result`s of their fuses must be
// convex.
value fuse_ops(rewriter *r, int n, const value *ops, int result_count, const value *results);
// Does no path lead from one of `ops` out of them and back in? Only then can they be one node.
bool ops_convex(rewriter *r, int n, const value *ops);
// The same, for ops of which that is known but for one thing: readers of a state come before its assign.
bool ops_ordered(rewriter *r, int n, const value *ops);

// Appends a copy of `n`, without its name, with other operands. Its type is n's; the caller changes it where
// it differs.
value copy_node(graph *to, const node *n, const value *inputs);

#endif
