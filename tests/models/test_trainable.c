// links: cli
// Every case of tests/models/cases (models/case_list.h) with its parameters as states, as training has them: the graph
// verifies, every tensor that the model reads lies in a state, and both the evaluator and the compiled model (JIT, this
// machine) give the outputs of Transformers. An argument, or BERTC_CASE, picks the cases whose name begins so.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "main.h"
#include "models/case_list.h"
#include "models/cases.h"
#include "models/reference.h"

#define TOLERANCE ((tolerance){5e-5, 5e-5, false, NULL})
static case_list cases;

static bool names_tensor(const recipe *r) {
    bool names = r->kind == RECIPE_TENSOR;
    for (int i = 0; i < r->part_count; i++) names |= names_tensor(r->parts[i]);
    return names;
}

// RoFormer's sines are read of the checkpoint, and never trained.
static bool is_fixed(const recipe *r) {
    while (r->part_count) r = r->parts[0];
    return r->kind == RECIPE_TENSOR && strstr(r->tensor, "embed_positions");
}

static void check_states(const graph *g, const char *name) {
    int states = 0;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        const attr *r = node_attr(n, ATTR_recipe);
        states += node_is_state(n);
        if (node_is_state(n)) ck_assert_msg(n->name != NULL, "%s: a state has no name", name);
        if (r && names_tensor(r->u.recipe) && !is_fixed(r->u.recipe))
            ck_assert_msg(node_is_state(n), "%s: %s is no state", name, n->name ? n->name : "a constant");
    }
    ck_assert_msg(states > 0, "%s: no state", name);
}

static hub_options options_for(const char *name, const char *folder) {
    return (hub_options){.model = folder,
                         .train.task = "states",
                         .outputs = reference_holds_all(case_path(name, "io.safetensors"))
                                        ? "hidden_states,attentions"
                                        : NULL};
}

static void check_evaluated(const char *name, const char *folder) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    hub_model m;
    hub_options o = options_for(name, folder);
    must_diag(hub_open(&o, a, &m, &d), &d, name);
    must_diag(graph_verify(m.graph, name, &d), &d, name);
    check_states(m.graph, name);
    safetensors *io = safetensors_open(case_path(name, "io.safetensors"), &d);
    must_diag(io != NULL, &d, name);
    case_check(&m, io, "out.", 0, 5e-5, a, &d);
    safetensors_close(io);
    hub_close(&m);
    diag_free(&d);
    arena_free(a);
}

static void check_compiled(const char *name, const char *folder) {
    diag d;
    diag_init(&d);
    opened m;
    reference r;
    build_options o = {.batch = 1, .optimise = 2, .mcpu = "native", .hub = options_for(name, folder)};
    must_diag(opened_open(&m, folder, &o, &d), &d, name);
    reference_open(&r, case_path(name, "io.safetensors"));
    reference_check(&r, m.model, 1, TOLERANCE, name);
    reference_close(&r);
    opened_close(&m);
    diag_free(&d);
}

START_TEST(trainable_case) {
    const char *name = cases.names[_i];
    if (!case_home(name)) SKIP("shared", "%s", name);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", case_home(name));
    check_evaluated(name, folder);
    check_compiled(name, folder);
}
END_TEST

int main(int argc, char **argv) {
    return case_main("trainable models", argc, argv, &cases, trainable_case, 1, NULL);
}
