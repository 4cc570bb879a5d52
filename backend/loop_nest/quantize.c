// The loop nest's scales, quantize and dequantize: a row in groups of columns, each swept by vectors with its scale.
#include "backend/loop_nest/loop_nest.h"

// Columns [begin, begin + columns) of a row.
static view columns_of(emit *e, const view *row, LLVMValueRef begin, int64_t columns) {
    dim d = dim_num(columns);
    type t = type_make(row->type.e, 1, &d);
    LLVMValueRef size = build_const_i64(e, columns);
    return view_slice(e, row, &t, &begin, &size);
}

static LLVMValueRef only(emit *e, const view *element) {
    return element->immediate ? element->immediate : build_load(e, e->f32, element->base, 4);
}

// A loop over the groups of rows of `columns` columns; *begin: the group's first one.
static loop groups(emit *e, int64_t columns, int64_t group, LLVMValueRef *begin) {
    loop g = build_loop(e, build_const_i64(e, 0), build_const_i64(e, columns / group), 1, "group");
    *begin = LLVMBuildNSWMul(e->b, g.index, build_const_i64(e, group), "");
    return g;
}

void loop_nest_scales(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = loop_nest_swept(n, &n->views[producer->inputs[0]]);
    int last = out->type.rank - 1;
    int64_t group = node_attr(producer, ATTR_group)->u.i;
    double limit = (double)node_attr(producer, ATTR_limit)->u.i;
    LLVMValueRef begin;
    walk w = walk_begin(e, last, out->size);
    view from = walk_view(e, &w, &x), to = walk_view(e, &w, out);
    loop g = groups(e, x.type.d[last].n, group, &begin);
    view in = columns_of(e, &from, begin, group), put = view_at(e, &to, g.index);
    build_store(e, scale_of_magnitude(e, view_magnitude(e, &in), limit), put.base, 4);
    build_loop_end(e, &g);
    walk_end(e, &w);
}

void loop_nest_quantize(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = loop_nest_swept(n, &n->views[producer->inputs[0]]), *scales = &n->views[producer->inputs[1]];
    int last = out->type.rank - 1;
    int64_t group = node_attr(producer, ATTR_group)->u.i;
    LLVMValueRef begin;
    walk w = walk_begin(e, last, out->size);
    view from = walk_view(e, &w, &x), to = walk_view(e, &w, out), scale = walk_view(e, &w, scales);
    loop g = groups(e, out->type.d[last].n, group, &begin);
    view in = columns_of(e, &from, begin, group), put = columns_of(e, &to, begin, group),
         one = view_at(e, &scale, g.index);
    LLVMValueRef factor = quantize_factor(e, producer, only(e, &one));
    for (sweep s = sweep_of(e, &put, 2, (const view *[]){&in, &put}); sweep_next(&s);)
        sweep_store(&s, &put, quantize_op(e, n->body, producer, sweep_load(&s, &in), factor));
    build_loop_end(e, &g);
    walk_end(e, &w);
}
