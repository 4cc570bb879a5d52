// The reference evaluator: walks a graph, computes constants when they are needed, runs regions, and frees
// values after their last reader. The ops themselves are in eval_*.c.
#include "ir/eval.h"
#include "ir/eval_ops.h"
#include "ir/memory.h"
#include "ir/recipe_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluator {
    const eval_options *o;
    diag *d;
} evaluator;

// A graph or body under evaluation.
typedef struct eval_frame {
    evaluator *e;
    const graph *g;
    bindings b;
    const tensor *params; // of a body
    cell *cells;
    int *last;      // the last node that reads a value; count: an output
    tensor *states; // of the top level; NULL: nobody keeps them
    arena *results;
} eval_frame;

#define UNBOUND (INT64_MIN / 4)

#define kernel_input        NULL
#define kernel_param        NULL
#define kernel_constant     NULL
#define kernel_fuse         NULL
#define kernel_per_sequence NULL
#define kernel_result       NULL
static const eval_op kernels[] = {
#define OP(name, least, most, attrs, flags, gradient) [OP_##name] = kernel_##name,
#include "ir/ops.def"
#undef OP
};
_Static_assert(sizeof(kernels) / sizeof(kernels[0]) == OP_COUNT, "a row an op");

// --- Cells

static void cell_free(cell *c) {
    free(c->owned);
    *c = (cell){0};
}

// The shape of v's type under the frame's bindings.
static bool concrete(const eval_frame *f, value v, tensor *out) {
    const type *t = graph_type(f->g, v);
    int64_t count = 1;
    *out = (tensor){.e = t->e, .rank = t->rank};
    for (int i = 0; i < t->rank; i++) {
        out->shape[i] = dim_value(t->d[i], &f->b);
        if (out->shape[i] < 0) {
            char text[128];
            return eval_error(f->g, v, f->e->d, "axis %d of %s has no length here", i,
                              type_print(t, text, sizeof(text)));
        }
        if (__builtin_mul_overflow(count, out->shape[i], &count) || count > INT64_MAX / 16) {
            return eval_error(f->g, v, f->e->d, "too large");
        }
    }
    return true;
}

static bool cell_allocate(const eval_frame *f, value v) {
    cell *c = &f->cells[v];
    if (!concrete(f, v, &c->t)) return false;
    c->owned = memory_zero((size_t)tensor_count(&c->t), eval_size(c->t.e));
    if (!c->owned) return eval_error(f->g, v, f->e->d, "out of memory");
    c->t.data = c->owned;
    return true;
}

// --- States

// What a state was before the call, where the caller says so.
static bool take_state(const eval_frame *f, value v) {
    if (!f->states || !f->states[v].data) return false;
    f->cells[v].t = f->states[v];
    return true;
}

// Hands what yield number `yield` of node v assigns to the caller.
static void keep_state(const eval_frame *f, value v, int yield, const tensor *x) {
    int written = node_writes(graph_node(f->g, v), yield);
    if (!f->states || written < 0) return;
    tensor *state = &f->states[graph_node(f->g, v)->inputs[written]];
    *state = *x;
    state->data = arena_dup(f->results, x->data, (size_t)tensor_count(x) * eval_size(x->e));
}

// --- Constants

// A recipe that only names a tensor needs no copy of it.
static const void *in_place(const recipe *r, const tensor_source *source) {
    if (eval_size(r->type.e) != elem_size(r->type.e)) return NULL;
    bool same = r->kind == RECIPE_RESHAPE || (r->kind == RECIPE_CAST && r->type.e == r->parts[0]->type.e);
    if (same) return in_place(r->parts[0], source);
    tensor_view t;
    if (r->kind != RECIPE_TENSOR || !source || !source->find(source->context, r->tensor, &t)) return NULL;
    if (t.e != r->type.e || t.rank != r->type.rank || (uintptr_t)t.data % elem_size(t.e)) return NULL;
    for (int i = 0; i < t.rank; i++)
        if (!dim_is(r->type.d[i], t.shape[i])) return NULL;
    return t.data;
}

// f32 numbers, of a literal or as a recipe has made them, as wide as the evaluator holds them.
static bool widen_constant(const eval_frame *f, value v, const attr *literal) {
    cell *c = &f->cells[v];
    int64_t n = tensor_count(&c->t);
    const float *from = literal ? literal->u.floats : c->owned;
    eval_float *wide = memory_alloc((size_t)n + 1, sizeof(*wide));
    if (!wide) return eval_error(f->g, v, f->e->d, "out of memory");
    for (int64_t i = 0; i < n; i++) wide[i] = (eval_float)from[i];
    free(c->owned);
    c->t.data = c->owned = wide;
    return true;
}

static bool make_constant(const eval_frame *f, value v) {
    cell *c = &f->cells[v];
    const node *n = graph_node(f->g, v);
    const attr *literal = node_attr(n, ATTR_value), *recipe_attr = node_attr(n, ATTR_recipe);
    if (take_state(f, v)) return true;
    if (!concrete(f, v, &c->t)) return false;
    bool held = eval_size(c->t.e) == elem_size(c->t.e); // as literals and recipes hold it
    const void *data = !literal ? in_place(recipe_attr->u.recipe, f->e->o->source)
                       : held   ? literal->u.literal
                                : NULL;
    if (data) {
        c->t.data = (void *)(uintptr_t)data;
        return true;
    }
    // No layout here: every value is row-major.
    const recipe *r = literal ? NULL : recipe_attr->u.recipe;
    if (r && r->kind == RECIPE_PACK) r = r->parts[0];
    size_t bytes = r ? recipe_held(r) : 0;
    c->owned = memory_alloc(bytes, 1);
    if (!c->owned) return eval_error(f->g, v, f->e->d, "out of memory: %zu bytes", bytes);
    c->t.data = c->owned;
    if (r && !recipe_run_elements(r, f->e->o->source, c->owned, f->e->d)) return false;
    return held || widen_constant(f, v, literal);
}

// --- Inputs

static bool bind_input(const eval_input *in, eval_frame *f, value v) {
    const type *t = graph_type(f->g, v);
    bool fits = in->value.e == t->e && in->value.rank == t->rank;
    for (int i = 0; fits && i < t->rank; i++) {
        int64_t *bound = &f->b.v[t->d[i].s], has = in->value.shape[i] - t->d[i].n;
        if (t->d[i].s == SYM_NONE || *bound != UNBOUND)
            fits = in->value.shape[i] == dim_value(t->d[i], &f->b);
        else if ((fits = has >= (t->d[i].s == SYM_R ? 0 : 1)))
            *bound = has;
    }
    char should[128];
    if (!fits) {
        return eval_error(f->g, v, f->e->d, "the input's value is not %s, or disagrees with another input",
                          type_print(t, should, sizeof(should)));
    }
    f->cells[v].t = in->value;
    return true;
}

static bool bind_inputs(eval_frame *f) {
    for (value v = 0; v < f->g->count; v++) {
        const node *n = graph_node(f->g, v);
        if (n->op != OP_input) continue;
        const eval_input *in = NULL;
        for (int i = 0; i < f->e->o->input_count && !in; i++)
            if (!strcmp(f->e->o->inputs[i].name, n->name)) in = &f->e->o->inputs[i];
        if (!in) return eval_error(f->g, v, f->e->d, "the input has no value");
        if (!bind_input(in, f, v)) return false;
    }
    return true;
}

// M: the given length, or that of the longest text.
static void bind_length(eval_frame *f) {
    if (f->e->o->length > 0) {
        f->b.v[SYM_M] = f->e->o->length;
        return;
    }
    for (value v = 0; v < f->g->count; v++) {
        const node *n = graph_node(f->g, v);
        if (n->op != OP_input || strcmp(n->name, "bounds") || n->type.e != ELEM_I32 || n->type.rank != 1)
            continue;
        const int32_t *bounds = f->cells[v].t.data;
        for (int64_t s = 0; s + 1 < f->cells[v].t.shape[0]; s++) {
            int64_t length = (int64_t)bounds[s + 1] - bounds[s];
            if (length > f->b.v[SYM_M]) f->b.v[SYM_M] = length;
        }
    }
}

// --- Walking

static bool frame_open(eval_frame *f, evaluator *e, const graph *g) {
    *f = (eval_frame){.e = e, .g = g};
    for (int s = 0; s < SYM_COUNT; s++) f->b.v[s] = UNBOUND;
    f->cells = memory_zero((size_t)g->count, sizeof(*f->cells));
    f->last = memory_zero((size_t)g->count, sizeof(*f->last));
    if (!f->cells || !f->last) return diag_error(e->d, NULL, "out of memory");
    for (value v = 0; v < g->count; v++) {
        f->last[v] = v;
        for (int i = 0; i < g->nodes[v].input_count; i++) f->last[g->nodes[v].inputs[i]] = v;
    }
    for (int i = 0; i < g->output_count; i++) f->last[g->outputs[i].value] = g->count;
    return true;
}

static void frame_close(eval_frame *f) {
    for (value v = 0; f->cells && v < f->g->count; v++) cell_free(&f->cells[v]);
    free(f->cells);
    free(f->last);
}

static void free_unread(eval_frame *f, value v) {
    const node *n = graph_node(f->g, v);
    if (f->last[v] == v) cell_free(&f->cells[v]);
    for (int i = 0; i < n->input_count; i++)
        if (f->last[n->inputs[i]] == v) cell_free(&f->cells[n->inputs[i]]);
}

static bool run_node(eval_frame *f, value v);

static bool run_body(eval_frame *f, const tensor *params) {
    for (value v = 0; v < f->g->count; v++) cell_free(&f->cells[v]);
    f->params = params;
    for (value v = 0; v < f->g->count; v++) {
        if (node_is_constant(graph_node(f->g, v))) continue;
        if (!run_node(f, v)) return false;
        free_unread(f, v);
    }
    for (int i = 0; i < f->g->output_count; i++) {
        value yields = f->g->outputs[i].value;
        if (!f->cells[yields].t.data && !make_constant(f, yields)) return false;
    }
    return true;
}

// Room for each yield of region v that a `result` stands for; results[i] is that node, results[0] v itself.
// VALUE_NONE: nobody reads it.
static value *allocate_results(const eval_frame *f, value v) {
    int n = node_yield_count(graph_node(f->g, v)), found = 1;
    value *results = memory_alloc((size_t)n, sizeof(*results));
    bool ok = results != NULL || eval_error(f->g, v, f->e->d, "out of memory");
    for (int i = 0; ok && i < n; i++) results[i] = i ? VALUE_NONE : v;
    for (value u = v + 1; ok && u < f->g->count && found < n; u++) {
        const node *x = graph_node(f->g, u);
        if (x->op != OP_result || x->inputs[0] != v) continue;
        results[node_result_index(x)] = u;
        found++;
        ok = cell_allocate(f, u);
    }
    if (ok) return results;
    free(results);
    return NULL;
}

// The same, and room for the params of the region's body; the caller frees both. NULL, with a diagnostic.
static value *open_region(const eval_frame *f, value v, tensor **params) {
    value *results = allocate_results(f, v);
    *params = results ? memory_zero((size_t)graph_node(f->g, v)->input_count, sizeof(**params)) : NULL;
    if (*params || !results) return results;
    eval_error(f->g, v, f->e->d, "out of memory");
    free(results);
    return NULL;
}

static bool run_fuse(eval_frame *f, value v) {
    const node *n = graph_node(f->g, v);
    tensor *params;
    value *results = open_region(f, v, &params);
    if (!results) return false;
    for (int i = 0; i < n->input_count; i++) params[i] = f->cells[n->inputs[i]].t;
    eval_frame body;
    bool ok = frame_open(&body, f->e, n->body);
    body.b = f->b;
    ok = ok && run_body(&body, params);
    for (int i = 0; ok && i < n->body->output_count; i++) {
        const tensor *yield = &body.cells[n->body->outputs[i].value].t;
        keep_state(f, v, i, yield);
        if (results[i] == VALUE_NONE) continue;
        const tensor *out = &f->cells[results[i]].t;
        memcpy(out->data, yield->data, (size_t)tensor_count(out) * eval_size(out->e));
    }
    frame_close(&body);
    free(params);
    free(results);
    return ok;
}

// --- per_sequence

// Bounds ascend from 0 to `rows`, by at least `least` rows for each text.
static bool check_bounds(const eval_frame *f, value v, const tensor *bounds, int64_t rows, int least) {
    const int32_t *b = bounds->data;
    int64_t n = bounds->shape[0] - 1;
    for (int64_t s = 0; s < n; s++) {
        if ((int64_t)b[s + 1] - b[s] >= least) continue;
        return eval_error(f->g, v, f->e->d, "text %" PRId64 " has bounds %" PRId32 " to %" PRId32, s, b[s],
                          b[s + 1]);
    }
    if (b[0] == 0 && (rows == UNBOUND || b[n] == rows)) return true;
    return eval_error(f->g, v, f->e->d,
                      "bounds go from %" PRId32 " to %" PRId32 ", but there are %" PRId64 " rows", b[0], b[n],
                      rows == UNBOUND ? (int64_t)b[n] : rows);
}

typedef struct sequence {
    int64_t begin, end, row_begin, row_end, number;
} sequence;

// The rows of a T, R or S axis that belong to a sequence; false for any other axis.
static bool sequence_rows(const sequence *q, int bounds, dim d, int64_t *begin, int64_t *count) {
    if (d.n != 0) return false;
    if (d.s == SYM_T) {
        *begin = q->begin;
        *count = q->end - q->begin;
    } else if (d.s == SYM_R && bounds == 2) {
        *begin = q->row_begin;
        *count = q->row_end - q->row_begin;
    } else if (d.s == SYM_S) {
        *begin = q->number;
        *count = 1;
    } else {
        return false;
    }
    return true;
}

static tensor cut(tensor x, const type *t, const sequence *q, int bounds) {
    int64_t begin, count;
    if (t->rank == 0 || !sequence_rows(q, bounds, t->d[0], &begin, &count)) return x;
    int64_t row = (int64_t)eval_size(x.e);
    for (int i = 1; i < x.rank; i++) row *= x.shape[i];
    x.data = (unsigned char *)x.data + begin * row;
    x.shape[0] = count;
    return x;
}

static bool run_sequence(eval_frame *f, const value *results, eval_frame *body, tensor *params,
                         const sequence *q, int bounds) {
    const node *n = graph_node(f->g, results[0]);
    for (int i = bounds; i < n->input_count; i++)
        params[i - bounds] = cut(f->cells[n->inputs[i]].t, graph_type(f->g, n->inputs[i]), q, bounds);
    body->b.v[SYM_L] = q->end - q->begin;
    if (bounds == 2) body->b.v[SYM_Q] = q->row_end - q->row_begin;
    if (!run_body(body, params)) return false;
    for (int i = 0; i < n->body->output_count; i++) {
        if (results[i] == VALUE_NONE) continue;
        const tensor *from = &body->cells[n->body->outputs[i].value].t;
        tensor to = cut(f->cells[results[i]].t, graph_type(f->g, results[i]), q, bounds);
        memcpy(to.data, from->data, (size_t)tensor_count(&to) * eval_size(to.e));
    }
    return true;
}

static bool run_per_sequence(eval_frame *f, value v) {
    const node *n = graph_node(f->g, v);
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i;
    const tensor *texts = &f->cells[n->inputs[0]].t, *rows = bounds == 2 ? &f->cells[n->inputs[1]].t : NULL;
    if (!check_bounds(f, v, texts, f->b.v[SYM_T], 1)) return false;
    if (rows && !check_bounds(f, v, rows, f->b.v[SYM_R], 0)) return false;
    tensor *params;
    value *results = open_region(f, v, &params);
    if (!results) return false;
    eval_frame body;
    bool ok = frame_open(&body, f->e, n->body);
    body.b = f->b;
    const int32_t *b = texts->data, *r = rows ? rows->data : NULL;
    for (int64_t s = 0; ok && s + 1 < texts->shape[0]; s++) {
        sequence q = {b[s], b[s + 1], r ? r[s] : 0, r ? r[s + 1] : 0, s};
        ok = run_sequence(f, results, &body, params, &q, bounds);
    }
    frame_close(&body);
    free(params);
    free(results);
    return ok;
}

// --- One node

static bool run_node(eval_frame *f, value v) {
    const node *n = graph_node(f->g, v);
    if (n->op == OP_input || n->op == OP_result) return true; // a result came with its region
    if (n->op == OP_param) {
        f->cells[v].t = f->params[v];
        return true;
    }
    for (int i = 0; i < n->input_count; i++) {
        value in = n->inputs[i];
        if (!f->cells[in].t.data && node_is_constant(graph_node(f->g, in)) && !make_constant(f, in))
            return false;
    }
    if (!cell_allocate(f, v)) return false;
    if (n->op == OP_fuse) return run_fuse(f, v);
    if (n->op == OP_per_sequence) return run_per_sequence(f, v);
    eval_call call = {f->g, v, n, f->cells, &f->b, &f->cells[v].t, f->e->d};
    if (!kernels[n->op](&call)) return false;
    if (op_flag_bits(n->op) & WRITES) keep_state(f, v, 0, &f->cells[v].t);
    return true;
}

static bool run_top(eval_frame *f) {
    const eval_options *o = f->e->o;
    for (value v = 0; v < f->g->count; v++) {
        if (node_is_constant(graph_node(f->g, v))) continue;
        if (!run_node(f, v)) return false;
        if (o->observe && !o->observe(o->observe_context, f->g, v, &f->cells[v].t)) return false;
        if (o->replace && f->cells[v].owned) o->replace(o->observe_context, f->g, v, &f->cells[v].t);
        free_unread(f, v);
    }
    return true;
}

static bool take_results(eval_frame *f, arena *a, tensor *results) {
    for (int i = 0; i < f->g->output_count; i++) {
        value v = f->g->outputs[i].value;
        const tensor *t = &f->cells[v].t;
        if (!t->data && !make_constant(f, v)) return false;
        if (graph_type(f->g, v)->layout != LAYOUT_ROW)
            return eval_error(f->g, v, f->e->d, "an output must be row-major");
        results[i] = *t;
        results[i].data = arena_dup(a, t->data, (size_t)tensor_count(t) * eval_size(t->e));
    }
    return true;
}

bool graph_eval(const graph *g, const eval_options *o, arena *a, tensor *results, diag *d) {
    evaluator e = {o, d};
    eval_frame f;
    bool ok = frame_open(&f, &e, g) && bind_inputs(&f);
    f.states = o->states;
    f.results = a;
    if (ok) bind_length(&f);
    ok = ok && run_top(&f) && take_results(&f, a, results);
    frame_close(&f);
    return ok;
}
