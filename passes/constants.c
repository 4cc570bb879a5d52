#include "passes/constants.h"

#include <string.h>

value constant_of_recipe(graph *g, const recipe *r) {
    for (value v = 0; v < g->count; v++) {
        const attr *has = node_attr(graph_node(g, v), ATTR_recipe);
        if (has && recipe_eq(has->u.recipe, r)) return v;
    }
    return graph_constant_recipe(g, NULL, r);
}

value constant_literal(graph *g, type t, const void *data) {
    node fresh = {.op = OP_constant, .type = t};
    node_set_attr(g, &fresh, attr_literal(t.e, (int)type_count(&t), data));
    return copy_node(g, &fresh, NULL);
}

static recipe *recipe_of(const graph *g, value c) {
    const attr *a = node_attr(graph_node(g, c), ATTR_recipe);
    return a ? (recipe *)(uintptr_t)a->u.recipe : NULL;
}

value constant_scaled(graph *g, value c, double by) {
    recipe *r = recipe_of(g, c);
    if (r) return constant_of_recipe(g, recipe_scale(g->arena, r, by));
    const node *n = graph_node(g, c);
    const attr *a = node_attr(n, ATTR_value);
    float *scaled = ARENA_ARRAY(g->arena, float, a->n), factor = (float)by;
    for (int i = 0; i < a->n; i++) scaled[i] = a->u.floats[i] * factor;
    return constant_literal(g, n->type, scaled);
}

bool constants_concat(const graph *g, int n, const value *c) {
    const node *first = graph_node(g, c[0]);
    for (int i = 0; i < n; i++) {
        const node *x = graph_node(g, c[i]);
        if (!node_is_constant(x) || x->type.layout != LAYOUT_ROW || x->type.e != first->type.e) return false;
        if (!recipe_of(g, c[i]) != !recipe_of(g, c[0]) || node_is_state(x) != node_is_state(first))
            return false;
    }
    return true;
}

static value concat_literals(graph *g, int64_t axis, int n, const value *c) {
    type t = *graph_type(g, c[0]);
    for (int i = 1; i < n; i++) t.d[axis].n += graph_type(g, c[i])->d[axis].n;
    int64_t outer = 1;
    for (int i = 0; i < axis; i++) outer *= t.d[i].n;
    size_t size = elem_size(t.e), row = (size_t)(type_count(&t) / outer) * size, at = 0;
    unsigned char *data = arena_alloc(g->arena, (size_t)outer * row);
    for (int i = 0; i < n; i++) {
        const attr *a = node_attr(graph_node(g, c[i]), ATTR_value);
        size_t part = (size_t)(a->n / outer) * size;
        for (size_t k = 0; k < (size_t)outer; k++)
            memcpy(data + k * row + at, (const char *)a->u.literal + k * part, part);
        at += part;
    }
    return constant_literal(g, t, data);
}

value constant_concat(graph *g, int64_t axis, int n, const value *c) {
    if (!recipe_of(g, c[0])) return concat_literals(g, axis, n, c);
    recipe **parts = ARENA_ARRAY(g->arena, recipe *, n);
    for (int i = 0; i < n; i++) parts[i] = recipe_of(g, c[i]);
    value joined = constant_of_recipe(g, recipe_concat(g->arena, axis, n, parts));
    if (node_is_state(graph_node(g, c[0])))
        node_set_attr(g, graph_node(g, joined), attr_flag(ATTR_trainable));
    return joined;
}

// --- Block diagonals

// Does it change elements one by one, and zeros not at all?
static bool keeps_zeros(const recipe *r) {
    return r->kind == RECIPE_SCALE || r->kind == RECIPE_SCALE_ROWS || r->kind == RECIPE_CAST ||
           r->kind == RECIPE_QUANTIZE_COLUMNS;
}

// Blocks down the diagonal of a matrix that is zero beside them; 1 where that can't be said.
static int64_t diagonal_blocks(const recipe *r) {
    while (keeps_zeros(r) || r->kind == RECIPE_TRANSPOSE) r = r->parts[0];
    return r->kind == RECIPE_DIAGONAL ? r->axis : 1;
}

bool recipe_blocks(const recipe *r, int64_t *parts, int64_t *blocks) {
    while (keeps_zeros(r)) r = r->parts[0];
    bool joined = r->kind == RECIPE_CONCAT && r->axis == 1;
    *parts = joined ? r->part_count : 1;
    *blocks = diagonal_blocks(joined ? r->parts[0] : r);
    for (int i = 1; joined && i < r->part_count; i++)
        if (diagonal_blocks(r->parts[i]) != *blocks || !type_eq(&r->parts[i]->type, &r->parts[0]->type))
            return false;
    return *blocks > 1;
}

// --- Transposes

const recipe *recipe_before_casts(const recipe *r) {
    while (r->kind == RECIPE_CAST && r->type.e == ELEM_F32) r = r->parts[0];
    return r;
}

const recipe *recipe_turned(const recipe *r) {
    r = recipe_before_casts(r);
    return r->kind == RECIPE_TRANSPOSE ? recipe_before_casts(r->parts[0]) : NULL;
}

// --- Names

void name_if_free(graph *g, value v, const char *name) {
    if (graph_node(g, v)->name) return;
    for (value u = 0; u < g->count; u++) {
        const char *has = graph_node(g, u)->name;
        if (has && !strcmp(has, name)) return;
    }
    graph_name(g, v, name);
}
