// The fallback family: every node that no other family takes, op by op.
//
//   per_sequence                 one task for each sequence
//   independent rows             one task for each block of rows (T, S or R): row-wise ops and fuse bodies
//   other nodes                  one task
//
// Intermediates lie in the task's scratch, laid out for the variant's capacity. Sums run over k in
// ascending order with one accumulator for each output element, or over a row's lanes in one fixed tree;
// neither depends on capacity, tasks or threads.
#include "backend/loop_nest/loop_nest.h"

#include <string.h>

// Rows of a task: the schedule's, up to a number whose intermediates stay in the cache.
#define BLOCK_ROWS 32

typedef struct site {
    emit *e;
    const kernel_site *s;
    const node *node;
    const char *family;
    loop_nest_emitter emit_body;
    int bounds; // leading operands of a per_sequence that are its bounds
    graph *body;
    const kernel_result *results; // an output of the body each
    LLVMValueRef args, call, task, scratch;
} site;

// --- Addresses

// A top-level value as it lies in memory, its base at argument i. Rows in the arena are padded, and so, for
// reading, are constants.
static view placed(const site *k, const loop_nest *n, value v, int i, const type *t) {
    const graph *g = k->s->graph;
    bool constant = node_is_constant(graph_node(g, v));
    // Leading dimensions beyond the number present are not strides, so any capacity that holds them will do.
    bindings room = variant_most(k->s->variant);
    LLVMValueRef size[IR_MAX_RANK];
    int64_t rooms[IR_MAX_RANK], ld = !constant && t->rank >= 2 ? k->s->variant->places[v].ld : 0;
    loop_nest_sizes(n, t, size);
    for (int a = 0; a < t->rank; a++) rooms[a] = dim_value(t->d[a], &room);
    view r = view_make(t, build_arg(k->e, k->args, i), size, rooms, ld);
    bool whole = t->rank >= 2 && ld * elem_bits(t->e) % (PLACE_ALIGNMENT * 8) == 0;
    r.padded = t->rank >= 1 && (constant || whole);
    return r;
}

// --- What a task covers

typedef struct cut {
    LLVMValueRef first[SYM_COUNT]; // the first row of a T, R or S axis that the task sees; NULL: all of it
} cut;

// [bounds[s], bounds[s + 1]) as first row and count.
static void sequence_rows(const site *k, bool rows, LLVMValueRef *first, LLVMValueRef *count) {
    emit *e = k->e;
    LLVMValueRef bounds = build_call_bounds(e, k->call, rows);
    LLVMValueRef at = build_gep(e, bounds, LLVMBuildNSWMul(e->b, k->task, build_const_i64(e, 4), ""));
    LLVMValueRef end = build_gep(e, at, build_const_i64(e, 4));
    *first = LLVMBuildSExt(e->b, build_load(e, e->i32, at, 4), e->i64, "");
    *count =
        LLVMBuildNSWSub(e->b, LLVMBuildSExt(e->b, build_load(e, e->i32, end, 4), e->i64, ""), *first, "");
}

static cut cut_sequence(const site *k, loop_nest *n) {
    cut c = {0};
    sequence_rows(k, false, &c.first[SYM_T], &n->size[SYM_L]);
    if (k->bounds == 2) sequence_rows(k, true, &c.first[SYM_R], &n->size[SYM_Q]);
    c.first[SYM_S] = k->task;
    return c;
}

// Rows [task * unit, + unit) of the number present.
static cut cut_block(const site *k, loop_nest *n, sym rows, int64_t unit) {
    emit *e = k->e;
    cut c = {0};
    LLVMValueRef first = LLVMBuildNSWMul(e->b, k->task, build_const_i64(e, unit), "");
    LLVMValueRef left = LLVMBuildNSWSub(e->b, n->size[rows], first, ""), most = build_const_i64(e, unit);
    n->size[rows] = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, most, ""), left, most, "");
    n->most.v[rows] = unit;
    n->rows = rows;
    n->first_row = first;
    c.first[rows] = first;
    return c;
}

// --- The function

static loop_nest loop_nest_open(const site *k) {
    loop_nest n = {.e = k->e,
                   .body = k->body,
                   .most = variant_most(k->s->variant),
                   .rows = SYM_NONE,
                   .scratch = k->scratch};
    for (sym s = SYM_T; s <= SYM_R; s++) n.size[s] = build_call_size(k->e, k->call, s);
    n.size[SYM_M] = build_const_i64(k->e, k->s->variant->length);
    n.views = ARENA_ARRAY(k->e->arena, view, k->body->count + 1);
    return n;
}

// The operand's or result's view: cut to what the task sees, with the type that the body knows.
static view cut_view(const site *k, const loop_nest *n, const cut *c, value v, int i, const type *in_body) {
    const type *t = graph_type(k->s->graph, v);
    view r = placed(k, n, v, i, t);
    bool leads = t->rank > 0 && t->d[0].n == 0 && t->d[0].s != SYM_NONE && t->d[0].s != SYM_M;
    if (leads && c->first[t->d[0].s]) view_step(k->e, &r, c->first[t->d[0].s], r.stride[0]);
    r.type = *in_body;
    loop_nest_sizes(n, in_body, r.size);
    return r;
}

// One function over a block of `unit` rows of `rows`; SYM_NONE: over a sequence, or over everything. NULL on
// failure.
static LLVMValueRef emit_function(site *k, sym rows, int64_t unit, int64_t *scratch_bytes) {
    emit *e = k->e;
    const char *name = arena_printf(e->arena, "%s.%s", k->family, op_name(k->node->op));
    LLVMValueRef f = build_function(e, name, e->kernel_type);
    k->args = LLVMGetParam(f, 0);
    k->call = LLVMGetParam(f, 1);
    k->task = LLVMGetParam(f, 2);
    k->scratch = LLVMGetParam(f, 3);
    loop_nest n = loop_nest_open(k);
    cut c = {0};
    if (k->node->op == OP_per_sequence)
        c = cut_sequence(k, &n);
    else if (rows != SYM_NONE)
        c = cut_block(k, &n, rows, unit);
    for (int i = k->bounds; i < k->node->input_count; i++)
        n.views[i - k->bounds] =
            cut_view(k, &n, &c, k->node->inputs[i], i, graph_type(k->body, i - k->bounds));
    view *results = ARENA_ARRAY(e->arena, view, k->body->output_count);
    for (int i = 0; i < k->body->output_count; i++)
        results[i] = cut_view(k, &n, &c, k->results[i].node, k->results[i].arg,
                              graph_type(k->body, k->body->outputs[i].value));
    if (!k->emit_body(&n, results)) return NULL;
    LLVMBuildRetVoid(e->b);
    if (n.scratch_bytes > *scratch_bytes) *scratch_bytes = n.scratch_bytes;
    return f;
}

// --- The phases

static int64_t block_rows(const kernel_site *s, int class) {
    int64_t tile = s->variant->row_tile, block = s->variant->schedules[s->node].splits[class].block_rows;
    if (block <= 0 || block > BLOCK_ROWS) block = BLOCK_ROWS;
    return block < tile ? block : (block + tile - 1) / tile * tile;
}

// Bytes of a row of the operands and the results that lead with `rows`.
static int64_t row_bytes(const site *k, sym rows) {
    int64_t bytes = 0;
    bindings b = variant_most(k->s->variant);
    int inputs = k->node->input_count, count = inputs + k->body->output_count;
    for (int i = k->bounds; rows != SYM_NONE && i < count; i++) {
        type t = *graph_type(k->s->graph, i < inputs ? k->node->inputs[i] : k->results[i - inputs].node);
        if (t.rank == 0 || t.d[0].s != rows) continue;
        t.d[0] = dim_num(1);
        bytes += type_count_bound(&t, &b) * elem_bits(t.e) / 8;
    }
    return bytes;
}

// Bytes of a kernel that works op by op: what lies between the ops goes through scratch.
static void add_traffic(const site *k, sym rows, kernel_phase *p) {
    bool sequences = k->node->op == OP_per_sequence,
         *weight = ARENA_ARRAY(k->e->arena, bool, k->body->count + 1);
    for (int i = k->bounds; i < k->node->input_count; i++)
        weight[i - k->bounds] = node_is_constant(graph_node(k->s->graph, k->node->inputs[i]));
    double bytes[3];
    loop_nest_traffic(k->body, weight, bytes);
    if (sequences || rows == SYM_NONE) p->token_bytes = (int64_t)bytes[1];
    if (sequences) p->row_bytes = (int64_t)bytes[0];
    if (rows != SYM_NONE && !sequences) p->row_bytes = (int64_t)bytes[1];
    p->pair_bytes = (int64_t)bytes[2];
}

// A per_sequence has no term for work that grows with the tokens: it is dropped.
static kernel_phase phase_of(const site *k, sym rows, int64_t unit, LLVMValueRef f) {
    double work[3];
    loop_nest_work(k->body, work);
    bool sequences = k->node->op == OP_per_sequence;
    return (kernel_phase){.function = f,
                          .dim = rows,
                          .unit = unit,
                          .inner = 1,
                          .flops_call = sequences ? 0 : work[0],
                          .flops_row = sequences ? work[0] : work[1],
                          .flops_pair = work[2],
                          .row_bytes = row_bytes(k, rows),
                          .suffix = ""};
}

static sym task_rows(const site *k) {
    const type *t = &k->node->type;
    if (t->rank == 0 || t->d[0].n != 0) return SYM_NONE;
    sym rows = t->d[0].s;
    bool known = rows == SYM_T || rows == SYM_S || rows == SYM_R;
    return known && loop_nest_row_wise(k->body, rows) ? rows : SYM_NONE;
}

// Without blocks of rows, scratch and the strides of inner axes follow from the most tokens of a call.
bool loop_nest_depends_on_tokens(arena *a, const kernel_site *s) {
    const node *n = graph_node(s->graph, s->node);
    site k = {.s = s, .node = n};
    if (n->op == OP_per_sequence) return false;
    k.body = loop_nest_flatten(a, s);
    return task_rows(&k) == SYM_NONE;
}

bool loop_nest_accepts(const emit *e, const kernel_site *s) {
    (void)e;
    (void)s;
    return true;
}

bool loop_nest_emit_body(emit *e, const kernel_site *s, kernel *out, const char *family,
                         loop_nest_emitter body) {
    const node *n = graph_node(s->graph, s->node);
    site k = {.e = e, .s = s, .node = n, .family = family, .emit_body = body};
    bool sequences = n->op == OP_per_sequence;
    k.bounds = sequences ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
    k.body = loop_nest_flatten(e->arena, s);
    int results;
    k.results = kernel_results(e->arena, s, &results);
    sym rows = sequences ? SYM_NONE : task_rows(&k);
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t unit = rows == SYM_NONE ? 1 : block_rows(s, class);
        LLVMValueRef f = NULL;
        for (int other = 0; other < class; other++)
            if (out->phases[other][0].unit == unit) f = out->phases[other][0].function;
        if (!f) f = emit_function(&k, rows, unit, &out->scratch_bytes);
        if (!f) return false;
        out->phases[class][0] = phase_of(&k, sequences ? SYM_S : rows, unit, f);
        if (body == loop_nest_body) add_traffic(&k, rows, &out->phases[class][0]);
        out->phase_count[class] = 1;
    }
    return true;
}

bool loop_nest_emit(emit *e, const kernel_site *s, kernel *out) {
    return loop_nest_emit_body(e, s, out, "loop_nest", loop_nest_body);
}
