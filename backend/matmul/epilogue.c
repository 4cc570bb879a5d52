#include "backend/matmul/epilogue.h"

#include <assert.h>

// --- Recognition

static bool is_costly(op o) {
    return o == OP_div || o == OP_exp || o == OP_log || o == OP_tanh || o == OP_cos || o == OP_sin ||
           o == OP_erf || o == OP_rsqrt || o == OP_sigmoid || o == OP_gelu;
}

static bool add_param(const kernel_site *s, const value *operands, epilogue *x, value v) {
    for (int i = 0; i < x->count; i++) {
        if (x->params[i] == v) return true;
    }
    if (!operands || x->count == TILE_MAX_EXTRAS) return false;
    const type *t = graph_type(x->body, v), *c = graph_type(x->body, x->anchor);
    panel_extra *m = &x->extras[x->count];
    if (t->e != ELEM_F32 || t->layout != LAYOUT_ROW) return false;
    if (t->rank == 0) {
        m->kind = EXTRA_FIXED;
    } else if (t->rank == 1 && dim_eq(t->d[0], c->d[1])) {
        m->kind = EXTRA_COLUMNS;
    } else if (t->rank == 2 && type_same_shape(t, c) &&
               !node_is_constant(graph_node(s->graph, operands[v]))) {
        m->kind = EXTRA_ROWS;
        m->ld = s->variant->places[operands[v]].ld;
    } else {
        return false;
    }
    x->params[x->count++] = v;
    return true;
}

static bool collect_epilogue(const kernel_site *s, const value *operands, epilogue *x, value v, bool *seen) {
    if (v == x->anchor || seen[v]) return true;
    seen[v] = true;
    const node *n = graph_node(x->body, v);
    double scalar;
    if (value_is_scalar(x->body, v, &scalar)) return true;
    if (n->op == OP_param) return add_param(s, operands, x, v);
    if (!(op_flag_bits(n->op) & POINTWISE)) return false;
    x->op_count++;
    x->costly |= is_costly(n->op);
    for (int i = 0; i < n->input_count; i++) {
        if (!collect_epilogue(s, operands, x, n->inputs[i], seen)) return false;
    }
    return true;
}

bool epilogue_collect(const kernel_site *s, const graph *body, const value *operands, value anchor,
                      value result, epilogue *out) {
    *out = (epilogue){.body = body, .anchor = anchor, .result = result};
    if (!body || anchor == result) return true;
    if (!type_eq(graph_type(body, anchor), graph_type(body, result))) return false;
    arena *a = arena_new();
    bool ok = collect_epilogue(s, operands, out, result, ARENA_ARRAY(a, bool, body->count));
    arena_free(a);
    return ok;
}

value row_norm_collect(const graph *body, value v, row_norm *out) {
    *out = (row_norm){.op = OP_COUNT, .beta = -1};
    const node *n = graph_node(body, v);
    if (n->op != OP_layer_norm && n->op != OP_rms_norm) return v;
    for (int i = 1; i < n->input_count; i++) {
        if (graph_node(body, n->inputs[i])->op != OP_param) return v;
    }
    *out = (row_norm){.op = n->op,
                      .eps = node_attr(n, ATTR_eps)->u.f,
                      .gamma = n->inputs[1],
                      .beta = n->input_count > 2 ? n->inputs[2] : -1,
                      .n = n->type.d[n->type.rank - 1].n};
    return n->inputs[0];
}

// --- Emission

// One vector of the tile.
typedef struct location {
    emit *e;
    const epilogue *x;
    const tile *t;
    LLVMValueRef sum;
    LLVMValueRef row; // i64
    int vector;
} location;

static LLVMValueRef load_param(void *context, value v) {
    const location *c = context;
    emit *e = c->e;
    if (v == c->x->anchor) return c->sum;
    int i = 0;
    while (c->x->params[i] != v) i++;
    const panel_extra *x = &c->x->extras[i];
    LLVMValueRef p = c->t->extra[i];
    if (x->kind == EXTRA_FIXED) return build_splat(e, build_load(e, e->f32, p, 4), e->width);
    if (x->kind == EXTRA_ROWS) p = tile_at(e, p, tile_mul(e, c->row, x->ld * 4));
    return build_load(e, e->vf, tile_at_constant(e, p, (int64_t)c->vector * e->width * 4),
                      (unsigned)e->width * 4);
}

static LLVMValueRef one_vector(emit *e, const epilogue *x, const tile *t, LLVMValueRef row, int vector,
                               LLVMValueRef sum) {
    location here = {.e = e, .x = x, .t = t, .sum = sum, .row = row, .vector = vector};
    LLVMValueRef *memo = ARENA_ARRAY(e->arena, LLVMValueRef, x->body->count);
    pointwise p = {
        .e = e, .body = x->body, .load = load_param, .context = &here, .width = e->width, .memo = memo};
    return pointwise_value(&p, x->result);
}

// On the registers; all is loaded before anything is stored, so that a vector of columns is loaded once.
static void finish_cheap(emit *e, const epilogue *x, const tile *t, LLVMValueRef *acc) {
    for (int r = 0; r < t->rows; r++) {
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = one_vector(e, x, t, build_const_i64(e, r), v, *sum);
        }
    }
    tile_store(e, t, acc);
}

// Through a small tile on the stack, a row at a time: on the registers these ops would spill most of the
// sums.
static void finish_costly(emit *e, const epilogue *x, const tile *t, LLVMValueRef *acc) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef count = LLVMConstInt(e->i32, (unsigned)(t->rows * t->vectors), false);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), entry = LLVMGetEntryBasicBlock(t->function);
    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(entry));
    LLVMValueRef stack = LLVMBuildArrayAlloca(e->b, e->vf, count, "tile");
    LLVMSetAlignment(stack, align);
    LLVMPositionBuilderAtEnd(e->b, here);
    for (int i = 0; i < t->rows * t->vectors; i++) {
        build_store(e, acc[i], tile_at_constant(e, stack, (int64_t)i * align), align);
    }
    loop rows = build_loop(e, build_const_i64(e, 0), build_const_i64(e, t->rows), 1, "epilogue");
    LLVMValueRef from = tile_at(e, stack, tile_mul(e, rows.index, (int64_t)t->vectors * align));
    LLVMValueRef to = tile_at(e, t->c, tile_mul(e, rows.index, t->ldc * 4));
    for (int v = 0; v < t->vectors; v++) {
        LLVMValueRef sum = build_load(e, e->vf, tile_at_constant(e, from, (int64_t)v * align), align);
        sum = one_vector(e, x, t, rows.index, v, sum);
        build_store(e, sum, tile_at_constant(e, to, (int64_t)v * align), align);
    }
    build_loop_end(e, &rows);
}

void epilogue_finish(emit *e, const tile *t, LLVMValueRef *acc) {
    const epilogue *x = t->context;
    if (!x->body || x->anchor == x->result)
        tile_store(e, t, acc);
    else if (x->costly)
        finish_costly(e, x, t, acc);
    else
        finish_cheap(e, x, t, acc);
}

LLVMValueRef row_norm_emit(emit *e, const row_norm *c, int64_t ld, const char *name) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr, e->ptr};
    LLVMValueRef f = build_helper(e, name, NULL, 4, params);
    loop rows = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 1), 1, "row");
    LLVMValueRef row = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, rows.index, ld * 4));
    LLVMValueRef gamma = LLVMGetParam(f, 2), beta = c->beta < 0 ? NULL : LLVMGetParam(f, 3);
    if (c->op == OP_layer_norm)
        norm_layer(e, row, row, gamma, beta, c->n, c->eps);
    else
        norm_rms(e, row, row, gamma, c->n, c->eps);
    build_loop_end(e, &rows);
    return build_helper_end(e, f, NULL, caller);
}

void row_norm_call(emit *e, const row_norm *c, LLVMValueRef function, LLVMValueRef rows, LLVMValueRef count,
                   LLVMValueRef args) {
    LLVMValueRef gamma = build_arg(e, args, c->gamma);
    LLVMValueRef x[] = {rows, count, gamma, c->beta < 0 ? gamma : build_arg(e, args, c->beta)};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(function), function, x, 4, "");
}
