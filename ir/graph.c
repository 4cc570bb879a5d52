#include "ir/graph.h"
#include "ir/shape.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

graph *graph_new(arena *a, const char *name) {
    graph *g = ARENA_NEW(a, graph);
    g->arena = a;
    g->name = name ? arena_strdup(a, name) : NULL;
    return g;
}

const char *graph_class(const graph *g) {
    return g->class ? g->class : "f32";
}

void graph_set_class(graph *g, const char *class) {
    g->class = strcmp(class, "f32") ? arena_strdup(g->arena, class) : NULL;
}

static value push(graph *g, node n) {
    if (g->count == g->capacity) {
        int capacity = g->capacity ? g->capacity * 2 : 16;
        node *nodes = ARENA_ARRAY(g->arena, node, capacity);
        if (g->count) memcpy(nodes, g->nodes, sizeof(node) * (size_t)g->count);
        g->nodes = nodes;
        g->capacity = capacity;
    }
    g->nodes[g->count] = n;
    return g->count++;
}

// --- Appending

static value append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs,
                    graph *body, const char *where, diag *d) {
    node fresh = {.op = o, .input_count = n, .body = body};
    fresh.inputs = n ? arena_dup(g->arena, inputs, sizeof(value) * (size_t)n) : NULL;
    for (int i = 0; i < attr_count; i++) node_set_attr(g, &fresh, attrs[i]);
    if (!shape_infer(g, &fresh, &fresh.type, where, d)) return VALUE_NONE;
    return push(g, fresh);
}

// What an assert does, in every build: a builder that was handed operands that don't fit has no way on.
static value must_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs,
                         graph *body) {
    diag d;
    diag_init(&d);
    value v = append(g, o, n, inputs, attr_count, attrs, body, "internal error", &d);
    if (v == VALUE_NONE) {
        diag_print(&d, stderr);
        abort();
    }
    diag_free(&d);
    return v;
}

value graph_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs) {
    return must_append(g, o, n, inputs, attr_count, attrs, NULL);
}

value graph_try_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs,
                       const char *where, diag *d) {
    return append(g, o, n, inputs, attr_count, attrs, NULL, where, d);
}

static value leaf(graph *g, op o, const char *name, type t) {
    return push(g, (node){.op = o, .type = t, .name = name ? arena_strdup(g->arena, name) : NULL});
}

value graph_input(graph *g, const char *name, type t) {
    assert(name);
    return leaf(g, OP_input, name, t);
}

value graph_param(graph *g, const char *name, type t) {
    assert(name);
    return leaf(g, OP_param, name, t);
}

value graph_constant_literal(graph *g, const char *name, type t, const void *data) {
    assert(type_count(&t) >= 0);
    value v = leaf(g, OP_constant, name, t);
    node_set_attr(g, graph_node(g, v), attr_literal(t.e, (int)type_count(&t), data));
    return v;
}

value graph_constant_f32(graph *g, const char *name, type t, const float *data) {
    assert(t.e == ELEM_F32);
    return graph_constant_literal(g, name, t, data);
}

value graph_constant_recipe(graph *g, const char *name, const recipe *r) {
    value v = leaf(g, OP_constant, name, r->type);
    node_set_attr(g, graph_node(g, v), (attr){.id = ATTR_recipe, .u.recipe = r});
    return v;
}

value graph_scalar(graph *g, double x) {
    float f = (float)x;
    return graph_constant_f32(g, NULL, type_make(ELEM_F32, 0, NULL), &f);
}

value graph_op1(graph *g, op o, value a) {
    return graph_append(g, o, 1, &a, 0, NULL);
}
value graph_op2(graph *g, op o, value a, value b) {
    return graph_append(g, o, 2, (value[]){a, b}, 0, NULL);
}
value graph_op3(graph *g, op o, value a, value b, value c) {
    return graph_append(g, o, 3, (value[]){a, b, c}, 0, NULL);
}

value graph_reshape(graph *g, value a, int rank, const dim *shape) {
    attr x = {.id = ATTR_shape, .n = rank, .u.dims = shape};
    return graph_append(g, OP_reshape, 1, &a, 1, &x);
}

value graph_transpose(graph *g, value a, int rank, const int64_t *perm) {
    attr x = {.id = ATTR_perm, .n = rank, .u.ints = perm};
    return graph_append(g, OP_transpose, 1, &a, 1, &x);
}

value graph_slice(graph *g, value a, int rank, const dim *begin, const dim *end) {
    attr x[] = {{.id = ATTR_begin, .n = rank, .u.dims = begin}, {.id = ATTR_end, .n = rank, .u.dims = end}};
    return graph_append(g, OP_slice, 1, &a, 2, x);
}

value graph_region(graph *g, op o, int n, const value *inputs, graph *body, int bounds) {
    attr x = attr_int(ATTR_bounds, bounds);
    return must_append(g, o, n, inputs, o == OP_per_sequence, &x, body);
}

value graph_try_region(graph *g, op o, int n, const value *inputs, graph *body, int attr_count,
                       const attr *attrs, const char *where, diag *d) {
    return append(g, o, n, inputs, attr_count, attrs, body, where, d);
}

value graph_result_find(const graph *g, value region, int index) {
    if (index == 0) return region;
    for (value v = region + 1; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_result && n->inputs[0] == region && node_result_index(n) == index) return v;
    }
    return VALUE_NONE;
}

value graph_result(graph *g, value region, int index) {
    value there = graph_result_find(g, region, index);
    attr x = attr_int(ATTR_index, index);
    return there != VALUE_NONE ? there : graph_append(g, OP_result, 1, &region, 1, &x);
}

// Room grows where the count is a power of two, so that any number of outputs costs its own size.
void graph_output_add(graph *g, const char *name, value v) {
    int n = g->output_count;
    if ((n & (n - 1)) == 0) {
        graph_output *outputs = ARENA_ARRAY(g->arena, graph_output, n ? 2 * n : 1);
        if (n) memcpy(outputs, g->outputs, sizeof(*outputs) * (size_t)n);
        g->outputs = outputs;
    }
    g->outputs[g->output_count++] = (graph_output){name ? arena_strdup(g->arena, name) : NULL, v};
}

void graph_name(graph *g, value v, const char *name) {
    g->nodes[v].name = name ? arena_strdup(g->arena, name) : NULL;
}

// --- Copying

static node node_copy(arena *a, const node *n) {
    node copy = *n;
    copy.inputs = n->input_count ? arena_dup(a, n->inputs, sizeof(value) * (size_t)n->input_count) : NULL;
    copy.attrs = n->attr_count ? ARENA_ARRAY(a, attr, n->attr_count) : NULL;
    for (int i = 0; i < n->attr_count; i++) copy.attrs[i] = attr_copy(a, n->attrs[i]);
    copy.body = n->body ? graph_clone(a, n->body) : NULL;
    copy.name = n->name ? arena_strdup(a, n->name) : NULL;
    return copy;
}

static variant variant_copy(arena *a, const variant *v, int count) {
    variant copy = *v;
    copy.name = v->name ? arena_strdup(a, v->name) : NULL;
    copy.isa = v->isa ? arena_strdup(a, v->isa) : NULL;
    copy.schedules = v->schedules ? arena_dup(a, v->schedules, sizeof(schedule) * (size_t)count) : NULL;
    copy.places = v->places ? arena_dup(a, v->places, sizeof(place) * (size_t)count) : NULL;
    return copy;
}

graph *graph_clone(arena *a, const graph *g) {
    graph *copy = graph_new(a, g->name);
    graph_set_class(copy, graph_class(g));
    for (int i = 0; i < g->count; i++) push(copy, node_copy(a, &g->nodes[i]));
    for (int i = 0; i < g->output_count; i++) {
        graph_output_add(copy, g->outputs[i].name, g->outputs[i].value);
    }
    copy->variant_count = g->variant_count;
    copy->variants = g->variant_count ? ARENA_ARRAY(a, variant, g->variant_count) : NULL;
    for (int i = 0; i < g->variant_count; i++) {
        copy->variants[i] = variant_copy(a, &g->variants[i], g->count);
    }
    copy->weight_bytes = g->weight_bytes;
    copy->state_bytes = g->state_bytes;
    copy->zero_bytes = g->zero_bytes;
    return copy;
}

// --- Questions

bool node_is_constant(const node *n) {
    return n->op == OP_constant;
}

bool input_of_call(const node *n) {
    type t;
    return n->op == OP_input && number_of_call(n->name, &t) && type_eq(&t, &n->type);
}

bool number_of_call(const char *name, type *out) {
    static const struct {
        const char *name;
        elem e;
        int64_t pair; // its length, or 0
    } numbers[] = {{"step", ELEM_I32, 0}, {"seed", ELEM_I32, 2},  {"rate", ELEM_F32, 0},
                   {"keep", ELEM_F32, 0}, {"scale", ELEM_F32, 0}, {"clip", ELEM_F32, 0}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(name, numbers[i].name)) continue;
        const dim length = dim_num(numbers[i].pair);
        *out = type_make(numbers[i].e, numbers[i].pair > 0, &length);
        return true;
    }
    return false;
}

bindings variant_most(const variant *x) {
    int64_t rows = (x->tokens + x->row_tile - 1) / x->row_tile * x->row_tile,
            texts = (x->sequences + x->row_tile - 1) / x->row_tile * x->row_tile;
    return (bindings){.v = {[SYM_T] = rows,
                            [SYM_S] = texts,
                            [SYM_R] = rows,
                            [SYM_L] = x->length,
                            [SYM_Q] = x->length,
                            [SYM_M] = x->length}};
}

double literal_number(const attr *a, int i) {
    float f;
    if (a->e == ELEM_I32) return a->u.i32s[i]; // f32 does not hold every one
    elem_convert(a->e, (const char *)a->u.literal + (size_t)i * elem_size(a->e), ELEM_F32, &f, 1);
    return (double)f;
}

bool value_is_scalar(const graph *g, value v, double *x) {
    const node *n = graph_node(g, v);
    const attr *a = node_is_constant(n) ? node_attr(n, ATTR_value) : NULL;
    if (!a || a->n != 1 || type_count(&n->type) != 1) return false;
    if (x) *x = literal_number(a, 0);
    return true;
}
