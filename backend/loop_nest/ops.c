// The loop nest's ops: each walks over the result's axes but the last and sweeps along that one by vectors,
// over views of its operands.
#include "backend/loop_nest/loop_nest.h"

#include <assert.h>

// --- Moving

// Ids outside the table belong to rows past the last token, whose results nobody reads: they get row 0.
view loop_nest_gathered(loop_nest *n, const view *table, const view *ids, LLVMValueRef at) {
    emit *e = n->e;
    LLVMValueRef id = build_load(e, e->i32, view_address(e, ids, &at), 4);
    id = LLVMBuildSExt(e->b, id, e->i64, "");
    LLVMValueRef inside = LLVMBuildICmp(e->b, LLVMIntULT, id, table->size[0], "");
    return view_at(e, table, LLVMBuildSelect(e->b, inside, id, build_const_i64(e, 0), ""));
}

static void gather(loop_nest *n, const node *producer, const view *out) {
    walk w = walk_begin(n->e, 1, out->size);
    view from =
        loop_nest_gathered(n, &n->views[producer->inputs[0]], &n->views[producer->inputs[1]], w.index[0]);
    view to = walk_view(n->e, &w, out);
    loop_nest_copy(n, &from, &to);
    walk_end(n->e, &w);
}

// Element by element. Ids outside belong to elements that nobody reads: they get element 0.
static void gather_along(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = loop_nest_led(&n->views[producer->inputs[0]], out),
         ids = loop_nest_led(&n->views[producer->inputs[1]], out);
    walk w = walk_begin(e, out->type.rank - 1, out->size);
    view row = walk_view(e, &w, &x), at = walk_view(e, &w, &ids), to = walk_view(e, &w, out);
    for (sweep s = sweep_begin(e, to.size[0], 1, 1); sweep_next(&s);) {
        LLVMValueRef id = LLVMBuildSExt(e->b, sweep_load(&s, &at), e->i64, "");
        LLVMValueRef inside = LLVMBuildICmp(e->b, LLVMIntULT, id, row.size[0], "");
        id = LLVMBuildSelect(e->b, inside, id, build_const_i64(e, 0), "");
        sweep from = s;
        from.index = id;
        sweep_store(&s, &to, sweep_load(&from, &row));
    }
    walk_end(e, &w);
}

// [from, from + size of x along the axis) of `out`, where x goes.
static view part(loop_nest *n, const view *out, const view *x, int axis, LLVMValueRef from) {
    LLVMValueRef begin[IR_MAX_RANK];
    for (int i = 0; i < out->type.rank; i++) begin[i] = i == axis ? from : build_const_i64(n->e, 0);
    return view_slice(n->e, out, &x->type, begin, x->size);
}

static void concat(loop_nest *n, const node *producer, const view *out) {
    int axis = (int)node_attr(producer, ATTR_axis)->u.i;
    LLVMValueRef from = build_const_i64(n->e, 0);
    for (int i = 0; i < producer->input_count; i++) {
        const view *x = &n->views[producer->inputs[i]];
        view to = part(n, out, x, axis, from);
        loop_nest_copy(n, x, &to);
        from = LLVMBuildNSWAdd(n->e->b, from, x->size[axis], "");
    }
}

static void pad(loop_nest *n, const node *producer, const view *out) {
    const view *x = &n->views[producer->inputs[0]];
    view to = part(n, out, x, 0, build_const_i64(n->e, 0));
    loop_nest_fill(n, out, 0);
    loop_nest_copy(n, x, &to);
}

// What fills the last panel is zero.
static void pack(loop_nest *n, const node *producer, const view *out) {
    type whole = out->type;
    whole.layout = LAYOUT_ROW;
    whole.d[1].n = round_up(whole.d[1].n, PANEL_COLUMNS);
    LLVMValueRef size[IR_MAX_RANK];
    int64_t room[IR_MAX_RANK];
    loop_nest_sizes(n, &whole, size);
    loop_nest_rooms(n, &whole, room);
    view panels = view_make(&whole, out->base, size, room, 0);
    loop_nest_fill(n, &panels, 0);
    loop_nest_copy(n, &n->views[producer->inputs[0]], out);
}

static void iota(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    int axis = (int)node_attr(producer, ATTR_axis)->u.i, last = out->type.rank - 1;
    walk w = walk_begin(e, last, out->size);
    view row = walk_view(e, &w, out);
    for (sweep s = sweep_of(e, &row, 1, (const view *[]){&row}); sweep_next(&s);) {
        LLVMValueRef at = axis == last ? s.index : w.index[axis];
        if (axis == 0 && n->rows != SYM_NONE && producer->type.d[0].s == n->rows)
            at = LLVMBuildAdd(e->b, at, n->first_row, "");
        at = LLVMBuildTrunc(e->b, at, e->i32, "");
        if (s.width > 1) at = build_splat(e, at, s.width);
        if (s.width > 1 && axis == last) at = LLVMBuildAdd(e->b, at, sweep_lanes(&s), "");
        sweep_store(&s, &row, at);
    }
    walk_end(e, &w);
}

// --- Pointwise

static void pointwise_walk(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    int count = producer->input_count, last = out->type.rank > 0 ? out->type.rank - 1 : 0;
    view rows[4], operands[3];
    const view *all[4];
    for (int i = 0; i < count; i++) operands[i] = loop_nest_row_major(n, &n->views[producer->inputs[i]]);
    walk w = walk_begin(e, last, out->size);
    for (int i = 0; i < count; i++) {
        rows[i] = view_broadcast(&operands[i], &out->type, out->size);
        rows[i] = walk_view(e, &w, &rows[i]);
        all[i] = &rows[i];
    }
    rows[count] = walk_view(e, &w, out);
    all[count] = &rows[count];
    for (sweep s = sweep_of(e, &rows[count], count + 1, all); sweep_next(&s);) {
        LLVMValueRef x[3];
        for (int i = 0; i < count; i++) x[i] = sweep_load(&s, &rows[i]);
        sweep_store(&s, &rows[count], pointwise_op(e, n->body, producer, x));
    }
    walk_end(e, &w);
}

// --- Reductions

static LLVMValueRef combine(emit *e, op o, LLVMValueRef had, LLVMValueRef x) {
    if (o != OP_reduce_max) return LLVMBuildFAdd(e->b, had, x, "");
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, had, x, ""), had, x, "");
}

// One row of the operand onto what its place in the result holds: `to` has stride 0 where the last axis is
// reduced.
static void reduce_row(emit *e, op o, const view *x, const view *to, bool whole) {
    if (whole) {
        LLVMValueRef sum = o == OP_reduce_max ? view_max(e, x) : view_sum(e, x);
        sum = combine(e, o, build_load(e, e->f32, to->base, 4), sum);
        build_store(e, sum, to->base, 4);
        return;
    }
    for (sweep s = sweep_of(e, x, 2, (const view *[]){x, to}); sweep_next(&s);) {
        LLVMValueRef had = sweep_load(&s, to);
        sweep_store(&s, to, combine(e, o, had, sweep_load(&s, x)));
    }
}

static void divide(loop_nest *n, const view *out, LLVMValueRef count) {
    emit *e = n->e;
    LLVMValueRef by = LLVMBuildSIToFP(e->b, count, e->f32, "");
    walk w = walk_begin(e, out->type.rank - 1, out->size);
    view row = walk_view(e, &w, out);
    for (sweep s = sweep_of(e, &row, 1, (const view *[]){&row}); sweep_next(&s);) {
        LLVMValueRef k = s.width > 1 ? build_splat(e, by, s.width) : by;
        sweep_store(&s, &row, LLVMBuildFDiv(e->b, sweep_load(&s, &row), k, ""));
    }
    walk_end(e, &w);
}

static void reduce_axes(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    const attr *axes = node_attr(producer, ATTR_axes);
    view x = n->views[producer->inputs[0]], sums;
    int last = x.type.rank - 1;
    bool whole = false;
    LLVMValueRef count = build_const_i64(e, 1);
    for (int i = 0; i < axes->n; i++) {
        whole |= axes->u.ints[i] == last;
        count = LLVMBuildMul(e->b, count, x.size[axes->u.ints[i]], "");
    }
    if (whole) x = loop_nest_swept(n, &x);
    loop_nest_fill(n, out, producer->op == OP_reduce_max ? -__builtin_inf() : 0);
    sums = view_broadcast(out, &x.type, x.size);
    walk w = walk_begin(e, last, x.size);
    view from = walk_view(e, &w, &x), to = walk_view(e, &w, &sums);
    reduce_row(e, producer->op, &from, &to, whole);
    walk_end(e, &w);
    if (producer->op == OP_reduce_mean) divide(n, out, count);
}

// --- Along rows

static void row_op(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    int last = out->type.rank - 1;
    view x = loop_nest_swept(n, &n->views[producer->inputs[0]]), vectors[2];
    for (int i = 1; i < producer->input_count; i++)
        vectors[i - 1] = loop_nest_swept(n, &n->views[producer->inputs[i]]);
    walk w = walk_begin(e, last, out->size);
    view from = walk_view(e, &w, &x), to = walk_view(e, &w, out);
    if (producer->op == OP_softmax)
        view_softmax(e, &from, &to);
    else
        view_norm(e, &from, &to, &vectors[0], producer->op == OP_layer_norm ? &vectors[1] : NULL,
                  node_attr(producer, ATTR_eps)->u.f);
    walk_end(e, &w);
}

void loop_nest_op(loop_nest *n, value v, const view *out) {
    const node *producer = graph_node(n->body, v);
    switch (producer->op) {
    case OP_gather: gather(n, producer, out); break;
    case OP_gather_along: gather_along(n, producer, out); break;
    case OP_scatter_add: loop_nest_scatter_add(n, producer, out); break;
    case OP_scatter_add_along: loop_nest_scatter_add_along(n, producer, out); break;
    case OP_iota: iota(n, producer, out); break;
    case OP_random: loop_nest_random(n, producer, out); break;
    case OP_matmul: loop_nest_matmul(n, producer, out); break;
    case OP_concat: concat(n, producer, out); break;
    case OP_pad: pad(n, producer, out); break;
    case OP_pack: pack(n, producer, out); break;
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_reduce_mean: reduce_axes(n, producer, out); break;
    case OP_softmax:
    case OP_layer_norm:
    case OP_rms_norm: row_op(n, producer, out); break;
    case OP_scales: loop_nest_scales(n, producer, out); break;
    case OP_quantize:
    case OP_dequantize: loop_nest_quantize(n, producer, out); break;
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_div:
    case OP_maximum:
    case OP_neg:
    case OP_exp:
    case OP_log:
    case OP_tanh:
    case OP_cos:
    case OP_sin:
    case OP_erf:
    case OP_rsqrt:
    case OP_sigmoid:
    case OP_gelu:
    case OP_select:
    case OP_compare:
    case OP_cast: pointwise_walk(n, producer, out); break;
    case OP_input:
    case OP_param:
    case OP_constant:
    case OP_transpose:
    case OP_reshape:
    case OP_slice:
    case OP_broadcast:
    case OP_assign:
    case OP_fuse:
    case OP_per_sequence:
    case OP_result:
    case OP_COUNT: assert(0 && "an op that computes"); break;
    }
}
