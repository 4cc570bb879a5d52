// The key of a kernel: everything that its code depends on (emit.h, kernel_site), as bytes. Nodes with
// equal keys share one function, so that twelve layers, and variants that differ only in their number of
// tokens, are compiled once.
#include "backend/codegen.h"
#include "ir/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct key {
    FILE *out;
    bool length; // does it depend on the variant's length?
} key;

static void put_int(key *k, int64_t x) {
    fwrite(&x, sizeof(x), 1, k->out);
}

static void put_bytes(key *k, const void *data, size_t size) {
    put_int(k, (int64_t)size);
    if (size) fwrite(data, 1, size, k->out);
}

static void put_dims(key *k, int n, const dim *d) {
    put_int(k, n);
    for (int i = 0; i < n; i++) {
        put_int(k, d[i].s);
        put_int(k, d[i].n);
        if (d[i].s == SYM_M) k->length = true;
    }
}

static void put_type(key *k, const type *t) {
    put_int(k, t->e);
    put_int(k, t->layout);
    put_dims(k, t->rank, t->d);
}

static void put_attr(key *k, const attr *a) {
    put_int(k, a->id);
    switch (attr_kind_of(a->id)) {
    case ATTR_KIND_INT: put_int(k, a->u.i); break;
    case ATTR_KIND_FLOAT: put_bytes(k, &a->u.f, sizeof(a->u.f)); break;
    case ATTR_KIND_INTS: put_bytes(k, a->u.ints, sizeof(int64_t) * (size_t)a->n); break;
    case ATTR_KIND_DIMS: put_dims(k, a->n, a->u.dims); break;
    case ATTR_KIND_NAME: put_bytes(k, a->u.name, strlen(a->u.name)); break;
    case ATTR_KIND_ELEM: put_int(k, a->u.e); break;
    case ATTR_KIND_LITERAL: put_bytes(k, a->u.literal, elem_size(a->e) * (size_t)a->n); break;
    case ATTR_KIND_RECIPE:
    case ATTR_KIND_HASH:
    case ATTR_KIND_FLAG: break; // weights: they come in as addresses
    }
}

static void put_graph(key *k, const graph *g);

static void put_node(key *k, const node *n) {
    put_int(k, n->op);
    put_type(k, &n->type);
    put_int(k, n->attr_count);
    for (int i = 0; i < n->attr_count; i++) put_attr(k, &n->attrs[i]);
    put_int(k, n->body != NULL);
    if (n->body) put_graph(k, n->body);
}

static void put_graph(key *k, const graph *g) {
    put_int(k, g->count);
    for (int i = 0; i < g->count; i++) {
        const node *n = graph_node(g, i);
        put_node(k, n);
        put_bytes(k, n->inputs, sizeof(value) * (size_t)n->input_count);
    }
    put_int(k, g->output_count);
    for (int i = 0; i < g->output_count; i++) put_int(k, g->outputs[i].value);
}

static void put_operands(key *k, const kernel_site *s, const node *n) {
    const graph *g = s->graph;
    put_int(k, n->input_count);
    for (int i = 0; i < n->input_count; i++) {
        int first = 0;
        while (n->inputs[first] != n->inputs[i]) first++;
        put_int(k, first);
        const node *operand = graph_node(g, n->inputs[i]);
        put_type(k, &operand->type);
        double x;
        bool scalar = value_is_scalar(g, n->inputs[i], &x);
        put_int(k, scalar);
        if (scalar) put_bytes(k, &x, sizeof(x));
        put_int(k, node_is_constant(operand) ? -1 : s->variant->places[n->inputs[i]].ld);
    }
}

// The types of results follow from the body.
static void put_results(key *k, arena *a, const kernel_site *s) {
    int count;
    const kernel_result *r = kernel_results(a, s, &count);
    put_int(k, count);
    for (int i = 0; i < count; i++) {
        put_int(k, r[i].index);
        put_int(k, r[i].ld);
    }
}

static void put_schedule(key *k, const schedule *s) {
    put_int(k, s->tile_rows);
    put_int(k, s->tile_columns);
    put_int(k, s->chunk);
    put_int(k, s->prefetch);
    for (int i = 0; i < THREAD_CLASSES; i++) {
        put_int(k, s->splits[i].form);
        put_int(k, s->splits[i].block_rows);
        put_int(k, s->splits[i].block_columns);
    }
}

kernel_key codegen_key(arena *a, const kernel_site *s, const target *t) {
    const node *n = graph_node(s->graph, s->node);
    char *text = NULL;
    size_t size = 0;
    key k = {.out = memory_must(memory_stream(&text, &size)), .length = n->op == OP_per_sequence};
    put_bytes(&k, t->isa, strlen(t->isa));
    put_int(&k, s->variant->row_tile);
    put_node(&k, n);
    put_operands(&k, s, n);
    put_results(&k, a, s);
    put_schedule(&k, &s->variant->schedules[s->node]);
    put_int(&k, k.length ? s->variant->length : 0);
    put_int(&k, loop_nest_depends_on_tokens(a, s) ? s->variant->tokens : 0);
    if (!memory_stream_end(k.out, &text)) memory_exhausted();
    kernel_key result = {arena_dup(a, text, size), size};
    free(text);
    return result;
}
