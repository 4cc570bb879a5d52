// Random bodies over narrow elements: values are cast to an element type, or quantised, moved, multiplied, and cast
// back. What is cast or quantised is what kernels and the evaluator have bit by bit: a difference of a rounding would
// become one of a whole step.
#ifndef BERTC_TESTS_RANDOM_ELEMENTS_H
#define BERTC_TESTS_RANDOM_ELEMENTS_H
#include "harness.h"

typedef struct maker {
    arena *a;
    graph *g; // the body
    uint64_t state;
    sym rows; // T or L
} maker;

static inline int64_t draw(maker *m, int64_t n) {
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(m->state >> 33) % n;
}

static inline const type *type_of(const maker *m, value v) {
    return graph_type(m->g, v);
}

// --- Values that are the same bit by bit

static inline bool rounds_once(op o) {
    static const op ops[] = {OP_input,      OP_param,     OP_constant,     OP_add,  OP_sub,       OP_mul,
                             OP_maximum,    OP_neg,       OP_select,       OP_cast, OP_transpose, OP_reshape,
                             OP_slice,      OP_broadcast, OP_concat,       OP_pad,  OP_quantize,  OP_gather,
                             OP_dequantize, OP_compare,   OP_gather_along, OP_iota, OP_reduce_max};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (ops[i] == o) return true;
    return false;
}

static inline bool *find_exact(const maker *m) {
    bool *exact = ARENA_ARRAY(m->a, bool, m->g->count);
    for (value v = 0; v < m->g->count; v++) {
        const node *n = graph_node(m->g, v);
        exact[v] = rounds_once(n->op) || (n->op == OP_matmul && n->type.e == ELEM_I32);
        for (int i = 0; i < n->input_count; i++) exact[v] = exact[v] && exact[n->inputs[i]];
    }
    return exact;
}

// The body's params of f32 are such values, so there is one.
static inline value pick_exact(maker *m) {
    const bool *exact = find_exact(m);
    for (;;) {
        value v = (value)draw(m, m->g->count);
        const type *t = type_of(m, v);
        if (exact[v] && t->e == ELEM_F32 && t->rank >= 2 && graph_node(m->g, v)->op != OP_constant) return v;
    }
}

// --- Steps

static inline value cast_to(maker *m, value x, elem e) {
    attr to = attr_elem(ATTR_to, e);
    return graph_append(m->g, OP_cast, 1, &x, 1, &to);
}

static inline value times(maker *m, value x, double power_of_two) {
    return graph_op2(m->g, OP_mul, x, graph_scalar(m->g, power_of_two));
}

static inline value moved(maker *m, value x) {
    type t = *type_of(m, x);
    int last = t.rank - 1;
    bool known = t.d[last].s == SYM_NONE;
    if (draw(m, 4) == 0 && known && t.d[last].n < 40) {
        attr axis = attr_int(ATTR_axis, last);
        return graph_append(m->g, OP_concat, 2, (value[]){x, x}, 1, &axis);
    }
    if (draw(m, 3) == 0 && known && t.d[last].n > 2) {
        dim begin[IR_MAX_RANK] = {{SYM_NONE, 0}};
        begin[last].n = 1 + draw(m, 2);
        return graph_slice(m->g, x, t.rank, begin, t.d);
    }
    if (draw(m, 2) == 0 && known) {
        dim shape[IR_MAX_RANK];
        memcpy(shape, t.d, sizeof(shape));
        shape[last].n += 1 + draw(m, 3);
        attr to = attr_dims(m->a, ATTR_shape, t.rank, shape);
        return graph_append(m->g, OP_pad, 1, &x, 1, &to);
    }
    int64_t perm[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    if (t.rank > 2) perm[last] = last - 1, perm[last - 1] = last;
    return graph_transpose(m->g, x, t.rank, perm);
}

// Where x is above 0 the one, elsewhere the other.
static inline value chosen(maker *m, value x, value narrow) {
    attr gt = attr_word(ATTR_predicate, "gt");
    value test = graph_append(m->g, OP_compare, 2, (value[]){x, graph_scalar(m->g, 0)}, 1, &gt);
    value other = cast_to(m, times(m, x, -0.5), type_of(m, narrow)->e);
    return graph_op3(m->g, OP_select, test, narrow, other);
}

static const elem drawn_elems[] = {ELEM_F16, ELEM_BF16, ELEM_I32, ELEM_I8, ELEM_U8, ELEM_I4};
#define DRAWN_ELEMS (int)(sizeof(drawn_elems) / sizeof(drawn_elems[0]))

// A value of a drawn element type: cast, chosen, moved.
static inline value narrowed(maker *m) {
    value x = pick_exact(m),
          y = cast_to(m, times(m, x, draw(m, 2) ? 4 : 64), drawn_elems[draw(m, DRAWN_ELEMS)]);
    if (draw(m, 3) == 0) y = chosen(m, x, y);
    for (int64_t i = draw(m, 3); i > 0; i--) y = moved(m, y);
    return y;
}

// The scales are columns of the value itself, so some are 0 and below; or its own.
static inline value quantized(maker *m) {
    static const elem to[] = {ELEM_I8, ELEM_U8, ELEM_I4};
    value x = pick_exact(m);
    type t = *type_of(m, x);
    dim begin[IR_MAX_RANK] = {{SYM_NONE, 0}}, *last = &t.d[t.rank - 1];
    if (last->s != SYM_NONE) return x;
    int64_t n = last->n, group = 1 + draw(m, n);
    while (n % group) group--;
    elem e = to[draw(m, 3)];
    last->n = n / group;
    attr how[] = {attr_elem(ATTR_to, e), attr_int(ATTR_group, group),
                  attr_int(ATTR_limit, 1 + draw(m, e == ELEM_I4 ? 7 : 127))};
    value scale = draw(m, 2) ? graph_append(m->g, OP_scales, 1, &x, 2, &how[1])
                             : times(m, graph_slice(m->g, x, t.rank, begin, t.d), 0.125);
    value q = graph_append(m->g, OP_quantize, 2, (value[]){x, scale}, 3, how);
    return graph_append(m->g, OP_dequantize, 2, (value[]){q, scale}, 2, &how[1]);
}

// A narrow value times its own transpose, softened so that numbers stay small.
static inline value narrow_square(maker *m) {
    value x = pick_exact(m);
    int rank = type_of(m, x)->rank;
    int64_t perm[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5}, kind = draw(m, 3);
    if (rank < 3) return x;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    value left = cast_to(m, times(m, x, 32), kind == 0 ? ELEM_BF16 : kind == 1 ? ELEM_U8 : ELEM_I8);
    value right =
        graph_transpose(m->g, cast_to(m, times(m, x, 32), kind == 0 ? ELEM_BF16 : ELEM_I8), rank, perm);
    value y = cast_to(m, graph_op2(m->g, OP_matmul, left, right), ELEM_F32);
    return graph_op1(m->g, OP_tanh, times(m, y, 0x1p-12));
}

static inline value element_step(maker *m) {
    switch (draw(m, 4)) {
    case 0: return quantized(m);
    case 1: return narrow_square(m);
    default: return times(m, cast_to(m, narrowed(m), ELEM_F32), 0x1p-5);
    }
}

// The param z, of a drawn element type, seen as numbers.
static inline void use_param(maker *m, value z) {
    times(m, cast_to(m, draw(m, 2) ? moved(m, z) : z, ELEM_F32), 0x1p-5);
}

#endif
