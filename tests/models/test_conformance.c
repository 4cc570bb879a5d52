// links: cli
// Every case of tests/models/cases (models/case_list.h): the checkpoint compiled (for each ISA of this machine, 1 and 2 threads)
// against the outputs of Transformers in io.safetensors, with other masks (padding on the left, holes: masks.safetensors) and
// with inputs that may be given (positions.safetensors, ...). Of a case's ISAs one goes through a shared object, by turns, as
// users get it, and the others through the JIT as -O 0 does, in a fifth of the time: what is held here is what the emitters
// write. With BERTC_LEVELS=all each goes through both, as users get it. An argument, or BERTC_CASE, picks the cases whose name
// begins so.
// --table prints what docs/models.md shows: the largest difference of each family and head.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "main.h"
#include "models/case_list.h"
#include "models/levels.h"
#include "models/reference.h"

#define TOLERANCE ((tolerance){5e-5, 5e-5, false, NULL})
static case_list cases;

static void check_file(const char *name, const char *file, bertc_model *model, int threads, tolerance t,
                       const char *how) {
    char what[256];
    const char *path = case_path(name, file);
    if (!path) return;
    reference r;
    reference_open(&r, path);
    snprintf(what, sizeof(what), "%s/%s, %s, %d threads", name, file, how, threads);
    reference_check(&r, model, threads, t, what);
    reference_close(&r);
}

static void check_model(const char *name, bertc_model *model, const char *how) {
    for (int i = 0; i < CASE_FILES; i++) {
        for (int threads = 1; threads <= 2; threads++)
            check_file(name, case_files[i], model, threads, TOLERANCE, how);
    }
}

static void check_written(const char *name, const artefact *a, const char *how) {
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

static build_options options_of(const char *name, const char *cpu, int optimise) {
    return (build_options){.batch = 1,
                           .optimise = optimise,
                           .mcpu = cpu,
                           .hub.outputs = reference_holds_all(case_path(name, "io.safetensors"))
                                              ? "hidden_states,attentions"
                                              : NULL};
}

static void open_case(opened *m, const char *name, const char *cpu, int optimise, diag *d) {
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s", case_home(name));
    build_options o = options_of(name, cpu, optimise);
    must_diag(opened_open(m, folder, &o, d), d, name);
}

static void check_jit(const char *name, const char *cpu, int optimise) {
    char how[64];
    diag d;
    diag_init(&d);
    opened m;
    open_case(&m, name, cpu, optimise, &d);
    snprintf(how, sizeof(how), "%s, JIT, -O %d", cpu, optimise);
    check_model(name, m.model, how);
    opened_close(&m);
    diag_free(&d);
}

static void check_shared_object(const char *name, const char *cpu) {
    char how[64], folder[1024];
    diag d;
    diag_init(&d);
    build b;
    build_options o = options_of(name, cpu, 2);
    snprintf(folder, sizeof(folder), "%s", case_home(name));
    o.hub.model = folder;
    must_diag(build_open(&b, &o, &d), &d, name);
    snprintf(how, sizeof(how), "%s, shared object", cpu);
    check_written(name, &b.artefact, how);
    build_close(&b);
    diag_free(&d);
}

static bool has_linker(void) {
    return !system("command -v ld.lld >/dev/null || command -v ld >/dev/null || command -v cc >/dev/null");
}

START_TEST(compiled_case) {
    const char *name = cases.names[_i % cases.count];
    int form = _i / cases.count;
    const char *cpu = host_cpus[form];
    if (!case_home(name)) SKIP("shared", "%s, %s", name, cpu);
    if (!host_runs(cpu)) SKIP(host_isa(cpu), "%s, %s", name, cpu);
    bool turn = turn_of(name, "shared object", HOST_CPUS) == form, linker = has_linker();
    if (!linker && (turn || all_levels())) skip_part("linker", "%s, %s", name, cpu);
    if (linker && (turn || all_levels())) check_shared_object(name, cpu);
    if (!linker || !turn || all_levels()) check_jit(name, cpu, turn || all_levels() ? 2 : 0);
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
    const char *cpu = host_cpus[0];
    for (int i = 1; !host_runs(cpu); i++) cpu = host_cpus[i];
    diag d;
    diag_init(&d);
    opened m;
    open_case(&m, name, cpu, 2, &d);
    line *l = line_of(lines, count, m.build.model.family);
    int h = 0;
    while (h < HEADS && strcmp(heads[h], m.build.model.head)) h++;
    ck_assert_int_lt(h, HEADS);
    double largest = l->largest[h] > 0 ? l->largest[h] : 0;
    tolerance t = {5e-5, 5e-5, false, &largest};
    for (int i = 0; i < CASE_FILES; i++) check_file(name, case_files[i], m.model, 1, t, cpu);
    l->largest[h] = largest;
    opened_close(&m);
    diag_free(&d);
}

START_TEST(table) {
    static line lines[FAMILIES_MAX];
    int count = 0;
    double embedding = 0;
    for (int i = 0; i < cases.count; i++) {
        if (case_home(cases.names[i]))
            add_case(lines, &count, cases.names[i]);
        else
            skip_part("shared", "%s", cases.names[i]);
    }
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
    return case_main("conformance", argc, argv, &cases, compiled_case, HOST_CPUS, table);
}
