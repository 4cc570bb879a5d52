// A body as one flat graph. Its values are views; its intermediates lie in scratch buffers, which are used
// again when their value is no longer read.
#include "backend/loop_nest/loop_nest.h"

#include <assert.h>
#include <string.h>

// --- Flattening

// results[i]: the value of yield i.
static void flatten_body(graph *to, const graph *body, const value *params, value *results) {
    value **yields = ARENA_ARRAY(to->arena, value *, body->count + 1);
    value *map = ARENA_ARRAY(to->arena, value, body->count + 1);
    int next = 0;
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op == OP_param) {
            map[v] = params[next++];
            continue;
        }
        value *inputs = ARENA_ARRAY(to->arena, value, n->input_count + 1);
        for (int i = 0; i < n->input_count; i++) inputs[i] = map[n->inputs[i]];
        if (n->body) {
            yields[v] = ARENA_ARRAY(to->arena, value, n->body->output_count);
            flatten_body(to, n->body, inputs, yields[v]);
            map[v] = yields[v][0];
        } else if (n->op == OP_result) {
            map[v] = yields[n->inputs[0]][node_result_index(n)];
        } else {
            map[v] = copy_node(to, n, inputs);
        }
    }
    for (int i = 0; i < body->output_count; i++) results[i] = map[body->outputs[i].value];
}

graph *loop_nest_flatten(arena *a, const graph *g, value v) {
    const node *n = graph_node(g, v);
    graph *to = graph_new(a, NULL);
    int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0,
        count = n->input_count - bounds;
    value *params = ARENA_ARRAY(a, value, count + 1), *results = ARENA_ARRAY(a, value, node_yield_count(n));
    for (int i = 0; i < count; i++) {
        type t = n->body ? *graph_type(n->body, i) : *graph_type(g, n->inputs[i]);
        params[i] = graph_param(to, "x", t);
    }
    if (n->body)
        flatten_body(to, n->body, params, results);
    else
        results[0] = copy_node(to, n, params);
    graph_output_add(to, NULL, results[0]);
    return to;
}

// --- Values that are not computed

// A literal of several elements lies in the code's read-only data.
static view literal_view(loop_nest *n, value v) {
    emit *e = n->e;
    const node *producer = graph_node(n->body, v);
    const attr *literal = node_attr(producer, ATTR_value);
    double x;
    if (value_is_scalar(n->body, v, &x) || literal->n == 1) return view_immediate(e, n->body, v);
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, literal->n);
    for (int i = 0; i < literal->n; i++) items[i] = pointwise_element(e, literal, i);
    LLVMTypeRef of = view_elem(e, producer->type.e, 1);
    LLVMValueRef data = LLVMAddGlobal(e->module, LLVMArrayType2(of, (uint64_t)literal->n), "literal");
    LLVMSetInitializer(data, LLVMConstArray2(of, items, (uint64_t)literal->n));
    LLVMSetGlobalConstant(data, true);
    LLVMSetLinkage(data, LLVMPrivateLinkage);
    LLVMValueRef size[IR_MAX_RANK];
    int64_t room[IR_MAX_RANK];
    loop_nest_sizes(n, &producer->type, size);
    loop_nest_rooms(n, &producer->type, room);
    return view_make(&producer->type, data, size, room, 0);
}

static view reshaped(loop_nest *n, const node *producer, const view *x, int last) {
    LLVMValueRef size[IR_MAX_RANK];
    view r;
    loop_nest_sizes(n, &producer->type, size);
    if (view_reshape(x, &producer->type, size, &r)) return r;
    view copy = loop_nest_allocate(n, &x->type, last);
    if (view_reshape(&copy, &producer->type, size, &r)) {
        loop_nest_copy(n, x, &copy);
        return r;
    }
    n->buffer_count--;
    copy = loop_nest_allocate(n, &producer->type, last);
    loop_nest_copy_linear(n, x, &copy);
    return copy;
}

// What view_op makes.
#define VIEWS                                                                                                \
    (UINT64_C(1) << OP_transpose | UINT64_C(1) << OP_broadcast | UINT64_C(1) << OP_reshape |                 \
     UINT64_C(1) << OP_slice)
#define OP(name, least, most, attrs, flags)                                                                  \
    _Static_assert(!((flags) & VIEW) == !(VIEWS >> OP_##name & 1),                                           \
                   #name ": what ops.def calls VIEW has a case in view_op, and nothing else");
#include "ir/ops.def"
#undef OP

static view view_op(loop_nest *n, const node *producer, int last) {
    const view *x = &n->views[producer->inputs[0]];
    LLVMValueRef size[IR_MAX_RANK], begin[IR_MAX_RANK];
    loop_nest_sizes(n, &producer->type, size);
    if (producer->op == OP_transpose)
        return view_transpose(x, &producer->type, node_attr(producer, ATTR_perm));
    if (producer->op == OP_broadcast) return view_broadcast(x, &producer->type, size);
    if (producer->op == OP_reshape) return reshaped(n, producer, x, last);
    assert(producer->op == OP_slice);
    for (int i = 0; i < producer->type.rank; i++)
        begin[i] = loop_nest_size(n, node_attr(producer, ATTR_begin)->u.dims[i]);
    return view_slice(n->e, x, &producer->type, begin, size);
}

// --- The walk

// The last node that reads each value that the result needs; -1 for values that it does not.
static int *last_reads(const loop_nest *n) {
    const graph *g = n->body;
    int *last = ARENA_ARRAY(n->e->arena, int, g->count + 1);
    for (value v = 0; v < g->count; v++) last[v] = -1;
    last[g->outputs[0].value] = g->count;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *producer = graph_node(g, v);
        for (int i = 0; last[v] >= 0 && i < producer->input_count; i++)
            if (last[producer->inputs[i]] < v) last[producer->inputs[i]] = v;
    }
    return last;
}

bool loop_nest_body(loop_nest *n, const view *result) {
    const graph *g = n->body;
    const int *last = last_reads(n);
    value yields = g->outputs[0].value;
    // At most a value of its own, a reshape's copy, and copies of an op's operands.
    n->buffers = ARENA_ARRAY(n->e->arena, loop_nest_buffer, 4 * g->count + 4);
    bool written = false;
    for (value v = 0; v < g->count; v++) {
        const node *producer = graph_node(g, v);
        n->now = v;
        if (last[v] < 0 || producer->op == OP_param) continue;
        if (producer->op == OP_constant) {
            n->views[v] = literal_view(n, v);
        } else if (op_flag_bits(producer->op) & VIEW) {
            n->views[v] = view_op(n, producer, last[v]);
            int buffer = n->views[v].buffer;
            if (buffer >= 0 && n->buffers[buffer].last < last[v]) n->buffers[buffer].last = last[v];
        } else {
            written = v == yields;
            n->views[v] = written ? *result : loop_nest_allocate(n, &producer->type, last[v]);
            loop_nest_op(n, v, &n->views[v]);
        }
    }
    n->now = g->count;
    if (!written) loop_nest_copy(n, &n->views[yields], result);
    return !diag_failed(n->e->diag);
}
