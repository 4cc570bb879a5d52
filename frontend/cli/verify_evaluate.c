// A graph on one random text, by the reference evaluator.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/verify.h"
#include "ir/memory.h"

inputs verify_inputs(arena *a, const hub_model *m, int64_t n) {
    inputs x = {.tokens = n, .bounds = {0, (int32_t)n}, .step = 3, .seed = {5, -7}, .rate = 0.5F};
    x.ids = ARENA_ARRAY(a, int32_t, n);
    x.types = ARENA_ARRAY(a, int32_t, n);
    x.positions = ARENA_ARRAY(a, int32_t, n);
    x.rows = ARENA_ARRAY(a, int32_t, n);
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x.ids[i] = (int32_t)((state >> 8) % (uint32_t)m->vocab_size);
        if (x.ids[i] == m->pad_id) x.ids[i] = (int32_t)((m->pad_id + 1) % m->vocab_size);
        x.types[i] = m->type_vocab_size > 1 && i >= n / 2;
        x.positions[i] = m->position_start + (int32_t)i;
        x.rows[i] = (int32_t)i;
    }
    return x;
}

static tensor vector_of(int32_t *data, int64_t n) {
    return (tensor){.e = ELEM_I32, .rank = 1, .shape = {n}, .data = data};
}

// Longformer's global tokens, by the rule that the runtime follows.
static int32_t *globals(arena *a, const hub_model *m, const inputs *x) {
    int32_t *global = ARENA_ARRAY(a, int32_t, x->tokens);
    bool passed = false;
    for (int64_t i = 0; i < x->tokens; i++) {
        passed |= x->ids[i] == m->sep_id;
        global[i] =
            m->global_rule == BERTC_RULE_FIRST ? i == 0 : m->global_rule == BERTC_RULE_BEFORE && !passed;
    }
    return global;
}

// A number of the call, by its input.
static tensor number_of(const inputs *x, const node *n, arena *a) {
    if (!strcmp(n->name, "seed")) return vector_of(arena_dup(a, x->seed, sizeof(x->seed)), 2);
    static const float none = 0; // as bertc_run gives the others
    const void *number = !strcmp(n->name, "step")   ? (const void *)&x->step
                         : !strcmp(n->name, "rate") ? &x->rate
                                                    : &none;
    return (tensor){.e = n->type.e, .data = arena_dup(a, number, 4)};
}

bool verify_evaluate(const graph *g, const hub_model *m, const inputs *x, eval_observer observe,
                     void (*replace)(void *, const graph *, value, tensor *), void *context, arena *a,
                     tensor *results, diag *d) {
    int32_t *bounds = arena_dup(a, x->bounds, sizeof(x->bounds)), *zeros = ARENA_ARRAY(a, int32_t, x->tokens),
            *ones = ARENA_ARRAY(a, int32_t, x->tokens);
    for (int64_t i = 0; i < x->tokens; i++) ones[i] = 1;
    const eval_input known[] = {{"ids", vector_of(x->ids, x->tokens)},
                                {"types", vector_of(x->types, x->tokens)},
                                {"positions", vector_of(x->positions, x->tokens)},
                                {"bounds", vector_of(bounds, 2)},
                                {"rows", vector_of(x->rows, x->tokens)},
                                {"row_bounds", vector_of(bounds, 2)},
                                {"columns", vector_of(x->rows, x->tokens)},
                                {"global", vector_of(globals(a, m, x), x->tokens)},
                                {"mask", vector_of(ones, x->tokens)}};
    eval_input in[32];
    int count = 0;
    for (value v = 0; v < g->count && count < 32; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_input) continue;
        in[count] = (eval_input){n->name, vector_of(zeros, x->tokens)}; // what is not given
        if (input_of_call(n)) in[count].value = number_of(x, n, a);
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (!strcmp(n->name, known[i].name)) in[count] = known[i];
        count++;
    }
    eval_options o = {.source = &m->source,
                      .input_count = count,
                      .inputs = in,
                      .length = x->tokens,
                      .observe = observe,
                      .observe_context = context,
                      .replace = replace};
    return graph_eval(g, &o, a, results, d);
}

// A state lies as a constant does: its rows side by side, or packed.
const void *verify_rows(const check *c, value v, const void *got, int64_t *ld) {
    const type *t = graph_type(c->graph, v);
    *ld = t->rank > 1 && c->variant->places[v].kind == PLACE_STATE ? t->d[t->rank - 1].n
                                                                   : c->variant->places[v].ld;
    if (t->layout == LAYOUT_ROW) return got;
    float *rows = ARENA_ARRAY(c->arena, float, type_count(t));
    for (int64_t k = 0; k < t->d[0].n; k++) {
        for (int64_t n = 0; n < *ld; n++) {
            bool high;
            const char *at = (const char *)got + packed_at(t->e, t->d[0].n, k, n, &high);
            memcpy(&rows[k * *ld + n], at, sizeof(float));
        }
    }
    return rows;
}

// A row of `columns` elements of `e` in memory, as f32; `room`: for twice as many floats.
static const float *row_of(elem e, const void *memory, int64_t columns, float *room) {
    const type t = type_make(e, 1, (dim[]){dim_num(columns)});
    if (e == ELEM_F32) return memory;
    type_from_memory(&t, memory, room + columns);
    elem_convert(e, room + columns, ELEM_F32, room, columns);
    return room;
}

void verify_compare(kernel_check *r, const void *got, int64_t ld, const tensor *want) {
    int64_t columns = want->rank > 1 ? want->shape[want->rank - 1] : tensor_count(want);
    int64_t rows = columns ? tensor_count(want) / columns : 0;
    float *room = memory_must(memory_alloc((size_t)columns * 2 + 1, sizeof(float)));
    for (int64_t i = 0; i < rows; i++) {
        const float *w = (const float *)want->data + i * columns,
                    *g = row_of(r->e, (const char *)got + elem_bytes(r->e, ld) * i, columns, room);
        for (int64_t k = 0; k < columns; k++) {
            double x = (double)w[k], y = (double)g[k];
            double error = x == y || (isnan(x) && isnan(y)) ? 0 : fabs(y - x);
            r->unfinite |= !isfinite(x);
            if (isfinite(x) && fabs(x) > r->largest) r->largest = fabs(x);
            if (error > r->error || isnan(error)) {
                r->error = isnan(error) ? INFINITY : error;
                r->at = i * columns + k;
            }
        }
    }
    free(room);
    r->seen = true;
}

// --- Narrow values

static bool is_narrow(elem e) {
    return e == ELEM_BF16 || e == ELEM_U8 || e == ELEM_I8;
}

bool verify_is_narrow(const graph *g) {
    for (value v = 0; v < g->count; v++)
        if (!node_is_constant(graph_node(g, v)) && is_narrow(graph_type(g, v)->e)) return true;
    return false;
}

const void *verify_copy(const check *c, value v, const void *got) {
    type t = *graph_type(c->graph, v);
    bindings most = variant_most(c->variant);
    int64_t columns = t.rank > 1 ? c->variant->places[v].ld : type_count_bound(&t, &most);
    if (t.rank > 0) t.rank--;
    int64_t rows = graph_type(c->graph, v)->rank > 1 ? type_count_bound(&t, &most) : 1;
    return arena_dup(c->arena, got, (size_t)(rows * elem_bytes(t.e, columns)));
}

void verify_unpack(const check *c, value v, const void *rows, tensor *t) {
    int64_t columns = t->rank > 1 ? t->shape[t->rank - 1] : tensor_count(t);
    int64_t count = columns ? tensor_count(t) / columns : 0, ld = c->variant->places[v].ld;
    const type row = type_make(t->e, 1, (dim[]){dim_num(columns)});
    for (int64_t i = 0; i < count; i++)
        type_from_memory(&row, (const char *)rows + elem_bytes(t->e, ld) * i,
                         (char *)t->data + (size_t)(i * columns) * elem_size(t->e));
}

// Rounded inside, and read there: one step, of the largest value.
static double step_in(const graph *body) {
    double most = 0;
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->body) most = fmax(most, step_in(n->body));
        for (int i = 0; i < n->input_count; i++) {
            const node *x = graph_node(body, n->inputs[i]);
            if (x->op == OP_cast && x->type.e == ELEM_BF16) most = fmax(most, 0x1p-7);
            if (x->op == OP_quantize) most = fmax(most, 1.0 / (double)node_attr(x, ATTR_limit)->u.i);
        }
    }
    return most;
}

double verify_step_inside(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_result) n = graph_node(g, n->inputs[0]);
    return n->body ? step_in(n->body) : 0;
}

double verify_row_excess(const kernel_check *r, double tolerance) {
    double step = r->e == ELEM_F16 ? 0x1p-10 : r->e == ELEM_BF16 ? 0x1p-7 : 0;
    if (!elem_is_float(r->e)) return r->error;
    return r->error / (fmax(tolerance, fmax(step, r->step)) * fmax(1, r->largest));
}

bool verify_row_fails(const kernel_check *r, double tolerance) {
    return !(verify_row_excess(r, tolerance) <= 1);
}
