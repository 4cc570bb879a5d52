// random: numbers by the place of each element (backend/emit/philox.c), a vector at a time.
#include "backend/loop_nest/loop_nest.h"

// The walk's index along the axes between the first and the last.
static LLVMValueRef middle(emit *e, const walk *w, const view *out) {
    LLVMValueRef at = build_const_i64(e, 0);
    for (int i = 1; i < w->n; i++)
        at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, at, out->size[i], ""), w->index[i], "");
    return LLVMBuildTrunc(e->b, at, e->i32, "");
}

void loop_nest_random(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    const view *words = &n->views[producer->inputs[0]], *rows = &n->views[producer->inputs[1]];
    LLVMValueRef zero = build_const_i64(e, 0);
    int64_t stream = node_attr(producer, ATTR_stream)->u.i;
    philox_place at = {.stream = LLVMConstInt(e->i32, (unsigned long long)stream, false)};
    for (int i = 0; i < 2; i++) {
        LLVMValueRef k = build_const_i64(e, i);
        at.seed[i] = build_load(e, e->i32, view_address(e, words, &k), 4);
    }
    bool single = out->type.rank == 1; // a row is a number
    walk w = walk_begin(e, single ? 1 : out->type.rank - 1, out->size);
    view row = walk_view(e, &w, out);
    at.row = build_load(e, e->i32, view_address(e, rows, &w.index[0]), 4);
    at.middle = single ? LLVMConstInt(e->i32, 0, false) : middle(e, &w, out);
    // A vector begins at a multiple of its width.
    for (sweep s = sweep_of(e, &row, 1, (const view *[]){&row}); sweep_next(&s);) {
        LLVMValueRef j = LLVMBuildTrunc(e->b, single ? zero : s.index, e->i32, "");
        sweep_store(&s, &row, philox_columns(e, s.width, j, &at));
    }
    walk_end(e, &w);
}
