// fuse_epilogue: the pointwise ops after a product join its kernel, so that they run while its tile
// is in registers or in cache.
//
//   requires  nothing                 produces  nothing
//
//   before    %0 = matmul %x, %w
//             %1 = add %0, %b
//             %2 = add %1, %res
//   after     %2 = fuse (%x, %w, %b, %res) {
//               %0 = matmul %x, %w
//               %1 = add %0, %b
//               yield add %1, %res
//             }
//
//   before    %2 = fuse (...) { matmul, add }            what two read
//             %3 = gelu %2
//   after     %3 = fuse (...) { matmul, add, gelu; yield both }
//             %2 = result %3 {index = 1}
//
// The anchor is a matmul with a constant, or with another matrix of known size.
//
//   1. An op joins if it is pointwise over [X,N], and its operands are constant vectors [N],
//      numbers and rows [X,N]. Ops join as long as only one value of the box is used outside. So
//      x * sigmoid x joins whole.
//   2. The op that computes one of these rows joins too, if the box is its only reader and no other
//      product can take it (gamma * x of a residual).
//   3. Then ops join that were left because their operand has other readers. The operand becomes a
//      further result, so the rows are not read again. All products go through steps 1 and 2 first,
//      so that each op is where it costs least.
#include "passes/fuse/fuse.h"

typedef struct product {
    value v;          // the matmul, or its box
    value stopped_at; // what did not join, and why
    const char *why;
} product;

static bool is_product(rewriter *r, value v) {
    const graph *g = rewriter_graph(r);
    return use_count(r, v) && op_is(g, v, OP_matmul) && product_columns(g, v);
}

static void fuse_product(rewriter *r, product *x, bool *taken, pass *p) {
    graph *g = rewriter_graph(r);
    box b = box_of(x->v);
    box_grow(r, &b, &x->stopped_at, &x->why);
    box_take_leading(r, &b);
    if (b.count == 1 || !ops_ordered(r, b.count, b.ops)) return;
    for (int i = 0; i < b.count; i++) taken[b.ops[i]] = true;
    x->v = box_fuse(r, &b);
    pass_fired(p, g, x->v, "product and %d ops", b.count - 1);
}

static void fuse_readers(rewriter *r, product *x, pass *p) {
    graph *g = rewriter_graph(r);
    box b = box_of(x->v);
    int more = box_grow_results(r, &b, p->c->train);
    if (more) {
        x->v = box_fuse(r, &b);
        pass_fired(p, g, x->v, "ops added that read its results: %d, results: %d", more, b.result_count);
    }
    bool left = x->stopped_at != VALUE_NONE && use_count(r, x->stopped_at);
    if (left && op_flag_bits(graph_node(g, x->stopped_at)->op) & POINTWISE)
        pass_missed(p, g, x->stopped_at, "%s stays outside of the product before it: %s",
                    op_name(graph_node(g, x->stopped_at)->op), x->why);
}

bool pass_fuse_epilogue(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    int count = g->count, n = 0;
    arena *scratch = arena_new();
    bool *taken = ARENA_ARRAY(scratch, bool, count);
    product *products = ARENA_ARRAY(scratch, product, count);
    for (value v = 0; v < count; v++) {
        if (taken[v] || !is_product(r, v)) continue;
        products[n] = (product){.v = v, .stopped_at = VALUE_NONE};
        fuse_product(r, &products[n++], taken, p);
    }
    for (int i = 0; i < n; i++) fuse_readers(r, &products[i], p);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
