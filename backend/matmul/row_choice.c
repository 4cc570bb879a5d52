#include "backend/matmul/row_choice.h"

// `param` has one number for each of the product's rows: rank 1.
static bool numbers_fit(const graph *body, const node *c, row_choice *out) {
    const node *column = graph_node(body, c->inputs[0]);
    if (column->op != OP_reshape || column->type.rank != 2 || !dim_is(column->type.d[1], 1)) return false;
    const node *param = graph_node(body, column->inputs[0]);
    const type *t = &param->type;
    out->param = column->inputs[0];
    return param->op == OP_param && t->rank == 1 && (t->e == ELEM_F32 || t->e == ELEM_I32) &&
           dim_eq(t->d[0], column->type.d[0]) && value_is_scalar(body, c->inputs[1], NULL);
}

value row_choice_collect(const graph *body, value v, row_choice *out) {
    *out = (row_choice){0};
    const node *n = graph_node(body, v);
    double other;
    if (n->op != OP_select || n->type.rank != 2) return v;
    const node *c = graph_node(body, n->inputs[0]);
    if (c->op != OP_compare || !value_is_scalar(body, n->inputs[2], &other) || other != 0) return v;
    if (!numbers_fit(body, c, out) || !dim_eq(graph_type(body, out->param)->d[0], n->type.d[0])) return v;
    out->body = body;
    out->compare = c;
    return n->inputs[1];
}

LLVMValueRef row_choice_any(emit *e, const row_choice *x, LLVMValueRef numbers, int n) {
    elem of = graph_type(x->body, x->param)->e;
    LLVMTypeRef one = of == ELEM_F32 ? e->f32 : e->i32;
    LLVMValueRef number = pointwise_literal(e, graph_node(x->body, x->compare->inputs[1]), n);
    LLVMValueRef operands[] = {build_load(e, n > 1 ? LLVMVectorType(one, (unsigned)n) : one, numbers, 4),
                               number};
    LLVMValueRef holds = pointwise_op(e, x->body, x->compare, operands);
    if (n == 1) return holds;
    LLVMTypeRef bits = LLVMIntTypeInContext(e->context, (unsigned)n);
    return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildBitCast(e->b, holds, bits, ""),
                         LLVMConstInt(bits, 0, false), "");
}

LLVMValueRef row_choice_clear(emit *e, const row_choice *x, int64_t ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "matmul.clear", NULL, 4, params);
    loop row = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 1), 1, "row");
    LLVMValueRef holds = row_choice_any(e, x, tile_at(e, LLVMGetParam(f, 0), tile_mul(e, row.index, 4)), 1);
    LLVMBasicBlockRef chosen = build_if(e, LLVMBuildNot(e->b, holds, ""));
    LLVMValueRef to = tile_at(e, LLVMGetParam(f, 2), tile_mul(e, row.index, ld * 4));
    loop column = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 3), PANEL_COLUMNS, "column");
    for (int64_t i = 0; i < PANEL_COLUMNS; i += e->width) {
        LLVMValueRef at = tile_at_constant(e, tile_at(e, to, tile_mul(e, column.index, 4)), i * 4);
        build_store(e, LLVMConstNull(e->vf), at, (unsigned)e->width * 4);
    }
    build_loop_end(e, &column);
    build_if_end(e, chosen);
    build_loop_end(e, &row);
    return build_helper_end(e, f, NULL, caller);
}
