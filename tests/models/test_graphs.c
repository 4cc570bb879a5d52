// links: cli
// The graphs of every case, evaluated by the reference evaluator, against what Transformers gives: with the
// case's inputs, with other masks (padding on the left, holes: masks.safetensors), and with inputs that may
// be given (positions.safetensors, tasks.safetensors, ...). The
// references of bert-relative-key and bert-relative-key-query are made by hand, in double, from the published
// formula: Transformers 5 has dropped them. An argument, or BERTC_CASE, picks the cases whose name begins so.
#include <dirent.h>

#include "cases.h"

#define CASES_MAX 256

static char *names[CASES_MAX];
static int name_count;
static const char *const files[] = {"io.safetensors",    "masks.safetensors", "positions.safetensors",
                                    "tasks.safetensors", "bbox.safetensors",  "global.safetensors"};

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_cases(const char *begin) {
    DIR *dir = opendir(BERTC_TESTS "/models/cases");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || name_count == CASES_MAX) continue;
        if (!begin || !strncmp(begin, e->d_name, strlen(begin))) names[name_count++] = strdup(e->d_name);
    }
    if (dir) closedir(dir);
    static const char *const shared[] = {"bert-head64", "convbert-model", "fnet-model", "mobilebert-model"};
    for (int i = 0; i < 4 && name_count < CASES_MAX; i++) // too large to stand here
        if (!begin || !strncmp(begin, shared[i], strlen(begin))) names[name_count++] = strdup(shared[i]);
    qsort(names, (size_t)name_count, sizeof(*names), by_name);
}

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

static void check(const char *folder, const char *file, arena *a) {
    diag d;
    diag_init(&d);
    struct stat s;
    const char *path = arena_printf(a, "%s/%s", folder, file);
    if (stat(path, &s)) return;
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
    arena *a = arena_new();
    const char *folder = case_folder(a, names[_i]);
    for (size_t i = 0; folder && i < sizeof(files) / sizeof(files[0]); i++) check(folder, files[i], a);
    arena_free(a);
}
END_TEST

int main(int argc, char **argv) {
    find_cases(argc > 1 ? argv[1] : getenv("BERTC_CASE"));
    Suite *suite = suite_create("graphs");
    TCase *c = tcase_create("cases");
    tcase_add_loop_test(c, outputs_agree, 0, name_count);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    for (int i = 0; i < name_count; i++) free(names[i]);
    return failed || !name_count;
}
