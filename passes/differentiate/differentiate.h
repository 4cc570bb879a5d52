// Reverse-mode differentiation: what its files share. Private to passes/differentiate/.
//
// A tape holds one graph that is differentiated, at the top level or a region's body, and the graph into which the
// gradients' nodes go. Of each value that depends on what is wanted, and on which the loss depends, it keeps the
// gradient so far: an f32 value of the value's shape, whatever its float type. The walk goes from the last node to
// the first, so a gradient is whole when its node is met, and those of several users are added, the last user first.
#ifndef BERTC_PASSES_DIFFERENTIATE_H
#define BERTC_PASSES_DIFFERENTIATE_H

#include "passes/region.h"

// The gradient of a slice of a value, along one axis, until it is joined with those of other slices.
typedef struct cut {
    int axis;
    dim begin, end;
    value g;
    struct cut *next; // the next one along the axis
} cut;

// Attention's softmax in a body that is differentiated; its rows' log-sum-exp is kept, and they are made again from that.
// (attention.c)
typedef struct kept_softmax {
    value softmax,
        context;         // in `from`; softmax 0: there is none. context: the product with the values, [h,L,d]
    value log_sum, rows; // in `to`: [h,L,1], and the context as it was
} kept_softmax;

typedef struct tape {
    pass *p;
    arena *scratch;
    const graph *from;
    int count;       // nodes of `from` that are differentiated: more may follow where it is `to` too
    graph *to;       // gets the gradients' nodes
    value *map;      // by value of `from`: the same value in `to`; VALUE_NONE: it is not there
    bool *reaches;   // by value of `from`: does it depend on what is wanted?
    value *gradient; // by value of `from`, in `to`; VALUE_NONE: none so far
    cut **cuts;      // by value of `from`: gradients of slices, which are not in `gradient` yet
    bool boxes;      // does `to` take `fuse` nodes: is it the top level?
    bool names;      // may values be called gradient.NAME?
    kept_softmax kept;
    const char *within; // the place of a body, for errors; NULL: the top level
    int scalar_count;
    struct {
        double x;
        value v;
    } scalars[16];
} tape;

// --- differentiate.c: appends to g what gives the gradients of `loss`, one f32 number, by those values for which
// `wanted` is set; gradients[v] becomes that of v, VALUE_NONE where the loss does not depend on it. False, with a diagnostic, where what is wanted passes an op that has no gradient.
bool differentiate(graph *g, pass *p, value loss, const bool *wanted, value *gradients);

// --- tape.c

// A tape over `from` with nothing wanted yet. `to` may be `from`.
tape *tape_new(arena *scratch, pass *p, const graph *from, graph *to);
// Fills in `reaches` from the values for which it is set.
void tape_reach(tape *t);
// Copies the nodes of `from` into `to`, those excepted that have a `map`; what writes a state stays behind.
void tape_copy(tape *t);
// Adds g, of v's shape, to the gradient of value v.
void tape_add(tape *t, value v, value g);
// The same of a slice of v, from `begin` to `end` along an axis. False: it overlaps another one, or lies along another
// axis, and must be added as a whole.
bool tape_add_cut(tape *t, value v, int axis, dim begin, dim end, value g);
// Joins the slices' gradients of v, with zeros between them, and adds them to the others.
void tape_settle(tape *t, value v);
// A diagnostic at value v of the tape's graph; false.
bool tape_error(const tape *t, value v, const char *cause);

// --- walk.c: differentiates all nodes. False, with a diagnostic, where what is wanted passes an op that has no gradient.
bool tape_walk(tape *t);

// --- Rules

// One op's differentiation. Rules read of it what ops.def says.
typedef struct rule_call {
    tape *t;
    value v; // in t->from
    node n;
    value g; // the result's gradient, in t->to
} rule_call;
typedef void (*gradient_rule)(const rule_call *c);

static inline const type *rule_type(const rule_call *c, int i) {
    return graph_type(c->t->from, c->n.inputs[i]);
}
// Is the gradient of operand i wanted?
bool rule_wants(const rule_call *c, int i);
// Operand i, and the result, in t->to. Only for rules that read them (ops.def).
value rule_operand(const rule_call *c, int i);
value rule_result(const rule_call *c);
// Operand i gets g, summed over the axes along which the operand was broadcast.
void rule_give(const rule_call *c, int i, value g);

#define RULE(name) void gradient_##name(const rule_call *c);
// rules_pointwise.c
RULE(add)
RULE(sub)
RULE(mul)
RULE(div)
RULE(maximum)
RULE(neg)
RULE(exp)
RULE(log)
RULE(tanh)
RULE(cos)
RULE(sin)
RULE(erf)
RULE(rsqrt)
RULE(sigmoid)
RULE(gelu)
RULE(select)
RULE(cast)
// rules_move.c
RULE(gather)
RULE(gather_along)
RULE(scatter_add)
RULE(scatter_add_along)
RULE(transpose)
RULE(reshape)
RULE(slice)
RULE(concat)
RULE(pad)
RULE(broadcast)
// rules_sum.c
RULE(matmul)
RULE(reduce_sum)
RULE(reduce_max)
RULE(reduce_mean)
RULE(softmax)
RULE(layer_norm)
RULE(rms_norm)
#undef RULE

// --- attention.c

// Does the body of `inner` hold just one softmax that a gradient is wanted through and whose rows can be kept?
bool kept_softmax_find(const tape *inner, kept_softmax *k);
// Makes its log-sum-exp [rows,heads] one more result of the region v, which is differentiated; gives that.
value kept_softmax_yield(tape *outer, value v, const kept_softmax *k);
// The gradient's body computes it from these params: the log-sum-exp, and the region's first result.
void kept_softmax_open(tape *inner, kept_softmax k, value log_sum, value context);
// The softmax of `scores`, and what its rule subtracts: the sum of its gradient times it along each row.
value kept_softmax_again(const tape *t, value scores);
value kept_softmax_along(tape *t);

// --- broadcasts.c: pointwise ops read what was broadcast for them as it is, where they broadcast it themselves.
void drop_broadcasts(graph *g);

// --- build.c: nodes of gradients

value build_scalar(tape *t, double x); // f32[], one for each number
value build_add(tape *t, value a, value b);
value build_sub(tape *t, value a, value b);
value build_mul(tape *t, value a, value b);
value build_div(tape *t, value a, value b);
value build_scaled(tape *t, value a, double x);
value build_op(tape *t, op o, value a);
value build_select(tape *t, value condition, value a, value b);
value build_compare(tape *t, const char *predicate, value a, value b);
value build_reduce(tape *t, op o, value a, int n, const int64_t *axes);
value build_reduce_last(tape *t, op o, value a);
// An op with the attribute `shape`, that of `as`.
value build_shaped(tape *t, op o, int n, const value *inputs, const type *as);
value build_concat(tape *t, int axis, int n, const value *parts);
// Along the shape of `as`; x itself where it has that shape.
value build_broadcast(tape *t, value x, const type *as);
value build_reshape(tape *t, value x, const type *as);
// x summed over the axes along which a value of the type `as` was broadcast to x's shape.
value build_summed(tape *t, value x, const type *as);
// The last two axes exchanged.
value build_turned(tape *t, value x);
value build_f32(tape *t, value x); // x, cast where it is of another type
// How many elements of a value of type x are summed into one over `axes`, as f32 with axes of length 1.
value build_count(tape *t, const type *x, int n, const int64_t *axes);

#endif
