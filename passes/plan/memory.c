// plan_memory: gives values offsets in the arena by their lifetimes, so that a call allocates
// nothing.
//
//   requires  the variant's row tile and capacity        produces  places and arena_bytes
//
//   before    lifetimes       node ->
//               %ids          |====================|     inputs and outputs: the whole call
//               %a              |=====|
//               %b                   |=====|
//               %c                        |====|
//   after     arena           | ids | bounds | ... | a, c | b | ... |
//               %a and %c share bytes; %b lives while %a does, and while %c does, so it can't
//
// Values are placed from the largest to the smallest. Each takes the tightest gap between values
// that live at the same time, or the end. A value lives from its node (a `result`: from its
// region) to its last user, both included. So a result never overlaps its operands. Inputs and
// index vectors live for the whole call. Two values share bytes only if their types may
// (ir/places.h), because kernels read whatever padding holds.
//
// A state, and what is assigned to it, is in the session's states, in every variant at the state's
// `at`. A number of the call is in the call.
//
// A value over T, S or R has room for as many rows as the capacity, rounded up to the row tile.
// From rank 2 on, each row begins at a multiple of 64 bytes (an odd multiple with AMX tiles).
// Everything else is dense.
#include "passes/plan/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct lifetime {
    value v;
    elem e;
    int first, last; // nodes during which it lives
    int64_t bytes, offset;
} lifetime;

// AMX's tiles take 16 rows at a time. Rows an odd number of cache lines apart lie in different sets of the first
// cache: products of rows of 768 bytes run 1.4 times as fast if 832 bytes lie between them.
static int64_t odd_lines(const type *t, int64_t ld) {
    int64_t line = PLACE_ALIGNMENT * 8 / elem_bits(t->e), lines = ld / line;
    return t->rank == 2 && lines > 1 && lines % 2 == 0 ? ld + line : ld;
}

// Bytes of a value, and the stride of its rows; -1 where it is too large. `tiles`: the target has AMX's.
static int64_t place_bytes(const type *t, const bindings *b, bool tiles, int64_t *ld) {
    type rows = *t;
    if (t->layout == LAYOUT_PACKED) {
        int64_t packed = type_bytes(t);
        *ld = 0;
        return packed < 0 || packed > INT64_MAX / 4 ? -1 : packed;
    }
    *ld = place_ld(t, b);
    if (tiles) *ld = odd_lines(t, *ld);
    rows.rank -= t->rank >= 2;
    int64_t count = type_count_bound(&rows, b), bytes;
    if (count < 0 || __builtin_mul_overflow(count, elem_bytes(t->e, *ld), &bytes)) return -1;
    if (bytes > INT64_MAX / 4) return -1;
    return round_up(bytes, PLACE_ALIGNMENT);
}

// A `result` is written by its region and reads nothing.
static void find_lives(const graph *g, int *last) {
    for (value v = 0; v < g->count; v++) {
        last[v] = v;
        if (graph_node(g, v)->op == OP_result) continue;
        for (int i = 0; i < graph_node(g, v)->input_count; i++) last[graph_node(g, v)->inputs[i]] = v;
    }
    for (int i = 0; i < g->output_count; i++) last[g->outputs[i].value] = g->count;
}

static int by_size(const void *a, const void *b) {
    const lifetime *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->v > y->v) - (x->v < y->v);
}

static int by_offset(const void *a, const void *b) {
    const lifetime *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static bool apart(const lifetime *a, const lifetime *b) {
    bool together = a->first <= b->last && b->first <= a->last;
    return together || !place_shares(a->e, b->e);
}

// The tightest gap among the placed spans whose bytes `s` can't take.
static int64_t find_gap(const lifetime *s, const lifetime *placed, int n, const lifetime **live) {
    int count = 0;
    for (int i = 0; i < n; i++)
        if (apart(&placed[i], s)) live[count++] = &placed[i];
    if (count) qsort(live, (size_t)count, sizeof(*live), by_offset);
    int64_t end = 0, best = -1, best_size = INT64_MAX;
    for (int i = 0; i < count; i++) {
        int64_t gap = live[i]->offset - end;
        if (gap >= s->bytes && gap < best_size) {
            best = end;
            best_size = gap;
        }
        if (live[i]->offset + live[i]->bytes > end) end = live[i]->offset + live[i]->bytes;
    }
    return best >= 0 ? best : end;
}

// 0 where pack_weights has not run yet.
static int64_t offset_of(const node *n) {
    const attr *at = node_attr(n, ATTR_at);
    return at ? at->u.i : 0;
}

// The place of what is in no arena.
static bool placed_outside(const graph *g, value v, place *out) {
    const node *n = graph_node(g, v);
    value state = node_is_state(n) ? v : graph_state_of(g, v);
    if (state != VALUE_NONE)
        *out = (place){.kind = PLACE_STATE, .offset = offset_of(graph_node(g, state))};
    else if (node_is_constant(n))
        *out = (place){.kind = PLACE_WEIGHT, .offset = offset_of(n)};
    else if (input_of_call(n))
        *out = (place){.kind = PLACE_INPUT, .offset = v};
    else
        return false;
    return true;
}

// The values that need a place, with their lives and sizes; -1 with a diagnostic where one is too large.
static int collect_lifetimes(const graph *g, const target *t, variant *x, lifetime *lifetimes, arena *scratch,
                             diag *d) {
    bindings b = variant_most(x);
    int *last = ARENA_ARRAY(scratch, int, g->count), n = 0;
    const bool *index = places_find_indices(scratch, g), tiles = target_has_tiles(t);
    find_lives(g, last);
    for (value v = 0; v < g->count; v++) {
        const node *producer = graph_node(g, v);
        if (placed_outside(g, v, &x->places[v])) continue;
        int first = producer->op == OP_result ? producer->inputs[0] : v;
        lifetime s = {v, producer->type.e, first, last[v], 0, 0};
        if (producer->op == OP_input || index[v]) s.first = 0, s.last = g->count;
        s.bytes = place_bytes(&producer->type, &b, tiles, &x->places[v].ld);
        if (s.bytes < 0) {
            char where[160];
            diag_error(d, pass_where(g, v, where, sizeof(where)), "is too large for variant %s", x->name);
            return -1;
        }
        lifetimes[n++] = s;
    }
    return n;
}

bool plan_places(const graph *g, const target *t, variant *x, diag *d) {
    arena *scratch = arena_new();
    lifetime *lifetimes = ARENA_ARRAY(scratch, lifetime, g->count + 1);
    const lifetime **live = ARENA_ARRAY(scratch, const lifetime *, g->count + 1);
    int n = collect_lifetimes(g, t, x, lifetimes, scratch, d);
    if (n > 0) qsort(lifetimes, (size_t)n, sizeof(*lifetimes), by_size);
    bool ok = n >= 0;
    x->arena_bytes = 0;
    for (int i = 0; i < n && ok; i++) {
        lifetime *s = &lifetimes[i];
        s->offset = find_gap(s, lifetimes, i, live);
        x->places[s->v].kind = PLACE_ARENA;
        x->places[s->v].offset = s->offset;
        if (s->offset + s->bytes > x->arena_bytes) x->arena_bytes = s->offset + s->bytes;
        if (x->arena_bytes > INT64_MAX / 4)
            ok = diag_error(d, "plan_memory", "variant %s needs too large an arena", x->name);
    }
    arena_free(scratch);
    return ok;
}

bool pass_plan_memory(graph *g, pass *p) {
    return plan_places(g, p->c->target, p->variant, p->c->diag);
}
