#include "backend/emit/row.h"

#include <assert.h>

bool row_op(op o) {
    return o == OP_softmax || o == OP_layer_norm || o == OP_rms_norm || o == OP_scales || row_reduction(o);
}

bool row_reduction(op o) {
    return o == OP_reduce_sum || o == OP_reduce_max || o == OP_reduce_mean;
}

static int64_t columns_of(const row_code *r, value v) {
    return graph_type(r->body, v)->d[1].n;
}

static bool is_column(const row_code *r, value v) {
    return columns_of(r, v) == 1;
}

// Where v goes first; -1: nowhere.
static int output_of(const row_code *r, value v) {
    for (int i = 0; i < r->count; i++)
        if (r->values[i] == v) return i;
    return -1;
}

static view scratch_row(row_code *r, int64_t columns) {
    dim d = dim_num(columns);
    type t = type_make(ELEM_F32, 1, &d);
    LLVMValueRef size = build_const_i64(r->e, columns);
    LLVMValueRef at = build_gep(r->e, r->scratch, build_const_i64(r->e, *r->scratch_bytes));
    view x = view_make(&t, at, &size, &columns, 0);
    x.padded = true;
    *r->scratch_bytes += round_up(columns, PANEL_COLUMNS) * 4;
    return x;
}

// --- What a pass takes along

// Does what is still to be done read v, which is not at hand?
static bool read_later(const row_code *r, value v) {
    bool *reads = ARENA_ARRAY(r->e->arena, bool, r->body->count);
    reads[v] = true;
    for (value u = v + 1; u < r->body->count; u++) {
        const node *n = graph_node(r->body, u);
        for (int i = 0; !r->there[u] && r->needed[u] && i < n->input_count; i++)
            reads[u] |= reads[n->inputs[i]];
        if (reads[u] && row_op(n->op)) return true;
    }
    for (int i = 0; i < r->count; i++)
        if (!r->written[i] && reads[r->values[i]]) return true;
    return false;
}

// Can u be computed of `made` and what is at hand, element by element? It must read `made`.
static bool follows(const row_code *r, value u, value made) {
    bool *ok = ARENA_ARRAY(r->e->arena, bool, r->body->count),
         *reads = ARENA_ARRAY(r->e->arena, bool, r->body->count);
    for (value v = 0; v <= u; v++) {
        const node *n = graph_node(r->body, v);
        ok[v] = r->there[v] || v == made || value_is_scalar(r->body, v, NULL);
        reads[v] = v == made;
        if (ok[v] || !(row_quantizer(n->op) || op_flag_bits(n->op) & POINTWISE)) continue;
        ok[v] = true;
        for (int i = 0; i < n->input_count; i++) {
            ok[v] &= ok[n->inputs[i]];
            reads[v] |= reads[n->inputs[i]];
        }
    }
    return ok[u] && reads[u];
}

// The scales of v that are wanted, of one group: where one is `first`, of its group.
static void take_scales(row_code *r, row_pass *p, value v, value first) {
    int64_t segment = row_pass_segment(r, v, p->width);
    for (value u = v + 1; u < r->body->count; u++) {
        const node *n = graph_node(r->body, u);
        if (n->op != OP_scales || n->inputs[0] != v || !r->needed[u] || r->there[u]) continue;
        if (segment % (p->width / columns_of(r, u)))
            continue; // v is made in narrower groups: a pass of its own
        if (first == VALUE_NONE) first = u;
        if (columns_of(r, u) == columns_of(r, first)) p->scales[p->scale_count++] = u;
    }
    for (int i = 0; i < p->scale_count; i++) {
        value u = p->scales[i];
        int output = output_of(r, u);
        if (is_column(r, u)) continue;
        r->rows[u] = output < 0 ? scratch_row(r, columns_of(r, u)) : r->outs[output];
        if (output >= 0) r->written[output] = true;
    }
}

static void take_results(row_code *r, row_pass *p, value v) {
    int64_t group = p->scale_count ? p->width / columns_of(r, p->scales[0]) : p->width;
    for (int i = 0; i < r->count; i++) {
        value u = r->values[i];
        if (r->written[i] || r->there[u] || u == v || columns_of(r, u) != p->width || !follows(r, u, v))
            continue;
        if (row_pass_segment(r, u, p->width) % group) continue;
        r->written[i] = true;
        p->values[p->count] = u;
        p->outs[p->count++] = r->outs[i];
    }
}

static row_pass pass_over(row_code *r, value v) {
    arena *a = r->e->arena;
    return (row_pass){.made = VALUE_NONE,
                      .width = columns_of(r, v),
                      .values = ARENA_ARRAY(a, value, r->count + 1),
                      .outs = ARENA_ARRAY(a, view, r->count + 1),
                      .scales = ARENA_ARRAY(a, value, r->body->count)};
}

// What the pass has computed is at hand.
static void run(row_code *r, const row_pass *p) {
    row_pass_run(r, p);
    for (int i = 0; i < p->count; i++)
        if (!r->there[p->values[i]]) row_code_have(r, p->values[i], p->outs[i]);
    for (int i = 0; i < p->scale_count; i++) r->there[p->scales[i]] = true;
}

// Makes the row v: into `home`, whose bytes are not v's for long; or, NULL, to where v belongs if anything reads it
// later. p: a pass over v, which says how.
static void make_row(row_code *r, value v, row_pass *p, const view *home) {
    int output = output_of(r, v);
    take_scales(r, p, v, VALUE_NONE);
    take_results(r, p, v);
    if (home) {
        p->values[p->count] = v;
        p->outs[p->count++] = *home;
        run(r, p);
        r->there[v] = false;
        return;
    }
    // what is made in this pass does not read v later
    for (int i = 0; i < p->count; i++) r->there[p->values[i]] = true;
    for (int i = 0; i < p->scale_count; i++) r->there[p->scales[i]] = true;
    bool stored = output >= 0 || read_later(r, v);
    for (int i = 0; i < p->count; i++) r->there[p->values[i]] = false;
    for (int i = 0; i < p->scale_count; i++) r->there[p->scales[i]] = false;
    if (stored) {
        p->values[p->count] = v;
        p->outs[p->count++] = output >= 0 ? r->outs[output] : scratch_row(r, p->width);
        if (output >= 0) r->written[output] = true;
    }
    run(r, p);
}

// --- Stages

static LLVMValueRef reduction(emit *e, op o, const view *x) {
    if (o == OP_reduce_max) return view_max(e, x);
    LLVMValueRef sum = view_sum(e, x);
    if (o == OP_reduce_sum) return sum;
    return LLVMBuildFDiv(e->b, sum, LLVMBuildSIToFP(e->b, x->size[0], e->f32, ""), "");
}

static void reduction_stage(row_code *r, value v) {
    const node *n = graph_node(r->body, v);
    value from = n->inputs[0];
    row_pass p = pass_over(r, from);
    if (!r->there[from]) make_row(r, from, &p, NULL);
    row_code_have(r, v, row_number_view(reduction(r->e, n->op, &r->rows[from])));
}

static void scales_stage(row_code *r, value v) {
    value from = graph_node(r->body, v)->inputs[0];
    row_pass p = pass_over(r, from);
    if (!r->there[from]) {
        make_row(r, from, &p, NULL);
        if (r->there[v]) return;
        p = pass_over(r, from);
    }
    take_scales(r, &p, from, v);
    run(r, &p);
}

// The numbers of the body that the norm has found.
static void keep_statistics(row_code *r, value norm, const norm_scalars *found) {
    for (value v = 0; v < r->body->count; v++) {
        value of;
        statistic is = row_statistic(r->body, v, &of);
        if (is == STATISTIC_NONE || of != norm || r->there[v]) continue;
        row_code_have(r, v,
                      row_number_view(is == STATISTIC_MEAN       ? found->mean
                                      : is == STATISTIC_VARIANCE ? found->variance
                                                                 : found->rstd));
    }
}

typedef struct norm_row {
    norm_scalars found;
    view in;
    const view *gamma, *beta;
} norm_row;

static LLVMValueRef norm_vector(void *context, const sweep *s) {
    const norm_row *x = context;
    return view_norm_vector(s, &x->found, &x->in, x->gamma, x->beta);
}

static void norm_stage(row_code *r, value v, const view *in) {
    const node *n = graph_node(r->body, v);
    norm_row *x = ARENA_NEW(r->e->arena, norm_row);
    *x = (norm_row){.in = *in,
                    .gamma = &r->rows[n->inputs[1]],
                    .beta = n->op == OP_layer_norm ? &r->rows[n->inputs[2]] : NULL};
    x->found = view_norm_scalars(r->e, in, x->beta != NULL, node_attr(n, ATTR_eps)->u.f);
    keep_statistics(r, v, &x->found);
    row_pass p = pass_over(r, v);
    p.made = v;
    p.make = norm_vector;
    p.context = x;
    make_row(r, v, &p, NULL);
}

// softmax and norms: their operand lies in the row that becomes the result, where nothing else holds it.
static void row_stage(row_code *r, value v) {
    const node *n = graph_node(r->body, v);
    value from = n->inputs[0];
    int output = output_of(r, v);
    row_pass p = pass_over(r, from);
    if (!r->there[from] && output_of(r, from) >= 0) make_row(r, from, &p, NULL);
    view home, in;
    bool own = !r->there[from];
    if (own || n->op == OP_softmax) home = output >= 0 ? r->outs[output] : scratch_row(r, p.width);
    if (own) make_row(r, from, &p, &home);
    in = own ? home : r->rows[from];
    if (n->op != OP_softmax) {
        norm_stage(r, v, &in);
        return;
    }
    view_softmax(r->e, &in, &home);
    if (output >= 0) r->written[output] = true;
    row_code_have(r, v, home);
}

static void run_stage(row_code *r, value v) {
    op o = graph_node(r->body, v)->op;
    if (o == OP_scales)
        scales_stage(r, v);
    else if (row_reduction(o))
        reduction_stage(r, v);
    else
        row_stage(r, v);
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
        for (int i = 0; r->needed[v] && !r->there[v] && i < graph_node(g, v)->input_count; i++)
            r->needed[graph_node(g, v)->inputs[i]] = true;
}

// What no stage has left where it belongs: rows that are at hand are copied, the others are computed.
static void close_row(row_code *r) {
    row_pass rows = pass_over(r, r->values[0]);
    value *values = ARENA_ARRAY(r->e->arena, value, r->count);
    view *outs = ARENA_ARRAY(r->e->arena, view, r->count);
    int numbers = 0;
    for (int i = 0; i < r->count; i++) {
        value v = r->values[i];
        if (r->written[i]) continue;
        if (is_column(r, v)) {
            values[numbers] = v;
            outs[numbers++] = r->outs[i];
        } else if (r->there[v]) {
            view_copy(r->e, &r->rows[v], &r->outs[i]);
        } else {
            rows.width = columns_of(r, v);
            rows.values[rows.count] = v;
            rows.outs[rows.count++] = r->outs[i];
        }
    }
    if (rows.count) row_pass_run(r, &rows);
    if (numbers) row_pass_numbers(r, numbers, values, outs);
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
