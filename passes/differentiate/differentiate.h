// What the files of reverse-mode differentiation share. Private to passes/differentiate/.
//
// A tape belongs to one graph that is differentiated (the top level, or a region's body), and to the graph that
// receives the gradients' nodes. Some values need a gradient: they depend on what is wanted, and the loss depends
// on them. The tape keeps the gradient so far of each: f32, of the value's shape, whatever its float type. The
// walk goes from the last node to the first. So a gradient is complete when its node is reached, and gradients of
// several users are added, the last user's first.
#ifndef BERTC_PASSES_DIFFERENTIATE_H
#define BERTC_PASSES_DIFFERENTIATE_H

#include "passes/region.h"

// The gradient of a slice of a value along one axis, before it is joined with those of other slices.
typedef struct cut {
    int axis;
    dim begin, end;
    value g;
    struct cut *next; // the next one along the axis
} cut;

// Attention's softmax in a body that is differentiated. The log-sum-exp of its rows is kept, and the rows are
// computed again from it. (attention.c)
typedef struct kept_softmax {
    value softmax; // in `from`; 0: there is none
    value context; // in `from`: the product with the values, [h,L,d]
    value log_sum; // in `to`: [h,L,1]
    value rows;    // in `to`: the region's first result
} kept_softmax;

typedef struct tape {
    pass *p;
    arena *scratch;
    const graph *from;
    int count; // nodes of `from` that are differentiated; more may follow them if `from` is also `to`
    graph *to; // receives the gradients' nodes
    // The next four are indexed by value of `from`.
    value *map;      // the same value in `to`; VALUE_NONE: there is none
    bool *reaches;   // does it depend on what is wanted?
    value *gradient; // its gradient so far, in `to`; VALUE_NONE: none
    cut **cuts;      // gradients of its slices that are not in `gradient` yet
    bool boxes;      // may `to` hold `fuse` nodes: is it the top level?
    bool names;      // may values be named gradient.NAME?
    kept_softmax kept;
    const char *within; // the place of the body, for errors; NULL: the top level
    int scalar_count;
    struct {
        double x;
        value v;
    } scalars[16];
} tape;

// --- differentiate.c: appends to g the gradients of `loss`, one f32 number, with respect to the values for which
// `wanted` is set. gradients[v] becomes that of v; VALUE_NONE if the loss does not depend on v. False, with a
// diagnostic, if the loss depends on a wanted value through an op without a gradient.
bool differentiate(graph *g, pass *p, value loss, const bool *wanted, value *gradients);

// --- tape.c

// A tape over `from` with nothing wanted yet. `to` may be `from`.
tape *tape_new(arena *scratch, pass *p, const graph *from, graph *to);
// Sets `reaches` for all values that depend on those for which it is set.
void tape_reach(tape *t);
// Copies the nodes of `from` into `to`, except those that have a `map` already and those that write a state.
void tape_copy(tape *t);
// Adds g, of v's shape, to the gradient of value v.
void tape_add(tape *t, value v, value g);
// The same for a slice of v, from `begin` to `end` along an axis. False: the slice overlaps another one, or is along
// another axis. The caller must then add the gradient of the whole value.
bool tape_add_cut(tape *t, value v, int axis, dim begin, dim end, value g);
// Joins the gradients of v's slices, with zeros between them, and adds the result to the gradient of v.
void tape_settle(tape *t, value v);
// Adds a diagnostic at value v of the tape's graph; returns false.
bool tape_error(const tape *t, value v, const char *cause);

// --- walk.c: differentiates all nodes. False, with a diagnostic, if the loss depends on a wanted value through an op
// without a gradient.
bool tape_walk(tape *t);

// --- Rules

// The differentiation of one node. A rule may read only what ops.def says.
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
// Is the gradient of operand i needed?
bool rule_wants(const rule_call *c, int i);
// Operand i, and the result, in t->to. Only for rules that read them (ops.def).
value rule_operand(const rule_call *c, int i);
value rule_result(const rule_call *c);
// Adds g to the gradient of operand i, summed over the axes along which the operand was broadcast.
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

// Finds the softmax of `inner`'s body whose log-sum-exp can be kept. False if there is none, or if a gradient is
// needed through more than one.
bool kept_softmax_find(const tape *inner, kept_softmax *k);
// Makes its log-sum-exp [rows,heads] one more result of the region v that is differentiated; returns that result.
value kept_softmax_yield(tape *outer, value v, const kept_softmax *k);
// Tells the gradient's body its params: the log-sum-exp, and the region's first result.
void kept_softmax_open(tape *inner, kept_softmax k, value log_sum, value context);
// The softmax of `scores`, computed again.
value kept_softmax_again(const tape *t, value scores);
// What the softmax rule subtracts: the sum of the softmax times its gradient along each row.
value kept_softmax_along(tape *t);

// --- broadcasts.c: removes a broadcast before a pointwise op that broadcasts the operand itself.
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
// An op whose attribute `shape` is the shape of `as`.
value build_shaped(tape *t, op o, int n, const value *inputs, const type *as);
value build_concat(tape *t, int axis, int n, const value *parts);
// x broadcast to the shape of `as`; x itself if it has that shape.
value build_broadcast(tape *t, value x, const type *as);
value build_reshape(tape *t, value x, const type *as);
// x summed over the axes along which a value of the type `as` was broadcast to x's shape.
value build_summed(tape *t, value x, const type *as);
// x with its last two axes exchanged.
value build_turned(tape *t, value x);
value build_f32(tape *t, value x); // x, cast if it has another type
// How many elements of a value of type x are summed into one over `axes`, as an f32 value whose axes have length 1.
value build_count(tape *t, const type *x, int n, const int64_t *axes);

#endif
