#include "ir/verify.h"
#include "ir/memory.h"
#include "ir/shape.h"
#include "ir/verify_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct checker {
    const char *stage;
    diag *d;
    const graph *top; // the graph that holds the weights
} checker;

#define CONSTANT_BYTES_MAX ((int64_t)1 << 46)

static bool wrong(const checker *c, const graph *g, value v, const char *cause) {
    char where[256];
    const char *stage = c->stage ? c->stage : "graph", *name = g->name ? g->name : "body";
    if (v < 0)
        snprintf(where, sizeof(where), "%s: @%s", stage, name);
    else if (v < g->count && g->nodes[v].name) {
        snprintf(where, sizeof(where), "%s: @%s: %%%d (%s)", stage, name, v, g->nodes[v].name);
    } else {
        snprintf(where, sizeof(where), "%s: @%s: %%%d", stage, name, v);
    }
    return diag_error(c->d, where, "%s", cause);
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// A name that is twice among `n` (NULLs don't count), or NULL. Sorts.
static const char *repeated(const char **names, int n) {
    qsort(names, (size_t)n, sizeof(*names), compare_strings);
    for (int i = 1; i < n; i++) {
        if (!strcmp(names[i - 1], names[i])) return names[i];
    }
    return NULL;
}

static bool check_names(const checker *c, const graph *g) {
    const char **names = memory_alloc((size_t)g->count + (size_t)g->output_count, sizeof(*names));
    if (!names) return wrong(c, g, VALUE_NONE, "out of memory");
    int n = 0;
    for (int i = 0; i < g->count; i++) {
        if (g->nodes[i].name) names[n++] = g->nodes[i].name;
    }
    char cause[256] = "";
    const char *twice = repeated(names, n);
    if (twice) snprintf(cause, sizeof(cause), "two nodes are named %s", twice);
    n = 0;
    for (int i = 0; i < g->output_count; i++) {
        if (g->outputs[i].name) names[n++] = g->outputs[i].name;
    }
    twice = repeated(names, n);
    if (twice) snprintf(cause, sizeof(cause), "two outputs are named %s", twice);
    free(names);
    return !cause[0] || wrong(c, g, VALUE_NONE, cause);
}

static const char *recipe_fault(const recipe *r, int depth) {
    if (depth > 64) return "its recipe is nested too deeply";
    if (r->type.e == ELEM_I1) return "a recipe can't make i1";
    for (int i = 0; i < r->type.rank; i++)
        if (r->type.d[i].s != SYM_NONE || r->type.d[i].n < 1) return "its recipe has an axis below 1";
    int64_t n = type_count(&r->type);
    if (n < 0 || n > CONSTANT_BYTES_MAX) return "its recipe is too large";
    for (int i = 0; i < r->part_count; i++) {
        const char *fault = recipe_fault(r->parts[i], depth + 1);
        if (fault) return fault;
    }
    return NULL;
}

static const char *constant_fault(const node *n) {
    const attr *literal = node_attr(n, ATTR_value), *recipe_attr = node_attr(n, ATTR_recipe);
    if (!literal == !recipe_attr) return "a constant has either a value or a recipe";
    if (literal) {
        if (n->type.e == ELEM_I1) return "a literal can't be i1";
        if (literal->e != n->type.e) return "the literal has another element type";
        if (n->type.layout != LAYOUT_ROW) return "a literal is row-major";
        if (type_count(&n->type) != literal->n)
            return "the literal has another number of elements than the type";
        return NULL;
    }
    const char *fault = recipe_fault(recipe_attr->u.recipe, 0);
    if (fault) return fault;
    return type_eq(&recipe_attr->u.recipe->type, &n->type) ? NULL : "the recipe makes another type";
}

// A constant's place among the weights.
static const char *at_fault(const checker *c, const node *n) {
    const graph *top = c->top;
    bool zeros = node_is_zero_state(n);
    int64_t begin = node_is_state(n) && !zeros ? 0 : top->state_bytes,
            most = zeros              ? top->state_bytes + top->zero_bytes
                   : node_is_state(n) ? top->state_bytes
                                      : top->weight_bytes;
    const attr *at = node_attr(n, ATTR_at);
    if (!at) return NULL;
    if (at->u.i < 0 || at->u.i % 64) return "`at` is not a multiple of 64";
    int64_t bytes = type_bytes(&n->type), end;
    if (bytes < 0 || __builtin_add_overflow(at->u.i, bytes, &end) || (!zeros && end > top->weight_bytes))
        return "it ends beyond the weights";
    if (end > most) return "it ends beyond the states";
    if (at->u.i < begin)
        return zeros ? "it begins as zeros, but its place is among states that don't"
                     : "it is no state, but its place is among the states";
    return NULL;
}

static const char *type_fault(const type *t, level l) {
    if (t->rank < 0 || t->rank > IR_MAX_RANK) return "the rank is out of range";
    if (elem_is_stored(t->e)) return "only tensors of a checkpoint may have its element type";
    if (t->layout == LAYOUT_PACKED && (t->rank != 2 || !elem_packs(t->e)))
        return "only matrices of f32, f16, bf16, i8, u8 or i4 are packed";
    bool sequence = l == LEVEL_SEQUENCE || l == LEVEL_FUSE_IN_SEQUENCE;
    for (int i = 0; i < t->rank; i++) {
        sym s = t->d[i].s;
        bool counted = s != SYM_NONE && s != SYM_M;
        if (t->e == ELEM_I4 && l == LEVEL_TOP && i == t->rank - 1 && counted)
            return "the last axis of i4 must be a number or M"; // tasks would share a byte
        if (s == SYM_NONE && t->d[i].n < 1) return "an axis is below 1";
        if (t->d[i].n > LENGTH_MAX || t->d[i].n < -LENGTH_MAX) return "an axis is too long";
        if ((s == SYM_L || s == SYM_Q) && !sequence) return "L and Q are allowed only in per_sequence";
        if ((s == SYM_T || s == SYM_S || s == SYM_R) && sequence)
            return "T, S and R are not allowed in per_sequence";
        if (s != SYM_NONE && t->layout == LAYOUT_PACKED) return "only matrices of known size are packed";
    }
    return NULL;
}

// What is cast from groups of narrow elements goes into products: they take it as it lies.
static const char *packed_cast_fault(const graph *g, value v) {
    const type *t = graph_type(g, graph_node(g, v)->inputs[0]);
    if (t->layout != LAYOUT_PACKED || t->e == ELEM_F32) return NULL;
    bool others = false;
    for (value u = v + 1; u < g->count; u++) {
        const node *n = graph_node(g, u);
        for (int i = 0; i < n->input_count; i++)
            others = others || (n->inputs[i] == v && (n->op != OP_matmul || i != 1));
    }
    for (int i = 0; i < g->output_count; i++) others = others || g->outputs[i].value == v;
    return others ? "only a matmul may read a cast of a packed matrix, as its right operand" : NULL;
}

// What is transposed from a packed matrix is a table: its rows are looked up in the panels.
static const char *packed_table_fault(const graph *g, value v) {
    if (graph_type(g, graph_node(g, v)->inputs[0])->layout != LAYOUT_PACKED) return NULL;
    bool others = false;
    for (value u = v + 1; u < g->count; u++) {
        const node *n = graph_node(g, u);
        for (int i = 0; i < n->input_count; i++)
            others = others || (n->inputs[i] == v && (n->op != OP_gather || i != 0));
    }
    for (int i = 0; i < g->output_count; i++) others = others || g->outputs[i].value == v;
    return others ? "only a gather may read the transpose of a packed matrix, as its table" : NULL;
}

static bool is_output(const graph *g, value v) {
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == v) return true;
    return false;
}

// What pack gives is for products. A fuse's yields are not known yet.
static const char *packs_fault(const graph *g, value v, level l) {
    if (l != LEVEL_TOP && l != LEVEL_FUSE) return "pack is allowed only at the top level, or in a fuse there";
    return l == LEVEL_TOP && is_output(g, v) ? "a packed value can't be an output" : NULL;
}

static const char *packing_fuse_fault(const graph *g, value v) {
    const graph *body = graph_node(g, v)->body;
    bool packs = false;
    for (value u = 0; u < body->count; u++) packs |= graph_node(body, u)->op == OP_pack;
    if (packs && (body->output_count != 1 || graph_node(body, body->outputs[0].value)->op != OP_pack))
        return "a fuse with a pack must yield the packed value, and nothing else";
    return packs && is_output(g, v) ? "a packed value can't be an output" : NULL;
}

static const char *op_fault(const graph *g, value v, level l) {
    const node *n = graph_node(g, v);
    bool in_fuse = l == LEVEL_FUSE || l == LEVEL_FUSE_IN_SEQUENCE;
    if (n->op == OP_input && l != LEVEL_TOP) return "an input is allowed only at the top level";
    if (n->op == OP_param && l == LEVEL_TOP) return "a param is allowed only in a body";
    if (n->op == OP_param && v > 0 && g->nodes[v - 1].op != OP_param) return "params must come first";
    if ((n->op == OP_input || n->op == OP_param) && !n->name) return "inputs and params must have names";
    if (n->op == OP_fuse && in_fuse) return "a fuse is not allowed in a fuse";
    if (n->op == OP_per_sequence && l != LEVEL_TOP) return "per_sequence is allowed only at the top level";
    if (n->op == OP_constant) {
        const char *fault = constant_fault(n);
        return fault ? fault : state_constant_fault(n, l);
    }
    if (op_flag_bits(n->op) & WRITES) return state_assign_fault(g, n, l);
    bool written = n->op == OP_result && graph_state_of(g, v) != VALUE_NONE;
    if (n->op == OP_pack) return packs_fault(g, v, l);
    if (n->type.layout == LAYOUT_PACKED && n->op != OP_param && n->op != OP_fuse && !written)
        return "only constants and results of pack can be packed";
    bool elementwise = op_flag_bits(n->op) & POINTWISE && n->op != OP_cast,
         sequence = l == LEVEL_SEQUENCE || l == LEVEL_FUSE_IN_SEQUENCE;
    for (int i = 0; (elementwise || n->op == OP_transpose) && sequence && i < n->input_count; i++)
        if (graph_type(g, n->inputs[i])->layout == LAYOUT_PACKED)
            return "in per_sequence, only matmul, and a cast for it, may read a packed value";
    if (n->op == OP_cast) return packed_cast_fault(g, v);
    if (n->op == OP_transpose) return packed_table_fault(g, v);
    return NULL;
}

const char *node_fault(const graph *g, value v, level l) {
    const char *fault = type_fault(&graph_node(g, v)->type, l);
    return fault ? fault : op_fault(g, v, l);
}

const char *region_fault(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_fuse) return NULL;
    const char *fault = state_fuse_fault(g, n);
    if (fault) return fault;
    if (n->type.layout != LAYOUT_PACKED || graph_state_of(g, v) != VALUE_NONE)
        return packing_fuse_fault(g, v);
    if (graph_node(n->body, n->body->outputs[0].value)->op != OP_pack)
        return "only constants and results of pack can be packed";
    return packing_fuse_fault(g, v);
}

level level_within(level l, op o) {
    if (o == OP_per_sequence) return LEVEL_SEQUENCE;
    return l == LEVEL_TOP ? LEVEL_FUSE : LEVEL_FUSE_IN_SEQUENCE;
}

static bool check_graph(const checker *c, const graph *g, level l);

static bool check_node(const checker *c, const graph *g, value v, level l) {
    const node *n = graph_node(g, v);
    if ((unsigned)n->op >= OP_COUNT) return wrong(c, g, v, "no such op");
    for (int i = 0; i < n->input_count; i++) {
        if (n->inputs[i] < 0 || n->inputs[i] >= v)
            return wrong(c, g, v, "an operand does not come before its use");
    }
    const char *fault = node_fault(g, v, l);
    if (!fault && n->op == OP_constant) fault = at_fault(c, n);
    if (fault) return wrong(c, g, v, fault);

    type t;
    char where[128];
    snprintf(where, sizeof(where), "%s: @%s: %%%d", c->stage ? c->stage : "graph", g->name ? g->name : "body",
             v);
    if (!shape_infer(g, n, &t, where, c->d)) return false;
    if (!type_eq(&t, &n->type)) {
        char has[96], should[96], cause[256];
        snprintf(cause, sizeof(cause), "its type is %s and should be %s",
                 type_print(&n->type, has, sizeof(has)), type_print(&t, should, sizeof(should)));
        return wrong(c, g, v, cause);
    }
    if (!n->body) return true;
    if (!check_graph(c, n->body, level_within(l, n->op))) return false;
    fault = region_fault(g, v);
    return !fault || wrong(c, g, v, fault);
}

// A yield of a region and the node that stands for it.
typedef struct taken_yield {
    value region, by;
    int index;
} taken_yield;

static int by_yield(const void *a, const void *b) {
    const taken_yield *x = a, *y = b;
    if (x->region != y->region) return x->region < y->region ? -1 : 1;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return (x->by > y->by) - (x->by < y->by);
}

// One `result` at most for each yield of each region. The nodes are well formed.
static bool check_results(const checker *c, const graph *g) {
    taken_yield *taken = memory_alloc((size_t)g->count, sizeof(*taken));
    if (!taken) return wrong(c, g, VALUE_NONE, "out of memory");
    int n = 0, twice = 0;
    for (value v = 0; v < g->count; v++) {
        const node *x = graph_node(g, v);
        if (x->op == OP_result) taken[n++] = (taken_yield){x->inputs[0], v, node_result_index(x)};
    }
    qsort(taken, (size_t)n, sizeof(*taken), by_yield);
    for (int i = 1; i < n && !twice; i++)
        if (taken[i].region == taken[i - 1].region && taken[i].index == taken[i - 1].index) twice = i;
    char cause[64];
    if (twice)
        snprintf(cause, sizeof(cause), "%%%d is this yield of the region already", taken[twice - 1].by);
    bool ok = !twice || wrong(c, g, taken[twice].by, cause);
    free(taken);
    return ok;
}

static bool check_graph(const checker *c, const graph *g, level l) {
    bool ok = true;
    for (value v = 0; v < g->count; v++) ok &= check_node(c, g, v, l);
    ok = ok && check_results(c, g);
    if (g->output_count < 1) ok = wrong(c, g, VALUE_NONE, "has no output");
    for (int i = 0; i < g->output_count; i++) {
        value v = g->outputs[i].value;
        if (v < 0 || v >= g->count) ok = wrong(c, g, VALUE_NONE, "an output is not a value of the graph");
        if (l == LEVEL_TOP && !g->outputs[i].name) ok = wrong(c, g, VALUE_NONE, "an output has no name");
    }
    return check_names(c, g) && ok;
}

// --- Variants: the places of values, and their lifetimes.

typedef struct placed_value {
    value v;
    int64_t from, to; // bytes of the arena, [from, to)
    int first, last;  // nodes during which the value lives, both included
} placed_value;

// Rows that a T, S or R axis has room for: kernels compute up to the next whole row tile.
static int64_t round_up_checked(int64_t n, int64_t tile) {
    int64_t up;
    if (__builtin_add_overflow(n, tile - 1, &up)) return -1;
    return up / tile * tile;
}

// Elements before the last axis; a leading T, S or R rounded up to the row tile. -1: too many.
static int64_t place_rows(const type *t, const variant *x, const bindings *b) {
    int64_t rows = 1;
    for (int i = 0; i < t->rank - 1 || (i == 0 && t->rank == 1); i++) {
        int64_t n = dim_value(t->d[i], b);
        sym s = t->d[i].s;
        if (i == 0 && t->d[i].n == 0 && (s == SYM_T || s == SYM_S || s == SYM_R))
            n = round_up_checked(n, x->row_tile);
        if (n < 0 || __builtin_mul_overflow(rows, n, &rows)) return -1;
    }
    return rows;
}

static int64_t place_span_bytes(const type *t, const place *p, const variant *x) {
    bindings b = {.v = {[SYM_T] = x->tokens,
                        [SYM_S] = x->sequences,
                        [SYM_R] = x->tokens,
                        [SYM_L] = x->length,
                        [SYM_Q] = x->length,
                        [SYM_M] = x->length}};
    if (t->layout == LAYOUT_PACKED) return type_bytes(t);
    int64_t elements = place_rows(t, x, &b), bytes;
    if (elements < 0) return -1;
    if (t->rank < 2)
        return __builtin_mul_overflow(elements, (int64_t)elem_size(t->e), &bytes)
                   ? -1
                   : elem_bytes(t->e, elements);
    int64_t columns = dim_value(t->d[t->rank - 1], &b), row;
    if (columns < 0 || p->ld < columns || __builtin_mul_overflow(p->ld, (int64_t)elem_size(t->e), &row))
        return -1;
    return __builtin_mul_overflow(elements, elem_bytes(t->e, p->ld), &bytes) ? -1 : bytes;
}

// A `result` is written by its region and reads nothing.
static void find_lives(const graph *g, int *last) {
    for (value v = 0; v < g->count; v++) last[v] = v;
    for (value v = 0; v < g->count; v++) {
        if (g->nodes[v].op == OP_result) continue;
        for (int i = 0; i < g->nodes[v].input_count; i++) last[g->nodes[v].inputs[i]] = v;
    }
    for (int i = 0; i < g->output_count; i++) last[g->outputs[i].value] = g->count;
}

static bool check_place(const checker *c, const graph *g, const variant *x, value v, placed_value *s) {
    const node *n = graph_node(g, v);
    const place *p = &x->places[v];
    char cause[160];
    s->v = VALUE_NONE;
    if (state_placed(g, v)) {
        const char *fault = state_place_fault(g, v, p);
        if (!fault) return true;
        snprintf(cause, sizeof(cause), "variant %.100s: %s", x->name, fault);
        return wrong(c, g, v, cause);
    }
    if (n->op == OP_constant) {
        if (p->kind == PLACE_ARENA) return wrong(c, g, v, "a constant is placed in the arena");
        return true;
    }
    if (input_of_call(n)) {
        if (p->kind == PLACE_INPUT) return true;
        snprintf(cause, sizeof(cause), "variant %.100s: a number of the call is placed elsewhere", x->name);
        return wrong(c, g, v, cause);
    }
    if (p->kind != PLACE_ARENA) {
        snprintf(cause, sizeof(cause), "variant %s gives it no place in the arena", x->name);
        return wrong(c, g, v, cause);
    }
    int64_t bytes = place_span_bytes(&n->type, p, x), end;
    if (bytes < 0 || p->offset < 0 || p->offset % 64 || __builtin_add_overflow(p->offset, bytes, &end) ||
        end > x->arena_bytes) {
        snprintf(cause, sizeof(cause),
                 "variant %s: offset %" PRId64 ", stride %" PRId64 " don't fit an arena of %" PRId64, x->name,
                 p->offset, p->ld, x->arena_bytes);
        return wrong(c, g, v, cause);
    }
    int first = n->op == OP_input ? 0 : n->op == OP_result ? n->inputs[0] : v;
    *s = (placed_value){v, p->offset, end, first, 0};
    return true;
}

static int by_offset(const void *a, const void *b) {
    const placed_value *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static bool check_overlaps(const checker *c, const graph *g, const variant *x, placed_value *placed, int n) {
    qsort(placed, (size_t)n, sizeof(*placed), by_offset);
    for (int i = 0; i < n; i++) {
        for (int k = i + 1; k < n && placed[k].from < placed[i].to; k++) {
            if (placed[i].first > placed[k].last || placed[k].first > placed[i].last) continue;
            char cause[160];
            snprintf(cause, sizeof(cause), "variant %s: it overlaps %%%d in the arena while both live",
                     x->name, placed[k].v);
            return wrong(c, g, placed[i].v, cause);
        }
    }
    return true;
}

static bool schedule_in_range(const schedule *s) {
    bool ok = s->tile_rows >= 0 && s->tile_columns >= 0 && s->chunk >= 0 && s->prefetch >= 0;
    for (int i = 0; i < THREAD_CLASSES; i++) {
        ok = ok && (s->splits[i].form == FORM_ROWS || s->splits[i].form == FORM_COLUMNS) &&
             s->splits[i].block_rows >= 0 && s->splits[i].block_columns >= 0;
    }
    return ok;
}

static bool check_variant(const checker *c, const graph *g, const variant *x) {
    if (!x->name || !x->isa || !x->places || !x->schedules) {
        return wrong(c, g, VALUE_NONE, "a variant lacks its name, ISA, places or schedules");
    }
    if (x->length < 1 || x->sequences < 1 || x->sequences > LENGTH_MAX || x->tokens < x->length ||
        x->tokens > LENGTH_MAX) {
        return wrong(c, g, VALUE_NONE, "a variant's capacity is out of range");
    }
    if (x->row_tile < 1) return wrong(c, g, VALUE_NONE, "a variant's row tile is below 1");
    if (x->row_tile > LENGTH_MAX) return wrong(c, g, VALUE_NONE, "a variant's row tile is out of range");
    if (x->arena_bytes < 0) return wrong(c, g, VALUE_NONE, "a variant's arena is below 0 bytes");
    int *last = memory_alloc((size_t)g->count, sizeof(*last));
    placed_value *placed = memory_alloc((size_t)g->count + 1, sizeof(*placed));
    bool ok = last && placed ? true : wrong(c, g, VALUE_NONE, "out of memory");
    int n = 0;
    if (ok) find_lives(g, last);
    for (value v = 0; ok && v < g->count; v++) {
        if (!schedule_in_range(&x->schedules[v])) ok = wrong(c, g, v, "its schedule is out of range");
        ok = ok && check_place(c, g, x, v, &placed[n]);
        if (ok && placed[n].v == v) placed[n++].last = last[v];
    }
    ok = ok && check_overlaps(c, g, x, placed, n);
    free(last);
    free(placed);
    return ok;
}

bool graph_verify(const graph *g, const char *stage, diag *d) {
    checker c = {stage, d, g};
    if (!check_graph(&c, g, LEVEL_TOP)) return false;
    bool ok = true;
    state_fault fault;
    if (g->state_bytes < 0 || g->state_bytes % 64 || g->state_bytes > g->weight_bytes)
        return wrong(&c, g, VALUE_NONE, "state_bytes is no multiple of 64 within the weights");
    if (g->zero_bytes < 0 || g->zero_bytes % 64 || g->zero_bytes > INT64_MAX / 4)
        return wrong(&c, g, VALUE_NONE, "zero_bytes is no multiple of 64, or is out of range");
    if (!state_check(g, &fault)) return wrong(&c, g, fault.at, fault.cause);
    const char **names = memory_alloc((size_t)g->variant_count, sizeof(*names));
    if (!names) return wrong(&c, g, VALUE_NONE, "out of memory");
    int n = 0;
    for (int i = 0; i < g->variant_count; i++) {
        ok &= check_variant(&c, g, &g->variants[i]);
        if (g->variants[i].name) names[n++] = g->variants[i].name;
    }
    if (repeated(names, n)) ok = wrong(&c, g, VALUE_NONE, "two variants have the same name");
    free(names);
    return ok;
}
