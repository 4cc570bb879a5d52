// scatter_add and scatter_add_along: zeros, and onto them what the ids name, in ascending order. Ids outside the result
// belong to rows past the last one, which no walk meets; they add nothing, to row 0.
#include "backend/loop_nest/loop_nest.h"

// The id as an index, 0 where it is outside of `size`; *inside says whether it is.
static LLVMValueRef bounded(emit *e, LLVMValueRef id, LLVMValueRef size, LLVMValueRef *inside) {
    id = LLVMBuildSExt(e->b, id, e->i64, "");
    *inside = LLVMBuildICmp(e->b, LLVMIntULT, id, size, "");
    return LLVMBuildSelect(e->b, *inside, id, build_const_i64(e, 0), "");
}

static LLVMValueRef added(emit *e, LLVMValueRef had, LLVMValueRef x, LLVMValueRef inside) {
    return LLVMBuildSelect(e->b, inside, LLVMBuildFAdd(e->b, had, x, ""), had, "");
}

void loop_nest_scatter_add(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = n->views[producer->inputs[0]], ids = n->views[producer->inputs[1]];
    loop_nest_fill(n, out, 0);
    walk rows = walk_begin(e, 1, x.size);
    LLVMValueRef inside,
        id = bounded(e, build_load(e, e->i32, view_address(e, &ids, rows.index), 4), out->size[0], &inside);
    view from = walk_view(e, &rows, &x), to = view_at(e, out, id);
    walk inner = walk_begin(e, from.type.rank > 0 ? from.type.rank - 1 : 0, from.size);
    view in = walk_view(e, &inner, &from), sums = walk_view(e, &inner, &to);
    for (sweep s = sweep_of(e, &in, 2, (const view *[]){&in, &sums}); sweep_next(&s);) {
        LLVMValueRef had = sweep_load(&s, &sums), more = sweep_masked(&s, sweep_load(&s, &in), 0);
        sweep_store(&s, &sums, added(e, had, more, inside));
    }
    walk_end(e, &inner);
    walk_end(e, &rows);
}

void loop_nest_scatter_add_along(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = n->views[producer->inputs[0]], ids = loop_nest_led(&n->views[producer->inputs[1]], &x);
    loop_nest_fill(n, out, 0);
    walk w = walk_begin(e, x.type.rank - 1, x.size);
    view row = walk_view(e, &w, &x), at = walk_view(e, &w, &ids), to = walk_view(e, &w, out);
    for (sweep s = sweep_begin(e, row.size[0], 1, 1); sweep_next(&s);) {
        LLVMValueRef inside, id = bounded(e, sweep_load(&s, &at), to.size[0], &inside);
        sweep sum = s;
        sum.index = id;
        LLVMValueRef had = sweep_load(&sum, &to), more = sweep_load(&s, &row);
        sweep_store(&sum, &to, added(e, had, more, inside));
    }
    walk_end(e, &w);
}
