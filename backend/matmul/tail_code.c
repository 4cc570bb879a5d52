// Emission of a product's tail.
#include "backend/emit/row.h"
#include "backend/matmul/tail.h"

// The view of a port's row at `base`.
static view port_view(emit *e, const product_end *x, const tail_port *p, LLVMValueRef base) {
    const type *t = graph_type(x->body, p->v);
    dim d = t->d[t->rank - 1];
    type row = type_make(t->e, 1, &d);
    LLVMValueRef size = build_const_i64(e, d.n);
    view v = view_make(&row, base, &size, &d.n, 0);
    v.padded = !p->rows || (d.n > 1 && elem_bytes(t->e, p->ld) % PLACE_ALIGNMENT == 0);
    return v;
}

// A param's or a result's row, as the body sees it: a column is one number.
static void have_port(emit *e, row_code *r, const tail_port *p, const view *row) {
    const type *t = graph_type(r->body, p->v);
    bool column = t->rank == 2 && dim_is(t->d[1], 1);
    row_code_have(r, p->v, column ? view_at(e, row, build_const_i64(e, 0)) : *row);
}

static bool is_computed(const product_end *x, int port) {
    for (int i = 0; i < x->count; i++)
        if (x->ports_of[i] == port) return true;
    return false;
}

static LLVMValueRef begin(emit *e, const product_end *x, const char *name) {
    LLVMTypeRef *params = ARENA_ARRAY(e->arena, LLVMTypeRef, x->port_count + 4);
    int n = 0;
    params[n++] = e->ptr;
    params[n++] = e->i64;
    for (int i = 1; i < x->port_count; i++) params[n++] = e->ptr;
    params[n++] = e->ptr;
    for (int i = 0; i < 2 && x->group; i++) params[n++] = e->i64;
    return build_helper(e, name, NULL, n, params);
}

LLVMValueRef tail_emit(emit *e, const product_end *x, const char *name, int64_t *scratch_bytes) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, x, name);
    loop rows = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 1), 1, "row");
    LLVMValueRef scratch = LLVMGetParam(f, (unsigned)x->port_count + 1);
    *scratch_bytes = 0;
    row_code r = row_code_open(e, x->body, scratch, scratch_bytes);
    r.group = x->group;
    if (x->group) r.from = LLVMGetParam(f, (unsigned)x->port_count + 2);
    if (x->group) r.to = LLVMGetParam(f, (unsigned)x->port_count + 3);
    view *at = ARENA_ARRAY(e->arena, view, x->port_count), *outs = ARENA_ARRAY(e->arena, view, x->count);
    for (int i = 0; i < x->port_count; i++) {
        const tail_port *p = &x->ports[i];
        int64_t bytes = elem_bytes(graph_type(x->body, p->v)->e, i ? p->ld : x->ldc);
        LLVMValueRef base = LLVMGetParam(f, i ? (unsigned)i + 1 : 0);
        if (p->rows) base = tile_at(e, base, tile_mul(e, rows.index, bytes));
        at[i] = port_view(e, x, p, base);
        if (!is_computed(x, i)) have_port(e, &r, p, &at[i]);
    }
    row_code_have(&r, x->main, at[0]);
    for (int i = 0; i < x->count; i++) outs[i] = at[x->ports_of[i]];
    row_code_run(&r, x->count, x->values, outs);
    build_loop_end(e, &rows);
    return build_helper_end(e, f, NULL, caller);
}

void tail_call(emit *e, const product_end *x, LLVMValueRef function, const tail_rows *rows) {
    LLVMValueRef *args = ARENA_ARRAY(e->arena, LLVMValueRef, x->port_count + 4);
    unsigned n = 0;
    args[n++] = rows->c;
    args[n++] = rows->count;
    for (int i = 1; i < x->port_count; i++) {
        const tail_port *p = &x->ports[i];
        int64_t bytes = elem_bytes(graph_type(x->body, p->v)->e, p->ld);
        LLVMValueRef at = build_arg(e, rows->args, p->arg);
        args[n++] = p->rows ? tile_at(e, at, tile_mul(e, rows->first, bytes)) : at;
    }
    args[n++] = rows->scratch;
    if (x->group) args[n++] = rows->from;
    if (x->group) args[n++] = rows->to;
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(function), function, args, n, "");
}

LLVMValueRef product_end_c(emit *e, const product_end *x, LLVMValueRef args, LLVMValueRef row,
                           LLVMValueRef scratch) {
    return x->c < 0 ? scratch : tile_at_step(e, build_arg(e, args, x->c), row, product_end_row(x));
}
