#include "backend/emit/row.h"

#include <assert.h>

bool row_op(op o) {
    return o == OP_softmax || o == OP_layer_norm || o == OP_rms_norm || row_reduction(o);
}

bool row_reduction(op o) {
    return o == OP_reduce_sum || o == OP_reduce_max || o == OP_reduce_mean;
}

bool row_grouped(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_quantize && n->op != OP_dequantize) return false;
    int64_t group = node_attr(n, ATTR_group)->u.i;
    return group > 1 && group < n->type.d[n->type.rank - 1].n;
}

row_code row_code_open(emit *e, const graph *body, LLVMValueRef scratch, int64_t *scratch_bytes) {
    arena *a = e->arena;
    row_code r = {.e = e, .body = body, .scratch = scratch, .scratch_bytes = scratch_bytes};
    r.rows = ARENA_ARRAY(a, view, body->count);
    r.there = ARENA_ARRAY(a, bool, body->count);
    r.memo = ARENA_ARRAY(a, LLVMValueRef, body->count);
    r.needed = ARENA_ARRAY(a, bool, body->count);
    return r;
}

void row_code_have(row_code *r, value v, view row) {
    r->rows[v] = row;
    r->there[v] = true;
}

static LLVMValueRef load(void *context, value v) {
    row_code *r = context;
    assert(r->there[v]);
    return sweep_load(r->s, &r->rows[v]);
}

// Scales, one a group of columns: all lanes of a vector are of one group.
static void load_scales(row_code *r, const sweep *s) {
    for (value v = 0; v < r->body->count; v++) {
        const node *n = graph_node(r->body, v);
        if (!row_grouped(r->body, v) || s->width == 1) continue;
        value scales = n->inputs[1];
        LLVMValueRef group = build_const_i64(r->e, node_attr(n, ATTR_group)->u.i);
        view one = view_at(r->e, &r->rows[scales], LLVMBuildUDiv(r->e->b, s->index, group, ""));
        r->memo[scales] = sweep_load(s, &one);
    }
}

static bool is_column(const row_code *r, value v) {
    return dim_is(graph_type(r->body, v)->d[1], 1);
}

// `count` values, all rows or all columns, each into its own view, in one sweep: what they share is computed once.
static void write_values(row_code *r, int count, const value *values, const view *const *outs) {
    int width = is_column(r, values[0]) ? 1 : r->e->width;
    for (sweep s = sweep_begin(r->e, outs[0]->size[0], width, 1); sweep_next(&s);) {
        pointwise p = {.e = r->e,
                       .body = r->body,
                       .load = load,
                       .context = r,
                       .width = width,
                       .there = r->there,
                       .memo = r->memo};
        for (value u = 0; u < r->body->count; u++) r->memo[u] = NULL;
        r->s = &s;
        load_scales(r, &s);
        for (int i = 0; i < count; i++) sweep_store(&s, outs[i], pointwise_value(&p, values[i]));
    }
}

static void write_row(row_code *r, value v, const view *out) {
    write_values(r, 1, &v, &out);
}

// Where v goes first; -1: nowhere.
static int output_of(const row_code *r, value v) {
    for (int i = 0; i < r->count; i++)
        if (r->values[i] == v) return i;
    return -1;
}

// A row of scratch of the width of value v.
static view scratch_row(row_code *r, value v) {
    type t = type_make(ELEM_F32, 1, &graph_type(r->body, v)->d[1]);
    LLVMValueRef size = build_const_i64(r->e, t.d[0].n);
    LLVMValueRef at = build_gep(r->e, r->scratch, build_const_i64(r->e, *r->scratch_bytes));
    view x = view_make(&t, at, &size, &t.d[0].n, 0);
    x.padded = true;
    *r->scratch_bytes += round_up(t.d[0].n, PANEL_COLUMNS) * 4;
    return x;
}

// A column's one number, as a scalar that spreads.
static view scalar_view(LLVMValueRef x) {
    return (view){.type = type_make(ELEM_F32, 0, NULL), .immediate = x, .buffer = -1};
}

static LLVMValueRef reduction(emit *e, op o, const view *x) {
    if (o == OP_reduce_max) return view_max(e, x);
    LLVMValueRef sum = view_sum(e, x);
    if (o == OP_reduce_sum) return sum;
    return LLVMBuildFDiv(e->b, sum, LLVMBuildSIToFP(e->b, x->size[0], e->f32, ""), "");
}

// Where the row of a stage's result lies: its result's own row, else scratch.
static view home_of(row_code *r, value v) {
    int output = output_of(r, v);
    if (output < 0) return scratch_row(r, graph_node(r->body, v)->inputs[0]);
    r->written[output] = true;
    return r->outs[output];
}

// The numbers of the body that the norm has found.
static void keep_statistics(row_code *r, value norm, const norm_scalars *found) {
    for (value v = 0; v < r->body->count; v++) {
        value of;
        statistic is = row_statistic(r->body, v, &of);
        if (is == STATISTIC_NONE || of != norm || r->there[v]) continue;
        row_code_have(r, v,
                      scalar_view(is == STATISTIC_MEAN       ? found->mean
                                  : is == STATISTIC_VARIANCE ? found->variance
                                                             : found->rstd));
    }
}

static void norm_stage(row_code *r, value v, const view *in, const view *home) {
    const node *n = graph_node(r->body, v);
    const view *beta = n->op == OP_layer_norm ? &r->rows[n->inputs[2]] : NULL;
    norm_scalars found = view_norm(r->e, in, home, &r->rows[n->inputs[1]], beta, node_attr(n, ATTR_eps)->u.f);
    keep_statistics(r, v, &found);
}

static void run_stage(row_code *r, value v) {
    const node *n = graph_node(r->body, v);
    value from = n->inputs[0];
    int output = output_of(r, from);
    if (!r->there[from] && output >= 0) {
        write_row(r, from, &r->outs[output]);
        row_code_have(r, from, r->outs[output]);
        r->written[output] = true;
    }
    if (row_reduction(n->op)) {
        view in = r->rows[from];
        if (!r->there[from]) {
            in = scratch_row(r, from);
            write_row(r, from, &in);
        }
        row_code_have(r, v, scalar_view(reduction(r->e, n->op, &in)));
        return;
    }
    view home = home_of(r, v), in = r->there[from] ? r->rows[from] : home;
    if (!r->there[from]) write_row(r, from, &home);
    if (n->op == OP_softmax)
        view_softmax(r->e, &in, &home);
    else
        norm_stage(r, v, &in, &home);
    row_code_have(r, v, home);
}

// The stage that gives v: a norm's where v is one of its numbers.
static value stage_of(const row_code *r, value v) {
    value norm;
    if (row_statistic(r->body, v, &norm) == STATISTIC_NONE || !r->needed[norm]) return v;
    const node *n = graph_node(r->body, norm);
    for (int i = 1; i < n->input_count; i++)
        if (!r->there[n->inputs[i]]) return v;
    return norm;
}

static void find_needed(row_code *r) {
    const graph *g = r->body;
    for (int i = 0; i < r->count; i++) r->needed[r->values[i]] = true;
    for (value v = g->count - 1; v >= 0; v--)
        for (int i = 0; r->needed[v] && i < graph_node(g, v)->input_count; i++)
            r->needed[graph_node(g, v)->inputs[i]] = true;
}

// What no stage has left where it belongs: rows that are at hand are copied, the others are computed.
static void close_row(row_code *r) {
    value *values = ARENA_ARRAY(r->e->arena, value, r->count);
    const view **outs = ARENA_ARRAY(r->e->arena, const view *, r->count);
    for (int columns = 0; columns < 2; columns++) {
        int n = 0;
        for (int i = 0; i < r->count; i++) {
            value v = r->values[i];
            if (r->written[i] || is_column(r, v) != columns) continue;
            if (r->there[v] && !columns) {
                view_copy(r->e, &r->rows[v], &r->outs[i]);
                continue;
            }
            values[n] = v;
            outs[n++] = &r->outs[i];
        }
        if (n) write_values(r, n, values, outs);
    }
}

void row_code_run(row_code *r, int count, const value *values, const view *outs) {
    r->count = count;
    r->values = values;
    r->outs = outs;
    r->written = ARENA_ARRAY(r->e->arena, bool, count);
    find_needed(r);
    for (value v = 0; v < r->body->count; v++) {
        if (!r->needed[v] || r->there[v] || !row_op(graph_node(r->body, v)->op)) continue;
        run_stage(r, stage_of(r, v));
    }
    close_row(r);
}
