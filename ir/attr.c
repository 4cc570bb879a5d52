// Attributes of a node: a list in the order of their ids.
#include "ir/graph.h"

#include <string.h>

const attr *node_attr(const node *n, attr_id id) {
    for (int i = 0; i < n->attr_count; i++) {
        if (n->attrs[i].id == id) return &n->attrs[i];
    }
    return NULL;
}

static recipe *recipe_copy(arena *a, const recipe *r) {
    recipe *copy = arena_dup(a, r, sizeof(*r));
    if (r->tensor) copy->tensor = arena_strdup(a, r->tensor);
    if (r->numbers) copy->numbers = arena_dup(a, r->numbers, recipe_bytes(r));
    copy->parts = r->part_count ? ARENA_ARRAY(a, recipe *, r->part_count) : NULL;
    for (int i = 0; i < r->part_count; i++) copy->parts[i] = recipe_copy(a, r->parts[i]);
    return copy;
}

attr attr_copy(arena *a, attr x) {
    size_t n = (size_t)x.n;
    switch (attr_kind_of(x.id)) {
    case ATTR_KIND_INTS: x.u.ints = arena_dup(a, x.u.ints, sizeof(int64_t) * n); break;
    case ATTR_KIND_DIMS: x.u.dims = arena_dup(a, x.u.dims, sizeof(dim) * n); break;
    case ATTR_KIND_NAME: x.u.name = arena_strdup(a, x.u.name); break;
    case ATTR_KIND_LITERAL: x.u.literal = arena_dup(a, x.u.literal, elem_size(x.e) * n); break;
    case ATTR_KIND_RECIPE: x.u.recipe = recipe_copy(a, x.u.recipe); break;
    case ATTR_KIND_INT:
    case ATTR_KIND_FLOAT:
    case ATTR_KIND_ELEM:
    case ATTR_KIND_HASH:
    case ATTR_KIND_FLAG: break;
    }
    return x;
}

void node_drop_attr(node *n, attr_id id) {
    int kept = 0;
    for (int i = 0; i < n->attr_count; i++)
        if (n->attrs[i].id != id) n->attrs[kept++] = n->attrs[i];
    n->attr_count = kept;
}

void node_set_attr(graph *g, node *n, attr a) {
    attr *had = (attr *)(uintptr_t)node_attr(n, a.id);
    a = attr_copy(g->arena, a);
    if (had) {
        *had = a;
        return;
    }
    attr *attrs = ARENA_ARRAY(g->arena, attr, n->attr_count + 1);
    int i = 0;
    for (; i < n->attr_count && n->attrs[i].id < a.id; i++) attrs[i] = n->attrs[i];
    attrs[i] = a;
    for (; i < n->attr_count; i++) attrs[i + 1] = n->attrs[i];
    n->attrs = attrs;
    n->attr_count++;
}

attr attr_int(attr_id id, int64_t i) {
    return (attr){.id = id, .u.i = i};
}
attr attr_float(attr_id id, double f) {
    return (attr){.id = id, .u.f = f};
}
attr attr_word(attr_id id, const char *name) {
    return (attr){.id = id, .u.name = name};
}

attr attr_elem(attr_id id, elem e) {
    return (attr){.id = id, .u.e = e};
}
attr attr_literal(elem e, int n, const void *data) {
    return (attr){.id = ATTR_value, .n = n, .e = e, .u.literal = data};
}
attr attr_flag(attr_id id) {
    return (attr){.id = id};
}

attr attr_ints(arena *a, attr_id id, int n, const int64_t *v) {
    return (attr){.id = id, .n = n, .u.ints = arena_dup(a, v, sizeof(*v) * (size_t)n)};
}

attr attr_dims(arena *a, attr_id id, int n, const dim *v) {
    return (attr){.id = id, .n = n, .u.dims = arena_dup(a, v, sizeof(*v) * (size_t)n)};
}
