#include "backend/matmul/group_rows.h"

#include "backend/emit/row.h"

static bool is_scales_of(const product_end *x, value s) {
    const node *n = graph_node(x->body, s);
    return n->op == OP_scales && n->inputs[0] == x->main && node_attr(n, ATTR_group)->u.i == x->group;
}

group_rows group_rows_find(const product_end *x) {
    group_rows g = {.body = x->body, .quantize = VALUE_NONE, .columns = x->group, .row = product_end_row(x)};
    if (!x->group || x->count != 2 || x->c_elem != ELEM_F32) return g;
    for (int i = 0; i < 2; i++) {
        value q = x->values[i], s = x->values[1 - i];
        const node *n = graph_node(x->body, q);
        if (n->op != OP_quantize || !row_grouped(x->body, q) || n->inputs[0] != x->main ||
            n->inputs[1] != s || !is_scales_of(x, s) ||
            node_attr(n, ATTR_limit)->u.i != node_attr(graph_node(x->body, s), ATTR_limit)->u.i)
            continue;
        g.quantize = q;
        g.numbers = x->ports_of[i];
        g.scales = x->ports_of[1 - i];
        g.quantized_row = elem_bytes(n->type.e, x->ports[g.numbers].ld);
        g.scale_row = elem_bytes(ELEM_F32, x->ports[g.scales].ld);
    }
    return g;
}

void group_rows_emit(emit *e, group_rows *x) {
    const node *q = graph_node(x->body, x->quantize);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "matmul.quantize", NULL, 5, params);
    LLVMValueRef size = build_const_i64(e, x->columns);
    type from = type_make(ELEM_F32, 1, (dim[]){dim_num(x->columns)}), to = from;
    to.e = q->type.e;
    loop rows = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 4), 1, "row");
    LLVMValueRef at = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, rows.index, x->row));
    LLVMValueRef out_at = tile_at(e, LLVMGetParam(f, 1), tile_mul(e, rows.index, x->quantized_row));
    view in = view_make(&from, at, &size, &x->columns, 0),
         out = view_make(&to, out_at, &size, &x->columns, 0);
    in.padded = out.padded = true;
    LLVMValueRef found = tile_at(e, LLVMGetParam(f, 3), tile_mul(e, rows.index, MAGNITUDE_BYTES));
    LLVMValueRef most = build_reduce_max(e, build_load(e, e->vf, found, (unsigned)e->width * 4));
    LLVMValueRef scale = scale_of_magnitude(e, most, (double)node_attr(q, ATTR_limit)->u.i);
    build_store(e, scale, tile_at(e, LLVMGetParam(f, 2), tile_mul(e, rows.index, x->scale_row)), 4);
    LLVMValueRef factor = quantize_factor(e, q, scale);
    for (sweep w = sweep_begin(e, size, e->width, 1); sweep_next(&w);)
        sweep_store(&w, &out, quantize_op(e, x->body, q, sweep_load(&w, &in), factor));
    build_loop_end(e, &rows);
    x->function = build_helper_end(e, f, NULL, caller);
}

void group_rows_quantize(emit *e, const group_rows *x, LLVMValueRef c, LLVMValueRef quantized,
                         LLVMValueRef scales, LLVMValueRef magnitudes, LLVMValueRef rows) {
    LLVMValueRef args[] = {c, quantized, scales, magnitudes, rows};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(x->function), x->function, args, 5, "");
}

void group_rows_clear(emit *e, LLVMValueRef magnitudes, LLVMValueRef rows) {
    loop l = build_loop(e, build_const_i64(e, 0), rows, 1, "magnitudes");
    LLVMValueRef at = tile_at(e, magnitudes, tile_mul(e, l.index, MAGNITUDE_BYTES));
    build_store(e, LLVMConstNull(e->vf), at, (unsigned)e->width * 4);
    build_loop_end(e, &l);
}
