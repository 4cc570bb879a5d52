// links: cli wide
// Every case of tests/models/cases (models/case_list.h) with its parameters as states: a number made of all outputs is
// differentiated by all of them, and the slope along random directions is held against differences, both in double.
// The passes that follow must leave the gradients as they are. An argument, or BERTC_CASE, picks the cases whose name
// begins so.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/recipe_parts.h"
#include "made_loss.h"
#include "main.h"
#include "models/case_list.h"
#include "models/cases.h"
#include "ops/wide.h"
#include "passes/passes.h"

#define BEFORE "canonicalize,fold_constants,eliminate_dead,narrow_rows,skip_rows,merge_qkv"
#define BEHIND                                                                                               \
    "fuse_embedding,fuse_attention,fuse_epilogue,fuse_norm,fuse_sums,fuse_rows,assign_layouts,fuse_pooling," \
    "pack_"                                                                                                  \
    "weights"
#define DIRECTIONS 2
#define STEP       1e-4
#define TOLERANCE  1e-5 // of the slope, as a share of what the states contribute

static case_list cases;

typedef struct problem {
    arena *a;
    diag d;
    hub_model m;
    eval_input all[CASE_INPUTS], inputs[CASE_INPUTS];
    eval_options o;
    int64_t parameters;
    uint32_t random;
} problem;

static void must(problem *p, bool ok, const char *what) {
    ck_assert_msg(ok, "%s: %s", what, p->d.count ? p->d.items[0].text : "no diagnostic");
}

static double draw(problem *p) {
    p->random = p->random * 1664525u + 1013904223u;
    return (p->random >> 8) / 8388608.0 - 1;
}

static void open_inputs(problem *p, const safetensors *io) {
    grid *g = ARENA_NEW(p->a, grid);
    *g = case_grid(&p->m, io, 2, p->a);
    case_inputs(&p->m, g, io, p->a, p->all);
    p->o = (eval_options){.source = &p->m.source, .inputs = p->inputs};
    for (int i = 0; i < CASE_INPUTS; i++)
        if (case_has_input(p->m.graph, p->all[i].name)) p->inputs[p->o.input_count++] = p->all[i];
}

static void run(problem *p, const char *list) {
    pass_context c = {.source = &p->m.source, .diag = &p->d, .verify = true};
    must(p, passes_run(p->m.graph, list, &c), list);
}

static tensor *evaluated(problem *p, const graph *g) {
    tensor *results = ARENA_ARRAY(p->a, tensor, g->output_count);
    must(p, graph_eval_wide(g, &p->o, p->a, results, &p->d), "evaluation");
    return results;
}

// The states' first values, by value of g.
static tensor *open_states(problem *p, const graph *g) {
    tensor *states = ARENA_ARRAY(p->a, tensor, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!node_is_state(n)) continue;
        tensor *t = &states[v];
        *t = (tensor){.e = ELEM_F32, .rank = n->type.rank};
        for (int i = 0; i < t->rank; i++) t->shape[i] = n->type.d[i].n;
        int64_t count = tensor_count(t);
        float *from = ARENA_ARRAY(p->a, float, count);
        double *to = t->data = ARENA_ARRAY(p->a, double, count);
        must(p, recipe_run_elements(node_attr(n, ATTR_recipe)->u.recipe, &p->m.source, from, &p->d), n->name);
        for (int64_t i = 0; i < count; i++) to[i] = (double)from[i];
        p->parameters += count;
    }
    return states;
}

// The loss with the states moved by `by` times their directions.
static double loss_at(problem *p, const graph *forward, const tensor *states, double *const *directions,
                      double by) {
    tensor *moved = arena_dup(p->a, states, sizeof(tensor) * (size_t)forward->count);
    for (value v = 0; v < forward->count; v++) {
        if (!states[v].data) continue;
        int64_t count = tensor_count(&states[v]);
        double *to = moved[v].data = ARENA_ARRAY(p->a, double, count);
        for (int64_t i = 0; i < count; i++)
            to[i] = ((const double *)states[v].data)[i] + by * directions[v][i];
    }
    p->o.states = moved;
    double loss = *(const double *)evaluated(p, forward)[0].data;
    p->o.states = NULL;
    return loss;
}

static const tensor *gradient_of(const graph *g, const tensor *results, const char *name) {
    for (int i = 0; i < g->output_count; i++)
        if (!strncmp(g->outputs[i].name, "gradient.", 9) && !strcmp(g->outputs[i].name + 9, name))
            return &results[i];
    return NULL;
}

static void hold_direction(problem *p, const graph *forward, const tensor *states, const tensor *results) {
    double **directions = ARENA_ARRAY(p->a, double *, forward->count), slope = 0, most = 1e-6;
    for (value v = 0; v < forward->count; v++) {
        if (!states[v].data) continue;
        int64_t count = tensor_count(&states[v]);
        const tensor *g = gradient_of(p->m.graph, results, graph_node(forward, v)->name);
        double own = 0;
        directions[v] = ARENA_ARRAY(p->a, double, count);
        for (int64_t i = 0; i < count; i++) {
            directions[v][i] = draw(p) / sqrt((double)p->parameters);
            if (g) own += directions[v][i] * ((const double *)g->data)[i];
        }
        slope += own;
        most += fabs(own);
    }
    double found =
        (loss_at(p, forward, states, directions, STEP) - loss_at(p, forward, states, directions, -STEP)) /
        (2 * STEP);
    ck_assert_msg(fabs(found - slope) <= TOLERANCE * most, "slope %.12g, by differences %.12g", slope, found);
}

// In double, so only by what sums in another order differ.
static void hold_passes(problem *p, const tensor *results) {
    run(p, BEHIND);
    const tensor *again = evaluated(p, p->m.graph);
    for (int i = 0; i < p->m.graph->output_count; i++) {
        const double *x = results[i].data, *y = again[i].data;
        double most = 1e-6;
        for (int64_t k = 0; k < tensor_count(&results[i]); k++) most = fmax(most, fabs(x[k]));
        for (int64_t k = 0; k < tensor_count(&results[i]); k++)
            ck_assert_msg(fabs(x[k] - y[k]) <= 1e-9 * most, "%s: %g became %g", p->m.graph->outputs[i].name,
                          x[k], y[k]);
    }
}

START_TEST(gradients_of_a_case) {
    const char *name = cases.names[_i];
    if (!case_home(name)) SKIP("shared", "%s", name);
    problem p = {.a = arena_new(), .random = (uint32_t)_i};
    diag_init(&p.d);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", case_home(name));
    hub_options h = {.model = folder, .train.task = "states"};
    must(&p, hub_open(&h, p.a, &p.m, &p.d), name);
    safetensors *io = safetensors_open(case_path(name, "io.safetensors"), &p.d);
    must(&p, io != NULL, name);
    open_inputs(&p, io);
    run(&p, BEFORE);
    ck_assert(made_loss(p.m.graph) != VALUE_NONE);
    const graph *forward = graph_clone(p.a, p.m.graph);
    run(&p, "differentiate");
    const tensor *states = open_states(&p, forward), *results = evaluated(&p, p.m.graph);
    for (int i = 0; i < DIRECTIONS; i++) hold_direction(&p, forward, states, results);
    hold_passes(&p, results);
    safetensors_close(io);
    hub_close(&p.m);
    diag_free(&p.d);
    arena_free(p.a);
}
END_TEST

int main(int argc, char **argv) {
    return case_main("gradients of models", argc, argv, &cases, gradients_of_a_case, 1, NULL);
}
