// Linear layers: x W + b, and what an adapter that is trained adds, s (x A) B.
#include "frontend/hub/encoder/encoder.h"
#include "frontend/hub/encoder/lora.h"

// What has been built of an adapter: the inner product, or the part of B that is a module's.
typedef struct hub_low_ranks {
    struct hub_low_ranks *next;
    const hub_adapted_layer *layer;
    value x, inner; // inner: VALUE_NONE: the entry is of B
    hub_module m;
    value factor; // A or B, turned
} hub_low_ranks;

static hub_low_ranks *keep(hub_builder *b, hub_low_ranks entry) {
    hub_low_ranks *kept = ARENA_NEW(b->g->arena, hub_low_ranks);
    *kept = entry;
    kept->next = b->low_ranks;
    return b->low_ranks = kept;
}

static value factor(hub_builder *b, const char *name, const hub_weight *w) {
    return graph_constant_recipe(b->g, name, hub_build_recipe(b, w, true));
}

// [X,rank]: once for modules that are slices of one tensor, whose rows are dropped alike.
static value inner_of(hub_builder *b, const hub_adapted_layer *layer, value x) {
    const hub_adapted_layers *lora = b->weights->lora;
    value a = VALUE_NONE;
    for (const hub_low_ranks *e = b->low_ranks; e; e = e->next) {
        if (e->layer != layer || e->inner == VALUE_NONE) continue;
        if (e->x == x) return e->inner;
        a = e->factor;
    }
    const hub_weight w = {.tensor = layer->a,
                          .e = ELEM_F32,
                          .rank = 2,
                          .shape = {layer->rank, layer->columns},
                          .groups = 1,
                          .slice = {0, 1, false}};
    if (a == VALUE_NONE) a = factor(b, layer->a, &w);
    value shown = hub_build_dropped_by(b, x, lora->asked->dropout);
    value inner = graph_op2(b->g, OP_matmul, shown, a);
    if (layer->scale < 1 || layer->scale > 1)
        inner = graph_op2(b->g, OP_mul, inner, graph_scalar(b->g, layer->scale));
    return keep(b, (hub_low_ranks){.layer = layer, .x = x, .inner = inner, .factor = a})->inner;
}

static value outer_of(hub_builder *b, const hub_adapted_layer *layer, hub_module m, const hub_weight *of) {
    for (const hub_low_ranks *e = b->low_ranks; e; e = e->next)
        if (e->layer == layer && e->inner == VALUE_NONE && e->m == m) return e->factor;
    hub_weight w = *of;
    w.tensor = layer->b;
    w.e = ELEM_F32;
    w.shape[1] = layer->rank;
    const char *name =
        w.slice.parts > 1 ? arena_printf(b->g->arena, "%s.%d", layer->b, w.slice.part) : layer->b;
    return keep(b,
                (hub_low_ranks){.layer = layer, .inner = VALUE_NONE, .m = m, .factor = factor(b, name, &w)})
        ->factor;
}

value hub_build_linear(hub_builder *b, value x, hub_module m, int layer) {
    value w = hub_build_weight(b, m, layer, PART_WEIGHT, true);
    value y = graph_op2(b->g, OP_matmul, x, w);
    if (b->config->biased[m]) y = graph_op2(b->g, OP_add, y, hub_build_weight(b, m, layer, PART_BIAS, false));
    const hub_weight *stands = hub_weight_of(b->weights, m, hub_weight_set(b->config, layer), PART_WEIGHT);
    const hub_adapted_layer *adapted = hub_lora_of(b->weights->lora, stands->tensor);
    if (!adapted) return y;
    value inner = inner_of(b, adapted, x), outer = outer_of(b, adapted, m, stands);
    return graph_op2(b->g, OP_add, y, graph_op2(b->g, OP_matmul, inner, outer));
}
