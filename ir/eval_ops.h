// The evaluator's kernels: one function an op over concrete tensors. Private to ir/.
#ifndef BERTC_IR_EVAL_OPS_H
#define BERTC_IR_EVAL_OPS_H
#include "ir/eval.h"

// How the evaluator holds an f32 element. Tests that check gradients by differences compile it once more, with doubles
// (tests/ops/test_gradients.c).
#ifdef BERTC_EVAL_WIDE
typedef double eval_float;
#else
typedef float eval_float;
#endif
// Bytes of one element in the evaluator's tensors.
static inline size_t eval_size(elem e) {
    return e == ELEM_F32 ? sizeof(eval_float) : elem_size(e);
}

// A value while it lives. What is not owned is borrowed: from an input, an operand, a literal, the
// checkpoint.
typedef struct cell {
    tensor t; // data NULL: not there (yet, or any more)
    void *owned;
} cell;

// One op's evaluation.
typedef struct eval_call {
    const graph *g;
    value v;
    const node *n;
    const cell *cells; // by value of g
    const bindings *b;
    tensor *out; // of the node's shape, zeroed
    diag *d;
} eval_call;

typedef bool (*eval_op)(const eval_call *c);

static inline const tensor *eval_operand(const eval_call *c, int i) {
    return &c->cells[c->n->inputs[i]].t;
}
static inline const type *eval_operand_type(const eval_call *c, int i) {
    return graph_type(c->g, c->n->inputs[i]);
}

// "@graph: %12 (its name): cause"; returns false.
bool eval_error(const graph *g, value v, diag *d, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// elem_convert between elements as the evaluator holds them; by way of float, but for f32 to f32.
void eval_convert(elem from, const void *in, elem to, void *out, int64_t n);

// Bytes from one element of `t` to the next along each axis.
void eval_steps(const tensor *t, int64_t *steps);
// The same, aligned at the last axis with a shape of `rank` axes; 0 where `t` is broadcast.
void eval_broadcast_steps(const tensor *t, int rank, int64_t *steps);

// An op without a kernel does not link. (Leaves that only stand for data, and regions, are eval.c's own.)
#define OP(name, least, most, attrs, flags, gradient) bool kernel_##name(const eval_call *c);
#include "ir/ops.def"
#undef OP

#endif
