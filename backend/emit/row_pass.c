// One pass over a row of row.h: values in registers, vector by vector, in segments of columns that share their scales.
#include "backend/emit/row.h"

#include <assert.h>

bool row_quantizer(op o) {
    return o == OP_quantize || o == OP_dequantize;
}

bool row_scales_fit(int64_t width, int64_t count) {
    return count == 1 || width % (PANEL_COLUMNS * count) == 0;
}

bool row_grouped(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (!row_quantizer(n->op)) return false;
    int64_t group = node_attr(n, ATTR_group)->u.i;
    return group > 1 && group < n->type.d[n->type.rank - 1].n;
}

row_code row_code_open(emit *e, const graph *body, LLVMValueRef scratch, int64_t *scratch_bytes) {
    arena *a = e->arena;
    row_code r = {.e = e, .body = body, .scratch = scratch, .scratch_bytes = scratch_bytes};
    r.rows = ARENA_ARRAY(a, view, body->count);
    r.there = ARENA_ARRAY(a, bool, body->count);
    r.memo = ARENA_ARRAY(a, LLVMValueRef, body->count);
    r.factors = ARENA_ARRAY(a, LLVMValueRef, body->count);
    r.needed = ARENA_ARRAY(a, bool, body->count);
    return r;
}

void row_code_have(row_code *r, value v, view row) {
    r->rows[v] = row;
    r->there[v] = true;
}

static int64_t group_of(const row_code *r, value v) {
    return node_attr(graph_node(r->body, v), ATTR_group)->u.i;
}

static LLVMValueRef load(void *context, value v) {
    row_code *r = context;
    assert(r->there[v]);
    return sweep_load(r->s, &r->rows[v]);
}

static pointwise walker(row_code *r, int width) {
    return (pointwise){.e = r->e,
                       .body = r->body,
                       .load = load,
                       .context = r,
                       .width = width,
                       .there = r->there,
                       .memo = r->memo,
                       .factors = width > 1 ? r->factors : NULL};
}

static void forget(row_code *r) {
    for (value v = 0; v < r->body->count; v++) r->memo[v] = NULL;
}

view row_number_view(LLVMValueRef x) {
    return (view){.type = type_make(ELEM_F32, 0, NULL), .immediate = x, .buffer = -1};
}

void row_pass_numbers(row_code *r, int count, const value *values, const view *outs) {
    for (sweep s = sweep_begin(r->e, build_const_i64(r->e, 1), 1, 1); sweep_next(&s);) {
        pointwise p = walker(r, 1);
        forget(r);
        r->s = &s;
        for (int i = 0; i < count; i++) sweep_store(&s, &outs[i], pointwise_value(&p, values[i]));
    }
}

// A column's number.
static LLVMValueRef number(row_code *r, value v) {
    sweep s = {.e = r->e, .n = build_const_i64(r->e, 1), .width = 1, .index = build_const_i64(r->e, 0)};
    pointwise p = walker(r, 1);
    forget(r);
    r->s = &s;
    return pointwise_value(&p, v);
}

// --- Which ops the pass computes

static void mark_computed(const row_code *r, const row_pass *p, value v, bool *marks) {
    const node *n = graph_node(r->body, v);
    if (marks[v] || r->there[v] || v == p->made || value_is_scalar(r->body, v, NULL)) return;
    marks[v] = true;
    for (int i = 0; i < n->input_count; i++) mark_computed(r, p, n->inputs[i], marks);
}

static int64_t common(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t segment_of(const row_code *r, const bool *marks, int64_t width) {
    for (value v = 0; v < r->body->count; v++)
        if (marks[v] && row_grouped(r->body, v)) width = common(width, group_of(r, v));
    return width;
}

int64_t row_pass_segment(const row_code *r, value v, int64_t width) {
    row_pass p = {.made = VALUE_NONE};
    bool *marks = ARENA_ARRAY(r->e->arena, bool, r->body->count);
    mark_computed(r, &p, v, marks);
    return segment_of(r, marks, width);
}

// --- Factors

// What all columns from `begin` (NULL: 0) on multiply by, of the quantizers that are computed.
static void find_factors(row_code *r, const bool *marks, LLVMValueRef begin) {
    emit *e = r->e;
    for (value v = 0; v < r->body->count; v++) {
        const node *n = graph_node(r->body, v);
        r->factors[v] = NULL;
        if (!marks[v] || !row_quantizer(n->op)) continue;
        value scale = n->inputs[1];
        if (dim_is(graph_type(r->body, scale)->d[1], 1)) {
            r->factors[v] = quantize_factor(e, n, number(r, scale));
        } else if (row_grouped(r->body, v)) {
            LLVMValueRef zero = build_const_i64(e, 0), group = build_const_i64(e, group_of(r, v));
            LLVMValueRef at = begin ? LLVMBuildUDiv(e->b, begin, group, "") : zero;
            view one = view_at(e, &r->rows[scale], at);
            r->factors[v] = quantize_factor(e, n, build_load(e, e->f32, one.base, 4));
        }
    }
}

// --- The pass

static void vector(row_code *r, const row_pass *p, const sweep *s, const accumulator *most) {
    emit *e = r->e;
    pointwise ops = walker(r, e->width);
    forget(r);
    r->s = s;
    if (p->made != VALUE_NONE) r->memo[p->made] = p->make(p->context, s);
    for (int i = 0; i < p->count; i++) sweep_store(s, &p->outs[i], pointwise_value(&ops, p->values[i]));
    if (!p->scale_count) return;
    LLVMValueRef x = pointwise_value(&ops, graph_node(r->body, p->scales[0])->inputs[0]);
    LLVMValueRef had = accumulator_get(s, most);
    accumulator_set(s, most, larger_magnitude(e, sweep_masked(s, x, 0), had));
}

// Scales of the group that begins at `begin` (NULL: the whole row).
static void keep_scales(row_code *r, const row_pass *p, LLVMValueRef most, LLVMValueRef begin,
                        int64_t columns) {
    emit *e = r->e;
    for (int i = 0; i < p->scale_count; i++) {
        value v = p->scales[i];
        double limit = (double)node_attr(graph_node(r->body, v), ATTR_limit)->u.i;
        LLVMValueRef scale = scale_of_magnitude(e, most, limit);
        if (!begin) {
            row_code_have(r, v, row_number_view(scale));
            continue;
        }
        view one = view_at(e, &r->rows[v], LLVMBuildUDiv(e->b, begin, build_const_i64(e, columns), ""));
        build_store(e, scale, one.base, 4);
    }
}

// Columns [begin, begin + columns); begin NULL: 0, and all.
static void segment(row_code *r, const row_pass *p, const bool *marks, LLVMValueRef begin, int64_t columns) {
    emit *e = r->e;
    accumulator most;
    int slots = p->scale_count ? SWEEP_SLOTS : 1;
    find_factors(r, marks, begin);
    if (p->scale_count) most = accumulator_make(e, e->width, SWEEP_SLOTS, 0);
    for (sweep s = sweep_part(e, begin, build_const_i64(e, columns), e->width, slots); sweep_next(&s);)
        vector(r, p, &s, &most);
    if (p->scale_count) keep_scales(r, p, accumulator_max(e, &most), begin, columns);
}

void row_pass_run(row_code *r, const row_pass *p) {
    emit *e = r->e;
    bool *marks = ARENA_ARRAY(e->arena, bool, r->body->count);
    for (int i = 0; i < p->count; i++) mark_computed(r, p, p->values[i], marks);
    if (p->scale_count) mark_computed(r, p, graph_node(r->body, p->scales[0])->inputs[0], marks);
    int64_t columns = segment_of(r, marks, p->width);
    if (p->scale_count) columns = common(columns, group_of(r, p->scales[0]));
    assert(!p->scale_count || columns == group_of(r, p->scales[0]));
    if (r->group) columns = common(columns, r->group);
    if (!r->group && columns == p->width) {
        segment(r, p, marks, NULL, columns);
        return;
    }
    LLVMValueRef from = r->group ? r->from : build_const_i64(e, 0),
                 to = r->group ? r->to : build_const_i64(e, p->width);
    loop l = build_loop(e, from, to, columns, "group");
    segment(r, p, marks, l.index, columns);
    build_loop_end(e, &l);
}
