// differentiate: adds the gradient of the output `loss` with respect to each trainable constant that it depends on.
//
//   requires  the weights not packed     produces  nothing
//
//   before    %y = matmul %x, %w                          %w is trainable, [768,2]
//             %l = ... %y ...                             f32[1]
//             output loss = %l
//   after     %gradient.y = ...                           the gradient of %l with respect to %y
//             %1 = transpose %x
//             %gradient.w = matmul %1, %gradient.y        f32[768,2]
//             output loss = %l
//             output gradient.w = %gradient.w
//
// The table of rules is in walk.c; ops.def says what each rule reads. Gradients are f32. If a value
// has several users, their gradients are added, the last user's first. So the order never changes.
#include "passes/differentiate/differentiate.h"

#include <string.h>

#define LOSS   "loss"
#define PREFIX "gradient."

// The loss's value; VALUE_NONE with a diagnostic.
static value find_loss(const graph *g, const pass *p) {
    char at[96];
    for (int i = 0; i < g->output_count; i++) {
        const char *name = g->outputs[i].name;
        if (!strncmp(name, PREFIX, strlen(PREFIX))) {
            diag_error(p->c->diag, p->name, "the graph has an output %s: it is differentiated already", name);
            return VALUE_NONE;
        }
    }
    for (int i = 0; i < g->output_count; i++) {
        value v = g->outputs[i].value;
        if (strcmp(g->outputs[i].name, LOSS)) continue;
        if (graph_type(g, v)->e == ELEM_F32 && type_count(graph_type(g, v)) == 1) return v;
        diag_error(p->c->diag, p->name, "the output " LOSS " is %s, and should be one number of f32",
                   type_print(graph_type(g, v), at, sizeof(at)));
        return VALUE_NONE;
    }
    diag_error(p->c->diag, p->name, "the graph has no output " LOSS);
    return VALUE_NONE;
}

static bool names_free(const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const char *name = graph_node(g, v)->name;
        if (name && !strncmp(name, PREFIX, strlen(PREFIX))) return false;
    }
    return true;
}

bool differentiate(graph *g, pass *p, value loss, const bool *wanted, value *gradients) {
    arena *scratch = arena_new();
    tape *t = tape_new(scratch, p, g, g);
    t->names = names_free(g);
    t->boxes = true;
    memcpy(t->reaches, wanted, sizeof(bool) * (size_t)t->count);
    tape_reach(t);
    type one = *graph_type(g, loss);
    if (t->reaches[loss]) tape_add(t, loss, build_broadcast(t, build_scalar(t, 1), &one));
    bool ok = tape_walk(t);
    for (value v = 0; v < t->count; v++) gradients[v] = wanted[v] ? t->gradient[v] : VALUE_NONE;
    arena_free(scratch);
    return ok;
}

// An output for each state; `count` nodes were there before.
static void add_outputs(graph *g, pass *p, int count, const value *gradients) {
    for (value v = 0; v < count; v++) {
        if (!node_is_state(graph_node(g, v))) continue;
        if (gradients[v] == VALUE_NONE) {
            pass_missed(p, g, v, "has no gradient: the loss does not depend on it");
            continue;
        }
        char at[160], name[200], text[96];
        snprintf(name, sizeof(name), PREFIX "%s", pass_where(g, v, at, sizeof(at)));
        graph_output_add(g, name, gradients[v]);
        pass_fired(p, g, v, "gradient %s", type_print(graph_type(g, gradients[v]), text, sizeof(text)));
    }
}

bool pass_differentiate(graph *g, pass *p) {
    value loss = find_loss(g, p);
    if (loss == VALUE_NONE) return false;
    int count = g->count;
    arena *scratch = arena_new();
    bool *wanted = ARENA_ARRAY(scratch, bool, count);
    value *gradients = ARENA_ARRAY(scratch, value, count);
    for (value v = 0; v < count; v++) wanted[v] = node_is_state(graph_node(g, v));
    bool ok = differentiate(g, p, loss, wanted, gradients);
    if (ok) add_outputs(g, p, count, gradients);
    arena_free(scratch);
    if (ok) drop_broadcasts(g);
    if (ok) rewriter_end(rewriter_begin(g));
    return ok;
}
