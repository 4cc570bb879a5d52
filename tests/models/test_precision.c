// links: cli
// Every case of tests/models/cases (models/case_list.h) in bf16, int8 and int8w: each kernel of the compiled code against the
// evaluator, on what the compiled code gave it, and the outputs against those of Transformers, within a bound of
// the precision. Each (case, precision) runs on one level of this machine, which a hash of the two and of the commit
// picks, so that in time all get their turn; with BERTC_LEVELS=all on every level that has code of its own. By turns, too, a
// third is compiled as users get it and the others as -O 0 does, in a fifth of the time: what is held here is the lowering and
// what the emitters write. An argument, or BERTC_CASE, picks the cases whose name begins so.
// --table prints the largest difference of each precision, in terms of its bound.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/verify.h"
#include "main.h"
#include "models/attention_held.h"
#include "models/case_list.h"
#include "models/levels.h"
#include "models/reference.h"

static case_list cases;

// The lowered precisions, and how far outputs may be from those of float32: as such, or as a share of the largest value. (The
// models are small and random; what precisions cost trained ones, test_quality_dtypes.c says.)
//
// T5 is held otherwise. Its scores have no scale, and with random weights they spread by 4 to 8 (deviation), so that a query and
// a key that are off by a hundredth move softmax's weights by a tenth. Row by row, t5-silu in int8 of class avx2: outputs are off
// by 13 %; by 3.9 % with softmax's weights those of float32; by 12.5 % where the first layer's queries and keys alone are rounded, and
// by 4 % or less for each other product or table alone. So T5's outputs are held in the mean (`mean`, the root of the mean square),
// and where attention's results are those of float32 each layer's is held in the mean (`context`), and the outputs by the cosine that trained models are held by.
static const struct {
    precision p;
    double bound, mean, context, cosine;
} lowered[] = {{PRECISION_BF16, 0.06, 0.05, 0.025, 0.9995},
               {PRECISION_INT8, 0.2, 0.15, 0.1, 0.995},
               {PRECISION_INT8W, 0.16, 0.1, 0.05, 0.995}};
enum { LOWERED = sizeof lowered / sizeof *lowered };

static bool has_unscaled_scores(const char *name) {
    return strstr(name, "t5") != NULL;
}

static tolerance tolerance_of(const char *name, int which) {
    double bound = lowered[which].bound;
    return (tolerance){bound, bound, false, NULL, has_unscaled_scores(name) ? lowered[which].mean : 0};
}

// Each kernel is within a step of its results' type of the evaluator.
static void check_kernels(opened *m, const build_options *o, const char *what) {
    check c;
    inputs x;
    tensor *results;
    diag d;
    diag_init(&d);
    must_diag(verify_run(m, o, true, &c, &x, &results, &d), &d, what);
    int seen = 0;
    for (value v = 0; v < c.graph->count; v++) {
        const kernel_check *r = &c.rows[v];
        seen += r->seen;
        ck_assert_msg(!r->seen || !verify_row_fails(r, VERIFY_TOLERANCE), "%s: %%%d (%s) is off by %g of %g",
                      what, v, r->name ? r->name : "no name", r->error, r->largest);
    }
    ck_assert_msg(seen > 0, "%s: no kernel ran", what);
    diag_free(&d);
}

static void check_apart(const char *name, int which, const char *level) {
    char folder[1024], what[256];
    snprintf(folder, sizeof folder, "%s", case_home(name));
    snprintf(what, sizeof what, "%s, %s, %s", name, precision_name(lowered[which].p), level);
    build_options o = {
        .batch = 1, .mcpu = level, .dtype = precision_name(lowered[which].p), .hub.model = folder};
    held_apart x = attention_held(&o, what);
    ck_assert_msg(x.layers > 0, "%s: no attention has a name", what);
    ck_assert_msg(x.context <= lowered[which].context, "%s: attention differs by %.3g in the mean", what,
                  x.context);
    ck_assert_msg(x.cosine >= lowered[which].cosine && x.cosine < 1, "%s: the cosine to float32 is %.6f",
                  what, x.cosine);
}

// The longest text of the case's files: one variant does.
static int64_t longest(const char *name) {
    int64_t most = 1;
    for (int i = 0; i < CASE_FILES; i++) {
        const char *path = case_path(name, case_files[i]);
        reference r;
        if (!path) continue;
        reference_open(&r, path);
        if (r.length > most) most = r.length;
        reference_close(&r);
    }
    return most;
}

// LLVM's level. BERTC_LEVELS=all is for the full run.
static int optimisation(const char *name, precision p) {
    char what[32];
    snprintf(what, sizeof what, "-O of %s", precision_name(p));
    return all_levels() || turn_of(name, what, 3) == 0 ? 2 : 0;
}

// Returns the largest difference from Transformers.
static double check_level(const char *name, precision p, tolerance to, const char *level, bool kernels) {
    char folder[1024], what[256];
    double largest = 0;
    to.largest = &largest;
    diag d;
    diag_init(&d);
    opened m;
    snprintf(folder, sizeof folder, "%s", case_home(name));
    snprintf(what, sizeof what, "%s, %s, %s", name, precision_name(p), level);
    build_options o = {
        .batch = 1, .optimise = optimisation(name, p), .mcpu = level, .dtype = precision_name(p)};
    o.lengths = (int_list){1, {longest(name)}};
    must_diag(opened_open(&m, folder, &o, &d), &d, what);
    if (kernels) check_kernels(&m, &o, what);
    for (int i = 0; i < CASE_FILES; i++) {
        const char *path = case_path(name, case_files[i]);
        reference r;
        if (!path) continue;
        reference_open(&r, path);
        reference_check(&r, m.model, 1, to, what);
        reference_close(&r);
    }
    opened_close(&m);
    diag_free(&d);
    return largest;
}

START_TEST(lowered_case) {
    const char *name = cases.names[_i / LOWERED], *chosen[LEVELS];
    precision p = lowered[_i % LOWERED].p;
    if (!case_home(name)) SKIP("shared", "%s, %s", name, precision_name(p));
    int n = choose_levels(name, p, chosen);
    if (!n) SKIP("avx2", "%s, %s", name, precision_name(p));
    for (int i = 0; i < n; i++) {
        check_level(name, p, tolerance_of(name, _i % LOWERED), chosen[i], true);
        if (has_unscaled_scores(name)) check_apart(name, _i % LOWERED, chosen[i]);
    }
}
END_TEST

START_TEST(table) {
    for (int k = 0; k < LOWERED; k++) {
        const char *worst = "none", *chosen[LEVELS];
        double most = 0;
        for (int i = 0; i < cases.count; i++) {
            int n = case_home(cases.names[i]) ? choose_levels(cases.names[i], lowered[k].p, chosen) : 0;
            for (int j = 0; j < n; j++) {
                double x = check_level(cases.names[i], lowered[k].p, (tolerance){10, 10, false, NULL, 0},
                                       chosen[j], false);
                printf("%s %s %s %.3g\n", precision_name(lowered[k].p), cases.names[i], chosen[j], x);
                if (x > most) most = x, worst = cases.names[i];
            }
        }
        printf("%s: %.1e of %s, the bound is %.1e\n", precision_name(lowered[k].p), most, worst,
               lowered[k].bound);
    }
}
END_TEST

int main(int argc, char **argv) {
    return case_main("precision", argc, argv, &cases, lowered_case, LOWERED, table);
}
