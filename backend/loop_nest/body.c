// A body as one flat graph. Its values are views; its intermediates lie in scratch buffers, which are used
// again when their value is no longer read.
#include "backend/loop_nest/loop_nest.h"

#include <assert.h>
#include <string.h>

// --- Flattening

// results[i]: the value of yield i.
// What the body yields, as values of `to`.
static const value *flatten_body(graph *to, const graph *body, const value *params) {
    arena *a = to->arena;
    value *map = ARENA_ARRAY(a, value, body->count + 1), *out = ARENA_ARRAY(a, value, body->output_count);
    const value **yields = ARENA_ARRAY(a, const value *, body->count + 1); // of regions
    int next = 0;
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op == OP_param) {
            map[v] = params[next++];
            continue;
        }
        if (n->op == OP_result) {
            map[v] = yields[n->inputs[0]][node_result_index(n)];
            continue;
        }
        value *inputs = ARENA_ARRAY(a, value, n->input_count + 1);
        for (int i = 0; i < n->input_count; i++) inputs[i] = map[n->inputs[i]];
        if (n->body) yields[v] = flatten_body(to, n->body, inputs);
        map[v] = n->body ? yields[v][0] : copy_node(to, n, inputs);
    }
    for (int i = 0; i < body->output_count; i++) out[i] = map[body->outputs[i].value];
    return out;
}

graph *loop_nest_flatten(arena *a, const kernel_site *s) {
    const graph *g = s->graph;
    const node *n = graph_node(g, s->node);
    graph *to = graph_new(a, NULL);
    int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0,
        count = n->input_count - bounds, results;
    const kernel_result *r = kernel_results(a, s, &results);
    value *params = ARENA_ARRAY(a, value, count + 1);
    for (int i = 0; i < count; i++) {
        type t = n->body ? *graph_type(n->body, i) : *graph_type(g, n->inputs[i]);
        params[i] = graph_param(to, "x", t);
    }
    if (!n->body) {
        graph_output_add(to, NULL, copy_node(to, n, params));
        return to;
    }
    const value *yields = flatten_body(to, n->body, params);
    for (int i = 0; i < results; i++) graph_output_add(to, NULL, yields[r[i].index]);
    return to;
}

// --- Values that are not computed

static LLVMValueRef literal_data(emit *e, LLVMTypeRef of, LLVMValueRef *items, int64_t n) {
    LLVMValueRef data = LLVMAddGlobal(e->module, LLVMArrayType2(of, (uint64_t)n), "literal");
    LLVMSetInitializer(data, LLVMConstArray2(of, items, (uint64_t)n));
    return data;
}

static LLVMValueRef literal_elements(emit *e, const attr *literal) {
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, literal->n);
    for (int i = 0; i < literal->n; i++) items[i] = pointwise_element(e, literal, i);
    return literal_data(e, view_elem(e, literal->e, 1), items, literal->n);
}

// Two a byte.
static LLVMValueRef literal_nibbles(emit *e, const node *n) {
    int64_t count = type_bytes(&n->type);
    unsigned char *bytes = arena_alloc(e->arena, (size_t)count);
    LLVMValueRef *items = ARENA_ARRAY(e->arena, LLVMValueRef, count);
    type_to_memory(&n->type, node_attr(n, ATTR_value)->u.literal, bytes);
    for (int64_t i = 0; i < count; i++) items[i] = LLVMConstInt(e->i8, bytes[i], false);
    return literal_data(e, e->i8, items, count);
}

// A literal of several elements lies in the code's read-only data.
static view literal_view(loop_nest *n, value v) {
    emit *e = n->e;
    const node *producer = graph_node(n->body, v);
    const attr *literal = node_attr(producer, ATTR_value);
    double x;
    if (value_is_scalar(n->body, v, &x) || literal->n == 1) return view_immediate(e, n->body, v);
    LLVMValueRef data = literal->e == ELEM_I4 ? literal_nibbles(e, producer) : literal_elements(e, literal);
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
#define OP(name, least, most, attrs, flags, gradient)                                                        \
    _Static_assert(!((flags) & VIEW) == !(VIEWS >> OP_##name & 1),                                           \
                   #name ": what ops.def calls VIEW has a case in view_op, and nothing else");
#include "ir/ops.def"
#undef OP

static view view_op(loop_nest *n, const node *producer, int last) {
    const view *x = &n->views[producer->inputs[0]];
    LLVMValueRef size[IR_MAX_RANK], begin[IR_MAX_RANK];
    loop_nest_sizes(n, &producer->type, size);
    if (producer->op == OP_transpose && x->type.layout == LAYOUT_PACKED)
        return view_panel_rows(x, &producer->type);
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

// The last node that reads each value that the outputs, and what is written to states, need; -1 for values that
// they do not.
static int *last_reads(const loop_nest *n) {
    const graph *g = n->body;
    int *last = ARENA_ARRAY(n->e->arena, int, g->count + 1);
    for (value v = 0; v < g->count; v++) last[v] = -1;
    for (int i = 0; i < g->output_count; i++) last[g->outputs[i].value] = g->count;
    for (value v = 0; v < g->count; v++)
        if (op_flag_bits(graph_node(g, v)->op) & WRITES) last[v] = g->count;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *producer = graph_node(g, v);
        for (int i = 0; last[v] >= 0 && i < producer->input_count; i++)
            if (last[producer->inputs[i]] < v) last[producer->inputs[i]] = v;
    }
    return last;
}

// Writes a state in place; its result lies there.
static void assign(loop_nest *n, value v) {
    const node *producer = graph_node(n->body, v);
    view to = n->views[producer->inputs[0]];
    to.padded = false; // behind a row lies the next one
    loop_nest_copy(n, &n->views[producer->inputs[1]], &to);
    n->views[v] = to;
}

// The first output that value v is; -1: none.
static int output_of(const graph *g, value v) {
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == v) return i;
    return -1;
}

// Outputs that no op has left where they belong: views, params, and what is yielded twice.
static void copy_outputs(loop_nest *n, const bool *written, const view *results) {
    for (int i = 0; i < n->body->output_count; i++)
        if (!written[i]) loop_nest_copy(n, &n->views[n->body->outputs[i].value], &results[i]);
}

// A cast of a packed matrix, which products alone read: they widen what they load.
static bool widens_packed(const graph *g, const node *n) {
    const type *t = n->op == OP_cast ? graph_type(g, n->inputs[0]) : NULL;
    return t && t->layout == LAYOUT_PACKED && t->e != ELEM_F32;
}

bool loop_nest_body(loop_nest *n, const view *results) {
    const graph *g = n->body;
    const int *last = last_reads(n);
    // At most a value of its own, a reshape's copy, and copies of an op's operands.
    n->buffers = ARENA_ARRAY(n->e->arena, loop_nest_buffer, 4 * g->count + 4);
    bool *written = ARENA_ARRAY(n->e->arena, bool, g->output_count);
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
        } else if (widens_packed(g, producer)) {
            n->views[v] = n->views[producer->inputs[0]];
        } else if (op_flag_bits(producer->op) & WRITES) {
            int output = output_of(g, v);
            if (output >= 0) written[output] = true;
            assign(n, v);
        } else {
            int output = output_of(g, v);
            if (output >= 0) written[output] = true;
            n->views[v] = output >= 0 ? results[output] : loop_nest_allocate(n, &producer->type, last[v]);
            loop_nest_op(n, v, &n->views[v]);
        }
    }
    n->now = g->count;
    copy_outputs(n, written, results);
    return !diag_failed(n->e->diag);
}
