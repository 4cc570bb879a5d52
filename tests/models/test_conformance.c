// links: cli
// Every case of tests/models/cases, and those of the shared folder that are too large to stand there: the
// checkpoint compiled (JIT and shared object, each ISA of this machine, 1 and 2 threads) against the outputs
// of Transformers in io.safetensors, with other masks (padding on the left, holes: masks.safetensors) and
// with inputs that may be given (positions.safetensors, ...). An argument, or BERTC_CASE, picks the cases
// whose name begins so.
// --table prints what README.md shows: the largest difference of each family and head.
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/reference.h"

#define TOLERANCE ((tolerance){5e-5, 5e-5, false, NULL})
#define CASES_MAX 256

static char *cases[CASES_MAX];
static int case_count;
static const char *const cpus[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// A file of a case, here or in the shared folder; valid until the next call.
static const char *case_path(const char *name, const char *file) {
    static char path[1024];
    snprintf(path, sizeof(path), BERTC_TESTS "/models/cases/%s/config.json", name);
    const char *root = access(path, R_OK) ? BERTC_SHARED "/conformance/models" : BERTC_TESTS "/models/cases";
    snprintf(path, sizeof(path), "%s/%s/%s", root, name, file);
    return path;
}

static void find_cases(const char *begin) {
    DIR *dir = opendir(BERTC_TESTS "/models/cases");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || case_count == CASES_MAX) continue;
        if (!begin || !strncmp(begin, e->d_name, strlen(begin))) cases[case_count++] = strdup(e->d_name);
    }
    if (dir) closedir(dir);
    static const char *const shared[] = {"convbert-model", "fnet-model", "mobilebert-model"};
    for (int i = 0; i < 3 && case_count < CASES_MAX; i++)
        if ((!begin || !strncmp(begin, shared[i], strlen(begin))) &&
            !access(case_path(shared[i], "config.json"), R_OK))
            cases[case_count++] = strdup(shared[i]);
    qsort(cases, (size_t)case_count, sizeof(*cases), by_name);
}

static const char *const files[] = {"io.safetensors",    "masks.safetensors", "positions.safetensors",
                                    "tasks.safetensors", "bbox.safetensors",  "global.safetensors"};

static void check_file(const char *name, const char *file, bertc_model *model, int threads, tolerance t,
                       const char *how) {
    char what[256];
    const char *path = case_path(name, file);
    if (access(path, R_OK)) return;
    reference r;
    reference_open(&r, path);
    snprintf(what, sizeof(what), "%s/%s, %s, %d threads", name, file, how, threads);
    reference_check(&r, model, threads, t, what);
    reference_close(&r);
}

static void check_model(const char *name, bertc_model *model, const char *how) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        for (int threads = 1; threads <= 2; threads++)
            check_file(name, files[i], model, threads, TOLERANCE, how);
    }
}

static void check_shared_object(const char *name, const artefact *a, const char *how) {
    char path[] = "/tmp/bertc-conformance-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    diag d;
    diag_init(&d);
    backend_times times = {0};
    must_diag(backend_write(a, &(emit_options){.kind = EMIT_SO, .output = path, .optimise = 2}, &times, &d),
              &d, name);
    bertc_error e;
    bertc_model *model = bertc_load(path, &e);
    ck_assert_msg(model != NULL, "%s: %s", name, e.message);
    check_model(name, model, how);
    bertc_unload(model);
    unlink(path);
    diag_free(&d);
}

static bool machine_runs(const char *cpu) {
    if (!strcmp(cpu, "x86-64-v4"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    if (!strcmp(cpu, "x86-64-v3")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return true;
}

// Does the reference hold hidden states and attentions too?
static bool holds_all(const char *name) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    reference r;
    reference_open(&r, case_path(name, "io.safetensors"));
    bool holds = safetensors_entry(r.file, "out.hidden_states.0", &dtype, &rank, &shape, &data, &bytes);
    reference_close(&r);
    return holds;
}

static void open_case(opened *m, const char *name, const char *cpu, diag *d) {
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s", case_path(name, ""));
    bool all = holds_all(name);
    build_options o = {
        .batch = 1, .optimise = 2, .mcpu = cpu, .hub.outputs = all ? "hidden_states,attentions" : NULL};
    must_diag(opened_open(m, folder, &o, d), d, name);
}

START_TEST(compiled_case) {
    const char *name = cases[_i % case_count], *cpu = cpus[_i / case_count];
    if (!machine_runs(cpu)) return;
    char how[64];
    diag d;
    diag_init(&d);
    opened m;
    open_case(&m, name, cpu, &d);
    snprintf(how, sizeof(how), "%s, JIT", cpu);
    check_model(name, m.model, how);
    snprintf(how, sizeof(how), "%s, shared object", cpu);
    check_shared_object(name, &m.build.artefact, how);
    opened_close(&m);
    diag_free(&d);
}
END_TEST

// --- The table

#define FAMILIES_MAX 64
static const char *const heads[] = {"model",
                                    "masked-lm",
                                    "sequence-classification",
                                    "token-classification",
                                    "question-answering",
                                    "next-sentence",
                                    "pretraining",
                                    "discriminator",
                                    "embedding"}; // the last stands below the table
enum { HEADS = sizeof heads / sizeof *heads, COLUMNS = HEADS - 1 };
typedef struct line {
    char family[32];
    double largest[HEADS]; // -1: no case
} line;

static line *line_of(line *lines, int *count, const char *family) {
    int i = 0;
    while (i < *count && strcmp(lines[i].family, family)) i++;
    if (i < *count) return &lines[i];
    ck_assert_int_lt(*count, FAMILIES_MAX);
    snprintf(lines[i].family, sizeof lines[i].family, "%s", family);
    for (int h = 0; h < HEADS; h++) lines[i].largest[h] = -1;
    return &lines[(*count)++];
}

// The largest difference of a case, on the first of the CPUs that this machine is.
static void add_case(line *lines, int *count, const char *name) {
    int cpu = 0;
    diag d;
    diag_init(&d);
    opened m;
    while (!machine_runs(cpus[cpu])) cpu++;
    open_case(&m, name, cpus[cpu], &d);
    line *l = line_of(lines, count, m.build.model.family);
    int h = 0;
    while (h < HEADS && strcmp(heads[h], m.build.model.head)) h++;
    ck_assert_int_lt(h, HEADS);
    double largest = l->largest[h] > 0 ? l->largest[h] : 0;
    tolerance t = {5e-5, 5e-5, false, &largest};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_file(name, files[i], m.model, 1, t, cpus[cpu]);
    l->largest[h] = largest;
    opened_close(&m);
    diag_free(&d);
}

START_TEST(table) {
    static line lines[FAMILIES_MAX];
    int count = 0;
    double embedding = 0;
    for (int i = 0; i < case_count; i++) add_case(lines, &count, cases[i]);
    printf("| family |");
    for (int h = 0; h < COLUMNS; h++) printf(" %s |", heads[h]);
    printf("\n| --- |");
    for (int h = 0; h < COLUMNS; h++) printf(" --- |");
    for (int i = 0; i < count; i++) {
        embedding = fmax(embedding, lines[i].largest[COLUMNS]);
        printf("\n| %s |", lines[i].family);
        for (int h = 0; h < COLUMNS; h++) {
            if (lines[i].largest[h] < 0)
                printf(" |");
            else
                printf(" %.1e |", lines[i].largest[h]);
        }
    }
    printf("\n%s: %.1e\n", heads[COLUMNS], embedding);
}
END_TEST

int main(int argc, char **argv) {
    bool as_table = argc > 1 && !strcmp(argv[1], "--table");
    find_cases(argc > 1 && !as_table ? argv[1] : getenv("BERTC_CASE"));
    if (!case_count) return 77;
    Suite *suite = suite_create("conformance");
    TCase *t = tcase_create("cases");
    tcase_set_timeout(t, as_table ? 600 : 120);
    if (as_table)
        tcase_add_test(t, table);
    else
        tcase_add_loop_test(t, compiled_case, 0, case_count * (int)(sizeof(cpus) / sizeof(cpus[0])));
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    for (int i = 0; i < case_count; i++) free(cases[i]);
    return failed != 0;
}
