#include "models/attention_held.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "frontend/cli/verify.h"
#include "models/reference.h"

#define LAYERS_MAX 16

typedef struct holding {
    arena *a;
    int count;
    const char *names[LAYERS_MAX];
    tensor wanted[LAYERS_MAX];
    held_apart out;
} holding;

static bool is_context(const node *n) {
    static const char ending[] = "attention.context";
    size_t length = n->name ? strlen(n->name) : 0, end = sizeof ending - 1;
    return length >= end && !strcmp(n->name + length - end, ending);
}

static bool keep(void *context, const graph *g, value v, const tensor *t) {
    holding *h = context;
    if (!is_context(graph_node(g, v))) return true;
    ck_assert_int_lt(h->count, LAYERS_MAX);
    ck_assert_int_eq(t->e, ELEM_F32);
    h->names[h->count] = arena_strdup(h->a, graph_node(g, v)->name);
    h->wanted[h->count] = *t;
    h->wanted[h->count++].data = arena_dup(h->a, t->data, (size_t)tensor_count(t) * sizeof(float));
    return true;
}

// The sums that both measures are made of.
typedef struct products {
    double off, wanted, got, both;
} products;

static products multiply(const tensor *got, const tensor *wanted) {
    products s = {0};
    ck_assert_int_eq(tensor_count(got), tensor_count(wanted));
    for (int64_t i = 0; i < tensor_count(wanted); i++) {
        double x = (double)((const float *)got->data)[i], y = (double)((const float *)wanted->data)[i];
        s.off += (x - y) * (x - y);
        s.wanted += y * y;
        s.got += x * x;
        s.both += x * y;
    }
    return s;
}

static void replace(void *context, const graph *g, value v, tensor *t) {
    holding *h = context;
    if (!is_context(graph_node(g, v))) return;
    for (int i = 0; i < h->count; i++) {
        if (strcmp(h->names[i], graph_node(g, v)->name)) continue;
        products s = multiply(t, &h->wanted[i]);
        h->out.context = fmax(h->out.context, sqrt(s.off / s.wanted));
        memcpy(t->data, h->wanted[i].data, (size_t)tensor_count(t) * sizeof(float));
        h->out.layers++;
    }
}

held_apart attention_held(const build_options *given, const char *what) {
    build_options o = *given;
    o.stops = true;
    o.last = STAGE_PACKED;
    o.passes = "-fuse_precision"; // in a kernel of its own attention gives no f32 that all else reads
    diag d;
    diag_init(&d);
    build b;
    must_diag(build_open(&b, &o, &d), &d, what);
    arena *a = b.arena;
    hub_model own;
    hub_options hub = build_hub(&o);
    must_diag(hub_open(&hub, a, &own, &d), &d, what);
    inputs x = verify_inputs(a, &own, VERIFY_TOKENS);
    holding h = {.a = a, .out = {.cosine = 1}};
    const graph *lowered = b.module->graphs[0];
    tensor *wanted = ARENA_ARRAY(a, tensor, own.graph->output_count),
           *got = ARENA_ARRAY(a, tensor, lowered->output_count);
    must_diag(verify_evaluate(own.graph, &own, &x, keep, NULL, &h, a, wanted, &d) &&
                  verify_evaluate(lowered, &b.model, &x, NULL, replace, &h, a, got, &d),
              &d, what);
    ck_assert_int_eq(lowered->output_count, own.graph->output_count);
    for (int i = 0; i < own.graph->output_count; i++) {
        products s = multiply(&got[i], &wanted[i]);
        h.out.cosine = fmin(h.out.cosine, s.both / sqrt(s.got * s.wanted));
    }
    ck_assert_int_eq(h.out.layers, h.count);
    hub_close(&own);
    build_close(&b);
    diag_free(&d);
    return h.out;
}
