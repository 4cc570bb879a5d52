// fuse_epilogue: the pointwise ops after a product are done while its tile is in registers or in
// cache.
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
// The anchor is a matmul with a constant. An op joins if it is pointwise over [X,N], with constant
// vectors [N], numbers and rows [X,N] as operands, as long as only one value of the box is used
// outside. So x * sigmoid x joins whole, or not at all.
#include "passes/fuse/fuse.h"

static void fuse_product(rewriter *r, value v, bool *taken, pass *p) {
    graph *g = rewriter_graph(r);
    box b = box_of(v);
    value stopped_at;
    const char *why;
    box_grow(r, &b, &stopped_at, &why);
    if (stopped_at != VALUE_NONE && op_flag_bits(graph_node(g, stopped_at)->op) & POINTWISE)
        pass_missed(p, g, stopped_at, "%s stays outside of the product before it: %s",
                    op_name(graph_node(g, stopped_at)->op), why);
    if (b.count == 1 || !ops_ordered(r, b.count, b.ops)) return;
    for (int i = 0; i < b.count; i++) taken[b.ops[i]] = true;
    value fused = box_fuse(r, &b);
    pass_fired(p, g, fused, "product and %d ops", b.count - 1);
}

bool pass_fuse_epilogue(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    int count = g->count;
    arena *scratch = arena_new();
    bool *taken = ARENA_ARRAY(scratch, bool, count);
    for (value v = 0; v < count; v++)
        if (!taken[v] && use_count(r, v) && op_is(g, v, OP_matmul) && product_columns(g, v))
            fuse_product(r, v, taken, p);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
