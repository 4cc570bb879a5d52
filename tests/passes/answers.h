// Evaluates any graph of the golden files on made-up inputs and tensors: what it answers before and after
// passes.
#ifndef TEST_ANSWERS_H
#define TEST_ANSWERS_H

#include <check.h>
#include <math.h>
#include <string.h>

#include "evaluate.h"
#include "ir/ir.h"

// Three texts of 3, 1 and 4 tokens; a head reads rows 1, 2, 3 and 6: two of the first text, one of the
// second, one of the third.
enum { ANSWER_T = 8, ANSWER_S = 3, ANSWER_R = 4 };
static const int32_t answer_bounds[] = {0, 3, 4, 8}, answer_row_bounds[] = {0, 2, 3, 4},
                     answer_rows[] = {1, 2, 3, 6};

// Numbers in [-1, 1) that depend on the name and the index alone.
static float answer_number(const char *name, int64_t i) {
    uint64_t h = 1469598103934665603u + (uint64_t)i * 0x9e3779b97f4a7c15u;
    for (const char *p = name; *p; p++) h = (h ^ (uint8_t)*p) * 1099511628211u;
    h ^= h >> 31;
    h *= 0x9e3779b97f4a7c15u;
    return (float)(h >> 40) / 8388608.0f - 1.0f;
}

// n of them times `scale`, as elements of any type that values have; of one that only tensors of a checkpoint have, 0.
static void *answer_elements(arena *a, const char *name, elem e, int64_t n, float scale) {
    unsigned char *data = arena_alloc(a, (size_t)n * elem_size(e));
    for (int64_t i = 0; i < n && !elem_is_stored(e); i++) {
        float x = scale * answer_number(name, i);
        elem_convert(ELEM_F32, &x, e, data + (size_t)i * elem_size(e), 1);
    }
    return data;
}

typedef struct answer_source {
    arena *a;
    const graph *g; // its recipes say which shapes the tensors have
} answer_source;

static const recipe *answer_tensor_of(const recipe *r, const char *name) {
    if (r->kind == RECIPE_TENSOR) return strcmp(r->tensor, name) ? NULL : r;
    for (int i = 0; i < r->part_count; i++) {
        const recipe *found = answer_tensor_of(r->parts[i], name);
        if (found) return found;
    }
    return NULL;
}

static bool answer_find(void *context, const char *name, tensor_view *out) {
    const answer_source *s = context;
    for (value v = 0; v < s->g->count; v++) {
        const attr *recipe_attr = node_attr(graph_node(s->g, v), ATTR_recipe);
        const recipe *r = recipe_attr ? answer_tensor_of(recipe_attr->u.recipe, name) : NULL;
        if (!r) continue;
        int64_t n = type_count(&r->type);
        *out = (tensor_view){.e = r->type.e, .rank = r->type.rank};
        out->data = answer_elements(s->a, name, r->type.e, n, elem_is_float(r->type.e) ? 1 : 100);
        for (int i = 0; i < out->rank; i++) out->shape[i] = r->type.d[i].n;
        return true;
    }
    return false;
}

static tensor answer_input(arena *a, const node *n) {
    bindings b = {.v = {[SYM_T] = ANSWER_T, [SYM_S] = ANSWER_S, [SYM_R] = ANSWER_R}};
    tensor t = {.e = n->type.e, .rank = n->type.rank};
    for (int i = 0; i < t.rank; i++) t.shape[i] = dim_value(n->type.d[i], &b);
    int64_t count = tensor_count(&t);
    int32_t *ints = ARENA_ARRAY(a, int32_t, count);
    for (int64_t i = 0; i < count; i++) ints[i] = answer_number(n->name, i) > 0; // every table has two rows
    if (!strcmp(n->name, "bounds")) memcpy(ints, answer_bounds, sizeof(answer_bounds));
    if (!strcmp(n->name, "row_bounds")) memcpy(ints, answer_row_bounds, sizeof(answer_row_bounds));
    if (!strcmp(n->name, "rows")) memcpy(ints, answer_rows, sizeof(answer_rows));
    t.data = t.e == ELEM_I32 ? ints : answer_elements(a, n->name, t.e, count, 1);
    return t;
}

// The outputs, in their order.
static tensor *answers(const graph *g, arena *a) {
    eval_input inputs[16];
    int n = 0;
    for (value v = 0; v < g->count; v++) {
        if (graph_node(g, v)->op != OP_input) continue;
        ck_assert_int_lt(n, 16);
        inputs[n++] = (eval_input){graph_node(g, v)->name, answer_input(a, graph_node(g, v))};
    }
    answer_source s = {a, g};
    tensor_source source = {&s, answer_find};
    eval_options o = {.source = &source, .input_count = n, .inputs = inputs, .length = ANSWER_T};
    return evaluate_all(g, &o, a);
}

static double answers_apart(int n, const tensor *x, const tensor *y) {
    double worst = 0;
    for (int i = 0; i < n; i++) worst = fmax(worst, largest_difference(&x[i], &y[i]));
    return worst;
}

#endif
