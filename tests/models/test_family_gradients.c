// links: cli wide
// Gradients of every case of tests/models/cases with its loss: along them, from the parameters on, the loss rises as fast as
// their norm says. In double, by central differences. An argument, or BERTC_CASE, picks the cases whose names begin so.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "main.h"
#include "models/case_list.h"
#include "models/case_targets.h"
#include "ops/wide.h"
#include "passes/passes.h"

#define STEP      1e-6
#define TOLERANCE 1e-5
static case_list cases;

// The task that a case's head is for; of one that has none a new head's.
static const char *task_of(const char *folder, arena *a) {
    diag d;
    hub_model m;
    diag_init(&d);
    hub_options o = {.model = folder};
    if (!hub_open(&o, a, &m, &d)) case_fail(&d);
    static const char *const tasks[][2] = {
        {"masked-lm", "mlm"},        {"token-classification", "tag"}, {"question-answering", "answer"},
        {"pretraining", "pretrain"}, {"embedding", "embed"},          {"sparse", "mlm"}};
    const char *task =
        strcmp(m.head, "sequence-classification") || m.label_count > 1 ? "classify" : "regress";
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (!strcmp(m.head, tasks[i][0])) task = tasks[i][1];
    hub_close(&m);
    o.train.task = task;
    bool ok = hub_open(&o, a, &m, &d); // not every family has a classifier
    if (ok) hub_close(&m);
    diag_free(&d);
    return ok ? task : "embed";
}

// --- Inputs, as doubles where they are f32

typedef struct checked {
    arena *a;
    hub_model m;
    graph *g; // with gradients
    grid at;
    int input_count;
    eval_input inputs[CASE_INPUTS + 5];
    tensor *states; // of the values of g
} checked;

static void fill_inputs(checked *c, const safetensors *io) {
    eval_input known[CASE_INPUTS];
    c->at = case_grid(&c->m, io, 0, c->a);
    case_inputs(&c->m, &c->at, io, c->a, known);
    for (value v = 0; v < c->g->count; v++) {
        const node *n = graph_node(c->g, v);
        if (n->op != OP_input) continue;
        int k = 0;
        while (k < CASE_INPUTS && strcmp(known[k].name, n->name)) k++;
        c->inputs[c->input_count++] = k < CASE_INPUTS ? known[k] : case_target(c->g, &c->at, n, true, c->a);
    }
}

// --- Parameters

// Their numbers, a step along the gradients away.
static void move_states(checked *c, tensor *const *gradients, double step, diag *d) {
    for (value v = 0; v < c->g->count; v++) {
        const node *n = graph_node(c->g, v);
        c->states[v] = (tensor){0};
        if (!node_is_state(n) || !gradients[v]) continue;
        int64_t count = type_count(&n->type);
        float *first = ARENA_ARRAY(c->a, float, count);
        double *moved = ARENA_ARRAY(c->a, double, count);
        if (!recipe_run(node_attr(n, ATTR_recipe)->u.recipe, &c->m.source, first, d)) case_fail(d);
        const double *g = gradients[v]->data;
        for (int64_t i = 0; i < count; i++) moved[i] = (double)first[i] + step * g[i];
        c->states[v] = *gradients[v];
        c->states[v].data = moved;
    }
}

static tensor *evaluated(checked *c, tensor *states, diag *d) {
    eval_options o = {
        .source = &c->m.source, .inputs = c->inputs, .input_count = c->input_count, .states = states};
    tensor *results = ARENA_ARRAY(c->a, tensor, c->g->output_count);
    if (!graph_eval_wide(c->g, &o, c->a, results, d)) case_fail(d);
    return results;
}

static int output_named(const graph *g, const char *name) {
    for (int i = 0; i < g->output_count; i++)
        if (!strcmp(g->outputs[i].name, name)) return i;
    return -1;
}

static double loss_of(checked *c, tensor *const *gradients, double step, diag *d) {
    move_states(c, gradients, step, d);
    return *(double *)evaluated(c, c->states, d)[output_named(c->g, "loss")].data;
}

static void check_gradients(checked *c, const char *what, diag *d) {
    const graph *g = c->g;
    tensor *results = evaluated(c, NULL, d), **gradients = ARENA_ARRAY(c->a, tensor *, g->count);
    double square = 0;
    int states = 0, found = 0;
    c->states = ARENA_ARRAY(c->a, tensor, g->count);
    for (value v = 0; v < g->count; v++) {
        if (!node_is_state(graph_node(g, v))) continue;
        int i = output_named(g, arena_printf(c->a, "gradient.%s", graph_node(g, v)->name));
        states++;
        if (i < 0) continue;
        found++;
        gradients[v] = &results[i];
        for (int64_t k = 0; k < tensor_count(&results[i]); k++)
            square += ((double *)results[i].data)[k] * ((double *)results[i].data)[k];
    }
    double norm = sqrt(square), step = STEP / norm;
    ck_assert_msg(isfinite(norm) && norm > 0 && found == states, "%s: norm %g, %d gradients of %d states",
                  what, norm, found, states);
    double rise = (loss_of(c, gradients, step, d) - loss_of(c, gradients, -step, d)) / (2 * STEP);
    ck_assert_msg(fabs(rise - norm) <= TOLERANCE * norm, "%s: the loss rises by %.9g, the norm is %.9g", what,
                  rise, norm);
}

START_TEST(rises_as_said) {
    const char *name = cases.names[_i];
    char folder[1024], what[256];
    if (!case_home(name)) SKIP("shared", "%s", name);
    snprintf(folder, sizeof folder, "%s", case_home(name));
    diag d;
    diag_init(&d);
    checked c = {.a = arena_new()};
    hub_options o = {.model = folder, .train.task = task_of(folder, c.a)};
    snprintf(what, sizeof what, "%s, %s", name, o.train.task);
    if (!hub_open(&o, c.a, &c.m, &d)) case_fail(&d);
    pass_context p = {.source = &c.m.source, .diag = &d, .verify = true};
    c.g = c.m.graph;
    if (!passes_run(c.g, "differentiate", &p)) case_fail(&d);
    safetensors *io = safetensors_open(case_path(name, "io.safetensors"), &d);
    if (!io) case_fail(&d);
    fill_inputs(&c, io);
    check_gradients(&c, what, &d);
    safetensors_close(io);
    hub_close(&c.m);
    diag_free(&d);
    arena_free(c.a);
}
END_TEST

int main(int argc, char **argv) {
    return case_main("gradients of models", argc, argv, &cases, rises_as_said, 1, NULL);
}
