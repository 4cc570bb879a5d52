// Which levels have equal code for a graph, so that it is emitted once. That is so where they are of one class,
// their registers are the same, and they take the graph's products by the same steps: what a level has beyond that is
// of no use to the graph.
//
//   a f32 graph          avx2 = avxvnni, avx512 = avx512vnni = avx512bf16 = amx
//   u8 x i8 products     avx512bf16 = avx512vnni, which has the same step
#include <string.h>

#include "backend/backend.h"
#include "backend/target/level.h"

// What of a level a graph's code depends on.
typedef struct needs {
    bool product[ELEM_COUNT][ELEM_COUNT]; // by the element types of the operands
    bool to_bf16;                         // casts, for which some levels have an instruction
} needs;

// The element types in which operand v of a product is read: its own, and what it is cast from on its way from memory.
static void add_elems(const graph *g, value v, bool elems[ELEM_COUNT]) {
    const node *n = graph_node(g, v);
    elems[n->type.e] = true;
    bool moves = n->op == OP_cast || n->op == OP_reshape || n->op == OP_transpose || n->op == OP_slice;
    if (moves) add_elems(g, n->inputs[0], elems);
}

static void add_product(needs *s, const graph *g, const node *n) {
    bool left[ELEM_COUNT] = {0}, right[ELEM_COUNT] = {0};
    add_elems(g, n->inputs[0], left);
    add_elems(g, n->inputs[1], right);
    for (int i = 0; i < ELEM_COUNT; i++)
        for (int k = 0; k < ELEM_COUNT; k++) s->product[i][k] |= left[i] && right[k];
}

static void add_graph(needs *s, const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_matmul) add_product(s, g, n);
        s->to_bf16 |= n->op == OP_cast && n->type.e == ELEM_BF16;
        if (n->body) add_graph(s, n->body);
    }
}

static bool same_product(const target_product *a, const target_product *b) {
    if (!a || !b) return a == b;
    return a->sum == b->sum && a->rows == b->rows && a->columns == b->columns && a->step == b->step &&
           a->group == b->group;
}

static bool same_code(const target *a, const target *b, const needs *s) {
    bool rounds = a->feature_bits & BERTC_FEATURE_AVX512BF16,
         also = b->feature_bits & BERTC_FEATURE_AVX512BF16;
    if (strcmp(a->class, b->class) || a->vector_floats != b->vector_floats ||
        a->vector_registers != b->vector_registers || a->fma != b->fma || (s->to_bf16 && rounds != also))
        return false;
    for (int i = 0; i < ELEM_COUNT; i++)
        for (int k = 0; k < ELEM_COUNT; k++)
            if (s->product[i][k] && !same_product(target_product_find(a, (elem)i, (elem)k),
                                                  target_product_find(b, (elem)i, (elem)k)))
                return false;
    return true;
}

void target_settle(target *t, const graph *g) {
    needs s = {0};
    add_graph(&s, g);
    double gflops = target_product_find(t, ELEM_F32, ELEM_F32)->peak_gflops;
    for (level_id i = 0; i < LEVEL_COUNT; i++) {
        const level *l = level_of(i);
        if (l->rank >= t->rank || (l->features & ~t->feature_bits) || !l->classes[t->precision]) continue;
        if (!level_find(l->arch, t->isa)) continue;
        target lower = *t;
        target_set_level(&lower, l, gflops);
        if (!same_code(&lower, t, &s)) continue;
        *t = lower;
        return;
    }
}
