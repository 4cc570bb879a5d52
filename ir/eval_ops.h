// The evaluator's kernels: one function per op, over concrete tensors. Private to ir/.
#ifndef BERTC_IR_EVAL_OPS_H
#define BERTC_IR_EVAL_OPS_H
#include "ir/eval.h"

// How the evaluator stores an f32 element. Tests that check gradients by finite differences compile it once more, with
// doubles (tests/ops/test_gradients.c).
#ifdef BERTC_EVAL_WIDE
typedef double eval_float;
#else
typedef float eval_float;
#endif
// Bytes of one element in the evaluator's tensors.
static inline size_t eval_size(elem e) {
    return e == ELEM_F32 ? sizeof(eval_float) : elem_size(e);
}

// A value while it lives.
typedef struct cell {
    tensor t;    // data NULL: not computed yet, or freed
    void *owned; // NULL: t.data is borrowed from an input, an operand, a literal or the checkpoint
} cell;

// One op's evaluation.
typedef struct eval_call {
    const graph *g;
    value v;
    const node *n;
    const cell *cells; // indexed by value of g
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

// elem_convert for elements as the evaluator stores them; by way of float, except from f32 to f32.
void eval_convert(elem from, const void *in, elem to, void *out, int64_t n);

// Bytes from one element of `t` to the next along each axis.
void eval_steps(const tensor *t, int64_t *steps);
// The same, aligned at the last axis with a shape of `rank` axes; 0 along axes where `t` is broadcast.
void eval_broadcast_steps(const tensor *t, int rank, int64_t *steps);

// An op without a kernel does not link. (eval.c itself evaluates regions, inputs, params and constants.)
#define OP(name, least, most, attrs, flags, gradient) bool kernel_##name(const eval_call *c);
#include "ir/ops.def"
#undef OP

#endif
