// Dropout: in training some numbers become 0, and the others are divided by the share that stays. Which ones, the call's
// seed says, the place in the model (a stream of its own), the row's number and the place in the row. Where the second number
// of the seed is 0, nothing is dropped: so it is in calls that answer.
#include "frontend/hub/encoder/encoder.h"
#include "frontend/hub/encoder/lora.h"

// The share that is dropped, or 0: f32[1].
static value share_of(graph *g, value seed, double share) {
    int32_t none = 0;
    dim begin = dim_num(1), end = dim_num(2);
    value second = graph_slice(g, seed, 1, &begin, &end);
    value zero = hub_build_numbers(g, type_make(ELEM_I32, 0, NULL), &none);
    attr ne = attr_word(ATTR_predicate, "ne");
    value on = graph_append(g, OP_compare, 2, (value[]){second, zero}, 1, &ne);
    value some = graph_scalar(g, share), nothing = graph_scalar(g, 0);
    return graph_op3(g, OP_select, on, some, nothing);
}

// x where drawn, numbers in [0, 1) of its shape, is not below the share.
static value kept(graph *g, value x, value drawn, value seed, double share) {
    value least = share_of(g, seed, share), one = graph_scalar(g, 1), zero = graph_scalar(g, 0);
    attr ge = attr_word(ATTR_predicate, "ge");
    value stays = graph_append(g, OP_compare, 2, (value[]){drawn, least}, 1, &ge);
    value factor = graph_op2(g, OP_div, one, graph_op2(g, OP_sub, one, least));
    return graph_op3(g, OP_select, stays, graph_op2(g, OP_mul, x, factor), zero);
}

static value drawn(graph *g, value seed, value rows, int rank, const dim *shape, int stream) {
    attr attrs[] = {{.id = ATTR_shape, .n = rank, .u.dims = shape}, attr_int(ATTR_stream, stream)};
    return graph_append(g, OP_random, 2, (value[]){seed, rows}, 2, attrs);
}

static value numbers_of(graph *g, dim rows) {
    attr attrs[] = {{.id = ATTR_shape, .n = 1, .u.dims = &rows}, attr_int(ATTR_axis, 0)};
    return graph_append(g, OP_iota, 0, NULL, 2, attrs);
}

void hub_build_seed(hub_builder *b) {
    const hub_config *c = b->config;
    const hub_adapted_layers *lora = b->weights->lora;
    bool drops = lora && lora->asked->dropout > 0;
    dim two = dim_num(2);
    b->seed = b->tokens = VALUE_NONE;
    b->streams = 0;
    for (int i = 0; i < DROP_COUNT; i++) drops |= c->drops[i] > 0;
    if (drops) b->seed = graph_input(b->g, "seed", type_make(ELEM_I32, 1, &two));
    if (b->seed != VALUE_NONE) b->tokens = numbers_of(b->g, dim_sym(SYM_T));
}

value hub_build_dropped(hub_builder *b, value x, hub_drop at) {
    return hub_build_dropped_by(b, x, b->config->drops[at]);
}

value hub_build_dropped_by(hub_builder *b, value x, double share) {
    if (!(share > 0)) return x;
    type t = *graph_type(b->g, x);
    value rows = t.d[0].s == SYM_T && !t.d[0].n ? b->tokens : numbers_of(b->g, t.d[0]);
    value numbers = drawn(b->g, b->seed, rows, t.rank, t.d, b->streams++);
    return kept(b->g, x, numbers, b->seed, share);
}

value hub_build_dropped_scores(hub_builder *b, graph *body, value p, value seed, value tokens) {
    dim rows = dim_sym(SYM_L), shape[] = {rows, dim_num(b->config->heads), rows};
    value numbers = drawn(body, seed, tokens, 3, shape, b->streams++);
    numbers = graph_transpose(body, numbers, 3, (int64_t[]){1, 0, 2});
    return kept(body, p, numbers, seed, b->config->drops[DROP_SCORES]);
}
