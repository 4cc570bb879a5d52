// optimize: turns gradients into a training step. They are added up in states, their norm is computed,
// and AdamW moves the parameters.
//
//   requires  no packed weights       produces  nothing
//
//   before    output loss = %loss
//             output gradient.w = %g              f32[768,2], as the trainable constant %w
//   after     %sum.w = constant {recipe = transpose(zeros("gradient.w", ..)), trainable}
//             %1 = fuse (%g, %sum = %sum.w, %keep) {
//               yield assign %sum, %g + (%keep > 0 ? %sum : 0) }
//             %grad_norm = the root of the sum of the squares of %1 and its like
//             %adamw = fuse (%grad_norm, %clip, %rate, %step) { what all steps share }
//             %w.next = fuse (%w, %m = %exp_avg.w, %v = %exp_avg_sq.w, %g = %1, ..) {
//               yield assign %w, .., assign %m, .., assign %v, .. }
//             output loss = %loss
//             output grad_norm = %grad_norm
//
// Numbers of the call: keep (0 in a step's first micro-batch, 1 in the others), step (from 1),
// rate, and clip (the largest norm; 0: no limit). The rules are PyTorch's: clip_grad_norm_, and
// AdamW, whose weight decay is no part of the gradient.
#include "passes/optimize/optimize.h"

#include <string.h>

#include "ir/parts.h"

static bool is_gradient(const graph_output *o) {
    return !strncmp(o->name, GRADIENT_PREFIX, strlen(GRADIENT_PREFIX));
}

// The trainable constant that is called so; VALUE_NONE: there is none.
static value find_state(const graph *g, const char *name) {
    char at[160];
    for (value v = 0; v < g->count; v++)
        if (node_is_state(graph_node(g, v)) && !strcmp(pass_where(g, v, at, sizeof(at)), name)) return v;
    return VALUE_NONE;
}

static bool find_trained(const graph *g, const pass *p, const graph_output *o,
                         const optimizer_options *options, trained *x) {
    char at[96], should[96];
    const char *name = o->name + strlen(GRADIENT_PREFIX);
    *x = (trained){.name = name, .state = find_state(g, name), .gradient = o->value};
    if (x->state == VALUE_NONE)
        return diag_error(p->c->diag, p->name, "output %s: there is no trainable constant %s", o->name, name);
    const node *n = graph_node(g, x->state);
    if (node_is_zero_state(n) || graph_writer_of(g, x->state) != VALUE_NONE)
        return diag_error(p->c->diag, p->name, "output %s: something writes %s already", o->name, name);
    if (!type_eq(graph_type(g, o->value), &n->type))
        return diag_error(p->c->diag, p->name, "output %s is %s; the gradient of %s is %s", o->name,
                          type_print(graph_type(g, o->value), at, sizeof(at)), name,
                          type_print(&n->type, should, sizeof(should)));
    const recipe *r = node_attr(n, ATTR_recipe)->u.recipe;
    x->rate = recipe_rate(r, options);
    x->decay = recipe_is_spared(r) ? 0 : options->weight_decay;
    return x->rate >= 0 ||
           diag_error(p->c->diag, p->name, "%s is made of tensors with different rates: leave out merge_qkv",
                      name);
}

// The weights of norms are spared whatever they are called. `to[v]`: the value of g that value v of the body is,
// where it is one of g's.
static void spare_norms(const graph *g, const value *to, trained *items, int count) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        for (int i = 1; (n->op == OP_layer_norm || n->op == OP_rms_norm) && i < n->input_count; i++) {
            value weight = to ? to[n->inputs[i]] : n->inputs[i];
            for (int k = 0; k < count; k++)
                if (items[k].state == weight) items[k].decay = 0;
        }
        if (!n->body) continue;
        arena *scratch = arena_new();
        value *inner = ARENA_ARRAY(scratch, value, n->body->count + 1);
        int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
        for (value u = 0; u < n->body->count; u++) {
            bool param = graph_node(n->body, u)->op == OP_param;
            value outer = param ? n->inputs[u + bounds] : VALUE_NONE;
            inner[u] = param && to ? to[outer] : outer;
        }
        spare_norms(n->body, inner, items, count);
        arena_free(scratch);
    }
}

// The parameters that have gradients, without those that are frozen; their outputs go. -1: a diagnostic says why.
static int take_gradients(graph *g, pass *p, const optimizer_options *o, trained *items) {
    int count = 0, kept = 0, found = 0;
    for (int i = 0; i < g->output_count; i++) {
        if (!is_gradient(&g->outputs[i])) {
            g->outputs[kept++] = g->outputs[i];
            continue;
        }
        if (!find_trained(g, p, &g->outputs[i], o, &items[count])) return -1;
        found++;
        if (items[count].rate > 0)
            count++;
        else
            pass_missed(p, g, items[count].state, "is frozen");
    }
    if (!count) {
        diag_error(p->c->diag, p->name,
                   found ? "every parameter is frozen by --freeze"
                         : "the graph has no output gradient.NAME: differentiate makes them");
        return -1;
    }
    g->output_count = kept;
    return count;
}

// Outputs that this pass adds would be called as others are.
static bool check_outputs(const graph *g, const pass *p) {
    for (int i = 0; i < g->output_count; i++)
        if (!strcmp(g->outputs[i].name, "grad_norm"))
            return diag_error(p->c->diag, p->name, "the graph has an output grad_norm already");
    return true;
}

bool pass_optimize(graph *g, pass *p) {
    static const optimizer_options usual = OPTIMIZER_USUAL;
    const optimizer_options *o = p->c->optimizer ? p->c->optimizer : &usual;
    if (!check_outputs(g, p)) return false;
    call_numbers_add(g);
    trained *items = ARENA_ARRAY(g->arena, trained, g->output_count + 1);
    int count = take_gradients(g, p, o, items);
    if (count < 0) return false;
    spare_norms(g, NULL, items, count);
    for (int i = 0; i < count; i++) adamw_add_up(g, &items[i]);
    value norm = gradient_norm(g, items, count);
    graph_name(g, norm, "grad_norm");
    const step_numbers shared = adamw_numbers(g, norm, o);
    for (int i = 0; i < count; i++) {
        adamw_step(g, &items[i], &shared, o);
        pass_fired(p, g, items[i].state, items[i].decay > 0 ? "AdamW, decays" : "AdamW");
    }
    graph_output_add(g, "grad_norm", norm);
    rewriter_end(rewriter_begin(g));
    return true;
}
