// States of a differential test: a run has a copy of their first values, those that begin as zeros, and 64 zeros behind, as
// a session has.
#include "harness_parts.h"

#include <stdlib.h>
#include <string.h>

void harness_states_open(run *r) {
    r->states = fenced_new(r->g->state_bytes + r->g->zero_bytes + 64);
    memset(r->states.data, 0, (size_t)(r->g->state_bytes + r->g->zero_bytes + 64));
    if (r->g->state_bytes) memcpy(r->states.data, r->weights.data, (size_t)r->g->state_bytes);
}

void *harness_address(const run *r, const variant *x, value v, unsigned char *data) {
    const node *n = graph_node(r->g, v);
    const attr *at = node_attr(n, ATTR_at);
    if (node_is_state(n)) return r->states.data + at->u.i;
    if (node_is_constant(n)) return r->weights.data + at->u.i;
    if (x->places[v].kind == PLACE_STATE) return r->states.data + x->places[v].offset;
    for (int i = 0; x->places[v].kind == PLACE_INPUT && i < r->input_count; i++)
        if (!strcmp(r->inputs[i].name, n->name)) return r->inputs[i].value.data;
    return data + x->places[v].offset;
}

void harness_unpack(const type *t, const unsigned char *memory, tensor *out) {
    int64_t rows = t->d[0].n, columns = t->d[1].n;
    bool high;
    for (int64_t k = 0; k < rows; k++)
        for (int64_t j = 0; j < round_up(columns, PANEL_COLUMNS); j++) {
            float x;
            memcpy(&x, memory + packed_at(t->e, rows, k, j, &high), sizeof x);
            if (j < columns) ((float *)out->data)[k * columns + j] = x;
            ck_assert_msg(j < columns || x == 0, "%g in what fills the last panel", (double)x);
        }
}

tensor harness_state(const run *r, value v) {
    const node *n = graph_node(r->g, v);
    const type *t = &n->type;
    const unsigned char *from =
        r->states.data +
        node_attr(graph_node(r->g, node_is_state(n) ? v : graph_state_of(r->g, v)), ATTR_at)->u.i;
    tensor got = harness_tensor_new(r->a, t, &r->b);
    if (t->layout == LAYOUT_ROW) {
        memcpy(got.data, from, (size_t)type_bytes(t));
        return got;
    }
    harness_unpack(t, from, &got);
    return got;
}
