// Arguments of kernels, and the parameter table: which parts of which tensors lie where in the states, so that the runtime, which knows no
// recipe, can read and write them as tensors of the checkpoint.
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"

// --- Arguments

// Offset of a number of the call in bertc_call.
static int64_t call_offset(const char *name) {
#define X(text, field, elem, count)                                                                          \
    if (!strcmp(name, text)) return offsetof(bertc_call, field);
    BERTC_CALL_LIST(X)
#undef X
    assert(0 && "a number of the call");
    return 0;
}

bertc_arg argument_of(const graph *g, const variant *v, value x) {
    const node *n = graph_node(g, x);
    const place *p = &v->places[x];
    if (node_is_state(n)) return (bertc_arg){BERTC_ARG_STATE, node_attr(n, ATTR_at)->u.i};
    if (node_is_constant(n)) return (bertc_arg){BERTC_ARG_WEIGHT, node_attr(n, ATTR_at)->u.i};
    if (p->kind == PLACE_INPUT) return (bertc_arg){BERTC_ARG_CALL, call_offset(n->name)};
    return (bertc_arg){p->kind == PLACE_STATE ? BERTC_ARG_STATE : BERTC_ARG_ARENA, p->offset};
}

// --- Parameters

static uint32_t elem_of(elem e) {
    switch (e) {
    case ELEM_F16: return BERTC_F16;
    case ELEM_BF16: return BERTC_BF16;
    case ELEM_F8_E4M3: return BERTC_F8_E4M3;
    case ELEM_F8_E5M2: return BERTC_F8_E5M2;
    case ELEM_F32:
    case ELEM_I32:
    case ELEM_I1:
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4:
    case ELEM_F64:
    case ELEM_COUNT: break;
    }
    return BERTC_F32; // a state's tensor has no other
}

static parameter_part part_of(const node *state, const recipe_move *m) {
    const type *t = &m->tensor->type, *s = &state->type;
    bool matrix = s->rank == 2;
    parameter_part p = {.tensor = m->tensor->tensor};
    p.row = (bertc_parameter_part){.elem = elem_of(t->e),
                                   .rank = (uint32_t)t->rank,
                                   .first = m->first,
                                   .rows = m->rows,
                                   .columns = m->columns,
                                   .offset = node_attr(state, ATTR_at)->u.i,
                                   .state_rows = matrix ? s->d[0].n : 1,
                                   .state_columns = matrix ? s->d[1].n : type_count(s),
                                   .row = m->row,
                                   .column = m->column,
                                   // A part of one row or column is a run of elements either way.
                                   .transposed = m->rows > 1 && m->columns > 1 && m->column_step != 1,
                                   .packed = s->layout == LAYOUT_PACKED};
    p.row.zeros = m->tensor->kind == RECIPE_ZEROS;
    for (int i = 0; i < t->rank; i++) p.row.shape[i] = t->d[i].n;
    return p;
}

static int by_tensor(const void *a, const void *b) {
    const parameter_part *x = a, *y = b;
    int name = strcmp(x->tensor, y->tensor);
    if (x->row.zeros != y->row.zeros) return x->row.zeros ? 1 : -1;
    if (name) return name;
    return (x->row.first > y->row.first) - (x->row.first < y->row.first);
}

int parameters_collect(const graph *g, arena *a, parameter_part **out) {
    int count = 0, room = 16;
    *out = ARENA_ARRAY(a, parameter_part, room);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        recipe_move *moves;
        if (!node_is_state(n)) continue;
        int parts = recipe_moves(node_attr(n, ATTR_recipe)->u.recipe, a, &moves);
        if (count + parts > room) {
            while (count + parts > room) room *= 2;
            parameter_part *more = ARENA_ARRAY(a, parameter_part, room);
            memcpy(more, *out, sizeof(**out) * (size_t)count);
            *out = more;
        }
        for (int i = 0; i < parts; i++) (*out)[count++] = part_of(n, &moves[i]);
    }
    qsort(*out, (size_t)count, sizeof(**out), by_tensor);
    return count;
}
