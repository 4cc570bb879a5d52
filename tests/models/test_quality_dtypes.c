// links: cli
// What bf16, int8 and int8w cost in accuracy: the trained checkpoints on their dev sets, in each precision and for each
// arithmetic class that this machine runs, against float32 of the same run.
//
// As a test a sample, with as many more answers allowed to differ as one answer weighs there. With --all the whole sets
// (hours on two cores), the bounds as they are, a table, and with --svg FILE a picture:
//
//   models_test_quality_dtypes --all [--dtypes int8,bf16] [--levels avx2,native] [--tasks squad,retrieval]
//                              [--step N] [--svg FILE] [--calibrate TEXTS: int8 with static scales too]
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "main.h"
#include "quality_report.h"
#include "quality_tasks.h"

typedef struct task {
    const char *name, *model, *data;
    int64_t length;
    int step; // of the sample
    double (*value)(quality *q, int step, int *asked);
    quality_measure measure;
} task;

static double sst2(quality *q, int step, int *asked) {
    quality_counts c = quality_sst2(q, step);
    *asked = c.asked;
    return 100.0 * c.right / c.asked;
}

static double entities(quality *q, int step, int *asked) {
    quality_counts c = quality_entities(q, step);
    *asked = c.right + c.missed;
    return 200.0 * c.right / (2 * c.right + c.wrong + c.missed);
}

static double squad(quality *q, int step, int *asked) {
    quality_counts c = quality_squad(q, step);
    *asked = c.asked;
    return 100 * c.f1;
}

static double similarity(quality *q, int step, int *asked) {
    quality_counts c = quality_similarity(q, step);
    *asked = c.asked;
    return c.correlation;
}

static const task tasks[] = {
    {"sst2", "mini-sst2", "sst2", QUALITY_LENGTH, 6, sst2, MEASURE_SST2},
    {"ner", "small-ner", "ner", QUALITY_LENGTH, 40, entities, MEASURE_ENTITIES},
    {"squad", "small-qa", "squad", QUALITY_WINDOW, 400, squad, MEASURE_SQUAD},
    {"sts", "small-sts", "sts", QUALITY_LENGTH, 20, similarity, MEASURE_SIMILARITY},
    {"retrieval", "small-sts", "squad", QUALITY_LENGTH, 30, NULL, MEASURE_RETRIEVAL},
};
enum { TASKS = sizeof tasks / sizeof *tasks };

static struct {
    bool all;
    const char *dtypes, *levels, *tasks, *svg, *calibrate;
    int step; // 0: 1 with --all, else the task's own
} asked_for;

static int step_of(const task *t) {
    return asked_for.step ? asked_for.step : asked_for.all ? 1 : t->step;
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// --- One task in one form

// What a form of float32 leaves for the others.
static quality_embeddings reference_embeddings;

static void measure_retrieval(quality *q, const task *t, quality_form *f, bool reference) {
    double start = cpu_seconds();
    quality_embeddings e = quality_embed(q, step_of(t));
    f->per_second[MEASURE_RETRIEVAL] = (e.contexts + e.questions) / (cpu_seconds() - start);
    if (reference) reference_embeddings = e;
    f->value[MEASURE_RETRIEVAL] = 100 * quality_ndcg(&e);
    f->value[MEASURE_NEIGHBOURS] = 100 * quality_same_neighbours(&e, &reference_embeddings);
    f->value[MEASURE_COSINE] = quality_worst_cosine(&e, &reference_embeddings);
    f->has[MEASURE_RETRIEVAL] = f->has[MEASURE_NEIGHBOURS] = f->has[MEASURE_COSINE] = true;
    if (!reference) quality_embeddings_free(&e);
}

// Returns how many answers were counted.
static int measure(const task *t, quality_form *f, bool reference) {
    quality q;
    int asked = 0;
    const quality_way way = {f->dtype, f->level, f->calibrate};
    quality_open_as(&q, t->model, t->data, t->length, &way);
    if (!t->value) {
        measure_retrieval(&q, t, f, reference);
        asked = reference_embeddings.questions;
    } else {
        double start = cpu_seconds();
        f->value[t->measure] = t->value(&q, step_of(t), &asked);
        f->per_second[t->measure] = asked / (cpu_seconds() - start);
        f->has[t->measure] = true;
    }
    quality_close(&q);
    return asked;
}

// In a sample one answer weighs more than the bound: two of them may differ. Correlation and cosine are of all
// numbers, and a sample's correlation spreads as its root.
static double slack(const task *t, quality_measure m, int asked) {
    if (step_of(t) == 1 || m == MEASURE_COSINE || m == MEASURE_NEIGHBOURS) return 0;
    if (m == MEASURE_SIMILARITY) return 0.003 * (sqrt(1500.0 / asked) - 1);
    return 200.0 / asked;
}

static bool hold(const task *t, const quality_form *f, const quality_form *reference, int asked) {
    bool ok = true;
    for (int m = 0; m < MEASURE_COUNT; m++) {
        bool own = (quality_measure)m == t->measure ||
                   (!t->value && (m == MEASURE_NEIGHBOURS || m == MEASURE_COSINE));
        if (!own) continue;
        double bound = quality_bound((quality_measure)m, f->dtype, reference->value[m]) +
                       slack(t, (quality_measure)m, asked);
        double distance = quality_distance((quality_measure)m, f->value[m], reference->value[m]);
        bool good = distance <= bound;
        if (m == MEASURE_COSINE) good = good && distance > 0; // else it was float32 that ran
        printf("%s, %s%s, %s: %.5g, float32 %.5g, off by %.2g of %.2g allowed%s\n",
               quality_measure_name((quality_measure)m), f->dtype, f->calibrate ? " static" : "", f->level,
               f->value[m], reference->value[m], distance, bound, good ? "" : ": TOO FAR");
        fflush(stdout);
        ok = ok && good;
    }
    return ok;
}

// --- Forms: float32, then each precision on the levels whose arithmetic differs

#define FORMS_MAX 16

static const char *const level_names[] = {"amx", "avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2"};
enum { LEVELS = sizeof level_names / sizeof *level_names };

static void add_form(quality_form *forms, int *n, const char *dtype, const char *name) {
    const quality_form own = {.dtype = dtype, .level = name};
    if (*n < FORMS_MAX) forms[(*n)++] = own;
    if (!asked_for.calibrate || strcmp(dtype, "int8") || *n == FORMS_MAX) return;
    forms[*n] = own;
    forms[(*n)++].calibrate = asked_for.calibrate;
}

// The level whose code the target has: a lower one where it has none of its own.
static const char *code_level(const target *t) {
    int i = 0;
    while (i < LEVELS - 1 && strcmp(level_names[i], t->isa)) i++;
    return level_names[i];
}

// Of the levels that were asked for, those that this machine runs; else the best one of each class.
static void add_forms(quality_form *forms, int *n, const char *dtype, precision p) {
    target targets[LEVELS];
    int count = 0;
    diag d;
    diag_init(&d);
    for (int i = 0; i < LEVELS; i++) {
        target *t = &targets[count];
        bool seen = false;
        if (asked_for.levels && !skip_listed(asked_for.levels, level_names[i])) continue;
        if (!target_init(t, NULL, level_names[i], p, &d) || !runs_here(t)) continue;
        for (int k = 0; k < count; k++) seen |= !strcmp(targets[k].class, t->class);
        if (seen && !asked_for.levels) continue;
        add_form(forms, n, dtype, code_level(t));
        count++;
    }
    diag_free(&d);
}

static int choose_forms(quality_form *forms) {
    static const char *const dtypes[] = {"bf16", "int8", "int8w"};
    int n = 0;
    add_form(forms, &n, "f32", "native");
    for (int i = 0; i < 3; i++) {
        precision p = PRECISION_F32;
        precision_find(dtypes[i], &p);
        if (!asked_for.dtypes || skip_listed(asked_for.dtypes, dtypes[i])) add_forms(forms, &n, dtypes[i], p);
    }
    return n;
}

static bool run_task(const task *t, quality_form *forms, int n) {
    bool ok = true;
    measure(t, &forms[0], true);
    for (int i = 1; i < n; i++) {
        int asked = measure(t, &forms[i], false);
        ok = hold(t, &forms[i], &forms[0], asked) && ok;
    }
    if (!t->value) quality_embeddings_free(&reference_embeddings);
    return ok;
}

START_TEST(sample) {
    const task *t = &tasks[_i];
    quality_form forms[FORMS_MAX];
    QUALITY_NEEDS(t->model, t->data);
    ck_assert(run_task(t, forms, choose_forms(forms)));
}
END_TEST

// --- Whole sets: a test for each task and form, all in this process, for forms are held against each other. (libcheck can't
// hold the time of one test of an hour.)

static quality_form all_forms[FORMS_MAX];
static int all_count;

START_TEST(whole_set) {
    const task *t = &tasks[_i / all_count];
    quality_form *f = &all_forms[_i % all_count];
    const char *lacks = quality_lacks(t->model, t->data);
    if (asked_for.tasks && !skip_listed(asked_for.tasks, t->name)) return;
    if (lacks) {
        if (f == all_forms) printf("skipped, no %s: %s\n", lacks, t->name);
        return;
    }
    int asked = measure(t, f, f == all_forms);
    bool ok = f == all_forms || hold(t, f, all_forms, asked);
    if (!t->value && f == &all_forms[all_count - 1]) quality_embeddings_free(&reference_embeddings);
    ck_assert(ok);
}
END_TEST

static bool print_whole(void) {
    quality_print(stdout, all_forms, all_count);
    FILE *svg = asked_for.svg ? fopen(asked_for.svg, "w") : NULL;
    if (svg) quality_draw(svg, all_forms, all_count);
    bool written = !asked_for.svg || (svg && !ferror(svg));
    if (svg && fclose(svg)) written = false;
    if (!written) fprintf(stderr, "%s can't be written\n", asked_for.svg);
    return written;
}

static bool read_arguments(int argc, char **argv) {
    const struct {
        const char *name, **value;
    } texts[] = {{"--dtypes", &asked_for.dtypes},
                 {"--levels", &asked_for.levels},
                 {"--tasks", &asked_for.tasks},
                 {"--svg", &asked_for.svg},
                 {"--calibrate", &asked_for.calibrate}};
    for (int i = 1; i < argc; i++) {
        bool known = !strcmp(argv[i], "--all");
        asked_for.all |= known;
        if (!strcmp(argv[i], "--step") && i + 1 < argc) {
            asked_for.step = atoi(argv[++i]);
            known = asked_for.step > 0;
        }
        for (size_t k = 0; !known && i + 1 < argc && k < sizeof texts / sizeof *texts; k++) {
            if (strcmp(argv[i], texts[k].name)) continue;
            *texts[k].value = argv[++i];
            known = true;
        }
        if (known) continue;
        fprintf(stderr, "%s: not an option, or it lacks its value\n", argv[i]);
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    if (!read_arguments(argc, argv)) return 2;
    Suite *suite = suite_create("quality");
    TCase *t = tcase_create("precisions");
    tcase_set_timeout(t, asked_for.all ? 8 * 3600 : 900);
    if (asked_for.all) {
        setenv("CK_FORK", "no", 1);
        all_count = choose_forms(all_forms);
        tcase_add_loop_test(t, whole_set, 0, TASKS * all_count);
    } else {
        tcase_add_loop_test(t, sample, 0, TASKS);
    }
    suite_add_tcase(suite, t);
    int status = suite_status(suite);
    return asked_for.all && !print_whole() ? 1 : status;
}
