// fuse_precision: ops that narrow rows (a cast to bf16; scales and quantize) join the kernel that
// computes the rows.
//
//   requires  nothing (lower_precision before it)                   produces  nothing
//
//   before    %y = fuse (%x, %w, ..) { ..; yield layer_norm .. }
//             %s = scales %y {group = 768, limit = 127}
//             %q = quantize %y, %s {to = u8, group = 768, limit = 127}
//   after     %y = fuse (%x, %w, ..) {
//               %n = layer_norm ..
//               %s = scales %n ..
//               %q = quantize %n, %s ..
//               yield %n, %q, %s               %n: where something else reads the rows (a residual)
//             }
//             %q = result %y {index = 1}
//             %s = result %y {index = 2}
//
// A `quantize` whose scales are static (a broadcast constant) joins alone.
//
// They join products, norms, lookups, pointwise ops and the boxes of these. A `cast` also joins
// attention, if nothing else reads its rows. No task of attention has whole rows, so `scales` and
// `quantize` after attention are one kernel of their own.
#include "passes/fuse/fuse.h"
#include "passes/region.h"

// The region of which x is a result, or x.
static value maker_of(const graph *g, value x) {
    return op_is(g, x, OP_result) ? graph_node(g, x)->inputs[0] : x;
}

// Does the kernel leave out rows (skip_rows), by a select at its end?
static bool skips_rows(const node *n) {
    return n->op == OP_fuse && op_is(n->body, n->body->outputs[0].value, OP_select);
}

// NULL where the kernel can narrow its rows too, else why it can't.
static const char *cause(const graph *g, value maker, value x) {
    const node *n = graph_node(g, maker);
    const type *t = graph_type(g, x);
    const char *why;
    if (n->op == OP_input || n->op == OP_constant) return "no kernel makes the rows";
    if (n->op == OP_per_sequence) return "the rows are made a text at a time";
    if (t->rank != 2 || t->e != ELEM_F32) return "its operand is no rows of f32";
    if (node_has_effect(n)) return "the kernel that makes the rows writes a state";
    if (skips_rows(n)) return "the kernel that makes the rows leaves some out";
    if (n->op == OP_fuse || n->op == OP_gather || norm_op(n->op)) return NULL;
    return product_columns(g, maker) || epilogue_op(g, maker, &why)
               ? NULL
               : "an op that needs a kernel of its own makes the rows";
}

// --- Behind attention

// The fuse that is all of the body's yield 0.
static value whole_box(const graph *body) {
    value v = body->outputs[0].value;
    bool whole =
        op_is(body, v, OP_fuse) && holds_norm(body, v) && !region_is_gradient(graph_node(body, v)->body);
    return whole ? v : VALUE_NONE;
}

// The cast v of the rows of the region x, which nothing else reads, goes into the region's box.
static bool join_attention(rewriter *r, value x, value v) {
    graph *g = rewriter_graph(r);
    const node *n = graph_node(g, x);
    if (n->op != OP_per_sequence || own_use_count(r, x) != 1 || whole_box(n->body) == VALUE_NONE)
        return false;
    graph *body = graph_clone(g->arena, n->body);
    node *fuse = graph_node(body, whole_box(body));
    const attr *to = node_attr(graph_node(g, v), ATTR_to);
    graph *inside = fuse->body;
    inside->outputs[0].value = graph_append(inside, OP_cast, 1, &inside->outputs[0].value, 1, to);
    rewriter_end(rewriter_begin(inside));
    fuse->type.e = to->u.e;
    value made = graph_region(g, OP_per_sequence, n->input_count, n->inputs, body,
                              (int)node_attr(n, ATTR_bounds)->u.i);
    for (int i = 1; i < node_yield_count(graph_node(g, x)); i++) {
        value result = graph_result_find(g, x, i);
        if (result != VALUE_NONE && use_count(r, result))
            replace_all_uses(r, result, graph_result(g, made, i));
    }
    replace_all_uses(r, v, made);
    return true;
}

// --- Boxes

// v narrows x, with the scales s of its rows (VALUE_NONE: it is a cast, or its scales are static).
static void join(rewriter *r, value x, value s, value v, pass *p) {
    graph *g = rewriter_graph(r);
    bool cast = op_is(g, v, OP_cast);
    const char *what = cast ? "cast" : s == VALUE_NONE ? "quantize" : "scales and quantize";
    value maker = maker_of(g, x);
    const char *why = cause(g, maker, x);
    if (cast && join_attention(r, x, v)) {
        pass_fired(p, g, x, "cast joins the attention");
        return;
    }
    box b = {0};
    if (!why) b.ops[b.count++] = maker;
    if (s != VALUE_NONE) b.ops[b.count++] = s;
    b.ops[b.count++] = v;
    if (!why && !ops_ordered(r, b.count, b.ops)) return;
    if (!why && box_used_outside(r, &b, maker)) b.results[b.result_count++] = maker;
    b.results[b.result_count++] = v;
    if (s != VALUE_NONE && box_used_outside(r, &b, s)) b.results[b.result_count++] = s;
    if (why)
        pass_missed(p, g, v, "%s: a kernel of its own, for %s", what, why);
    else
        pass_fired(p, g, v, "%s %s the kernel before", what, s == VALUE_NONE ? "joins" : "join");
    if (b.count > 1) box_fuse(r, &b);
}

bool pass_fuse_precision(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++) {
        const node *n = graph_node(g, v);
        if (!use_count(r, v)) continue;
        bool rows = n->type.rank == 2 && n->type.d[0].s != SYM_NONE; // a matrix is rounded as it is packed
        if (n->op == OP_cast && n->type.e == ELEM_BF16 && rows) join(r, n->inputs[0], VALUE_NONE, v, p);
        if (n->op != OP_quantize) continue;
        const node *s = graph_node(g, n->inputs[1]);
        if (s->op == OP_scales && s->inputs[0] == n->inputs[0]) join(r, n->inputs[0], n->inputs[1], v, p);
        if (s->op == OP_broadcast) join(r, n->inputs[0], VALUE_NONE, v, p);
    }
    rewriter_end(r);
    return true;
}
