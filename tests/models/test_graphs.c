// links: cli
// The graphs of every case, evaluated by the reference evaluator, against what Transformers gives: with the
// case's inputs, with other masks (padding on the left, holes: masks.safetensors), and with inputs that may
// be given (positions.safetensors, tasks.safetensors, ...). The
// references of bert-relative-key and bert-relative-key-query are made by hand, in double, from the published
// formula: Transformers 5 has dropped them. An argument, or BERTC_CASE, picks the cases whose name begins so.
#include "cases.h"
#include "main.h"
#include "models/case_list.h"

static case_list cases;

static bool holds(const safetensors *io, const char *name) {
    for (int i = 0; i < safetensors_count(io); i++) {
        if (!strcmp(safetensors_name(io, i), name)) return true;
    }
    return false;
}

// Outputs beyond those that the head gives, where the reference has them.
static const char *more_outputs(const safetensors *io) {
    return holds(io, "out.hidden_states.0") ? "hidden_states,attentions" : NULL;
}

static void check(const char *folder, const char *path, arena *a) {
    diag d;
    diag_init(&d);
    safetensors *io = safetensors_open(path, &d);
    if (!io) case_fail(&d);
    hub_model m;
    hub_options options = {.model = folder, .outputs = more_outputs(io)};
    if (!hub_open(&options, a, &m, &d)) case_fail(&d);
    if (diag_failed(&d)) case_fail(&d);
    if (!graph_verify(m.graph, "hub", &d)) case_fail(&d);
    case_check(&m, io, "out.", 0, 5e-5, a, &d);
    safetensors_close(io);
    hub_close(&m);
    diag_free(&d);
}

START_TEST(outputs_agree) {
    const char *name = cases.names[_i], *folder = case_home(name);
    if (!folder) SKIP("shared", "%s", name);
    arena *a = arena_new();
    folder = arena_strdup(a, folder);
    for (int i = 0; i < CASE_FILES; i++) {
        const char *path = case_path(name, case_files[i]);
        if (path) check(folder, arena_strdup(a, path), a);
    }
    arena_free(a);
}
END_TEST

int main(int argc, char **argv) {
    cases = case_list_find(argc > 1 ? argv[1] : getenv("BERTC_CASE"));
    Suite *suite = suite_create("graphs");
    TCase *c = tcase_create("cases");
    tcase_add_loop_test(c, outputs_agree, 0, cases.count);
    suite_add_tcase(suite, c);
    int status = suite_status(suite);
    if (!cases.count) status = 1;
    case_list_free(&cases);
    return status;
}
