// Attention's products in bf16, with softmax and all other ops in f32.
//
//   before    %c = per_sequence (%bounds; %qkv) {            qkv: f32[L,3H]
//               yield fuse (%x = %qkv) {
//                 %q, %k, %v = views of %x
//                 %3 = matmul %q, %k
//                 %4 = softmax %3
//                 %5 = matmul %4, %v
//                 yield reshape %5
//               }
//             }
//
//   after     %b = cast %qkv {to = bf16}
//             %c = per_sequence (%bounds; %qkv = %b) {       qkv: bf16[L,3H]
//               yield fuse (%x = %qkv) {
//                 %q, %k, %v = views of %x                   bf16
//                 %3 = matmul %q, %k                         f32
//                 %4 = softmax %3
//                 %5 = cast %4 {to = bf16}
//                 %6 = matmul %5, %v                         f32
//                 yield reshape %6
//               }
//             }
//
// A param becomes bf16 if a product reads it only through views. What is computed on rows before
// their product (rotary positions) stays f32: with a `cast` before it, if its rows are bf16, and a
// `cast` after it. Tables that products read (relative positions) become bf16 constants. Products
// without a softmax between them (token mixing) stay f32, and so does the gradient of attention.
#include "passes/constants.h"
#include "passes/lower/lower.h"
#include "passes/region.h"

static bool holds_op(const graph *g, op o) {
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, o)) return true;
    return false;
}

// The box of attention in the body of a per_sequence; VALUE_NONE where there is none.
static value attention_box(const graph *body) {
    for (value v = 0; v < body->count; v++) {
        const graph *box = op_is(body, v, OP_fuse) ? graph_node(body, v)->body : NULL;
        if (box && holds_op(box, OP_matmul) && holds_op(box, OP_softmax)) return v;
    }
    return VALUE_NONE;
}

// --- In the box

// Marks the params that products read through views alone.
static void mark_params(const graph *box, bool *narrow) {
    for (value v = 0; v < box->count; v++) {
        const node *n = graph_node(box, v);
        for (int i = 0; n->op == OP_matmul && i < 2; i++) {
            value x = n->inputs[i];
            while (op_flag_bits(graph_node(box, x)->op) & VIEW) x = graph_node(box, x)->inputs[0];
            if (op_is(box, x, OP_param) && graph_type(box, x)->e == ELEM_F32) narrow[x] = true;
        }
    }
}

// v in another type, by one cast whatever reads it; made[v]: that cast, or VALUE_NONE so far.
static value as(graph *box, value v, elem e, value *made) {
    if (graph_type(box, v)->e == e) return v;
    if (made[v] == VALUE_NONE) {
        attr to = attr_elem(ATTR_to, e);
        made[v] = graph_append(box, OP_cast, 1, &v, 1, &to);
    }
    return made[v];
}

static void retype(graph *box, const bool *narrow, arena *scratch) {
    int count = box->count;
    value *made = ARENA_ARRAY(scratch, value, count);
    for (value v = 0; v < count; v++) made[v] = VALUE_NONE;
    for (value v = 0; v < count; v++) {
        if (op_is(box, v, OP_param)) {
            if (narrow[v]) graph_node(box, v)->type.e = ELEM_BF16;
            continue;
        }
        bool view = op_flag_bits(graph_node(box, v)->op) & VIEW, product = op_is(box, v, OP_matmul);
        for (int i = 0; i < graph_node(box, v)->input_count; i++) {
            value x = graph_node(box, v)->inputs[i];
            elem e = graph_type(box, x)->e;
            if (view && e == ELEM_BF16) graph_node(box, v)->type.e = ELEM_BF16;
            if (view) continue;
            if (product && e == ELEM_F32)
                e = ELEM_BF16;
            else if (!product && e == ELEM_BF16 && x < count && !op_is(box, v, OP_cast))
                e = ELEM_F32;
            value with = as(box, x, e, made);
            graph_node(box, v)->inputs[i] = with;
        }
    }
    for (int i = 0; i < box->output_count; i++)
        box->outputs[i].value = as(box, box->outputs[i].value, ELEM_F32, made);
    rewriter_end(rewriter_begin(box));
}

// --- Around it

static int uses_in(const graph *g, value v) {
    int uses = 0;
    for (value u = 0; u < g->count; u++)
        for (int i = 0; i < graph_node(g, u)->input_count; i++) uses += graph_node(g, u)->inputs[i] == v;
    for (int i = 0; i < g->output_count; i++) uses += g->outputs[i].value == v;
    return uses;
}

// What the operand x of the region becomes; VALUE_NONE: it stays f32.
static value narrow_operand(lower *l, value x) {
    const node *n = graph_node(rewriter_graph(l->r), x);
    if (!node_is_constant(n)) return rows_cast(l, x);
    if (node_is_state(n) || !node_attr(n, ATTR_recipe) || keep_holds(l, x, VALUE_NONE)) return VALUE_NONE;
    return table_bf16(l, x);
}

void lower_attention(lower *l, value v) {
    graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, v);
    if (n->op != OP_per_sequence || !l->rows) return;
    value at = attention_box(n->body);
    if (at == VALUE_NONE) {
        if (holds_op(n->body, OP_matmul))
            pass_missed(l->p, g, v, "the products stay f32: there is no attention around them");
        return;
    }
    if (!l->attention || keep_holds(l, v, VALUE_NONE)) {
        pass_missed(l->p, g, v, "attention stays f32: %s",
                    l->attention ? "--keep names it" : "no CPU of class avx2 multiplies bf16");
        return;
    }
    if (region_is_gradient(graph_node(n->body, at)->body)) {
        pass_missed(l->p, g, v, "attention's gradient stays f32");
        return;
    }
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i, count = n->input_count;
    graph *body = graph_clone(g->arena, n->body);
    node *fuse = graph_node(body, at);
    bool *narrow = ARENA_ARRAY(l->scratch, bool, fuse->body->count);
    value *inputs = ARENA_ARRAY(l->scratch, value, count);
    for (int i = 0; i < count; i++) inputs[i] = n->inputs[i];
    mark_params(fuse->body, narrow);
    for (int i = 0; i < fuse->input_count; i++) {
        value param = fuse->inputs[i];
        narrow[i] = narrow[i] && op_is(body, param, OP_param) && uses_in(body, param) == 1;
        value with = narrow[i] ? narrow_operand(l, inputs[bounds + param]) : VALUE_NONE;
        narrow[i] = with != VALUE_NONE;
        if (!narrow[i]) continue;
        inputs[bounds + param] = with;
        graph_node(body, param)->type.e = ELEM_BF16;
    }
    retype(fuse->body, narrow, l->scratch);
    pass_fired(l->p, g, v, "attention's products in bf16");
    replace_results(l->r, v, graph_region(g, OP_per_sequence, count, inputs, body, bounds));
}
