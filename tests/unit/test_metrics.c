// links: cli ir
// Metrics against figures of scikit-learn 1.2 (labels, numbers, ranks), and cases worked out by hand from the definitions of
// seqeval, SQuAD's scripts and Fairlearn.
#include <check.h>
#include <math.h>
#include <string.h>

#include "frontend/cli/metrics/metrics.h"
#include "main.h"

static arena *memory;

static void setup(void) {
    memory = arena_new();
}

static void teardown(void) {
    arena_free(memory);
}

static void is(const metric_list *l, const char *name, double want) {
    double got = metric_find(l, name);
    if (isnan(want))
        ck_assert_msg(isnan(got), "%s: %.9g, not undefined", name, got);
    else
        ck_assert_msg(fabs(got - want) < 1e-9, "%s: %.9g, not %.9g", name, got, want);
}

// --- Labels

static metric_list labels_of(int labels, int n, const int *gold, const int *found, double probability) {
    label_metrics m;
    metric_list l = {0};
    label_metrics_open(&m, labels, memory);
    for (int i = 0; i < n; i++) label_metrics_add(&m, gold[i], found[i], probability);
    label_metrics_list(&m, &l);
    return l;
}

START_TEST(labels) {
    // sklearn: gold 0 0 1 1 2 2 2 2, found 0 1 1 1 2 0 2 3
    metric_list l = labels_of(5, 8, (int[]){0, 0, 1, 1, 2, 2, 2, 2}, (int[]){0, 1, 1, 1, 2, 0, 2, 3}, NAN);
    is(&l, "accuracy", 0.625);
    is(&l, "f1_micro", 0.625);
    is(&l, "precision_macro", 0.5416666666666666);
    is(&l, "recall_macro", 0.5);
    is(&l, "f1_macro", 0.49166666666666664);
    is(&l, "precision_weighted", 0.7916666666666666);
    is(&l, "recall_weighted", 0.625);
    is(&l, "f1_weighted", 0.6583333333333333);
    is(&l, "matthews", 0.5128776445321725);
    is(&l, "calibration_error", NAN);
    is(&l, "f1", NAN); // of two labels alone
    l = labels_of(2, 5, (int[]){0, 0, 1, 1, 1}, (int[]){0, 1, 1, 1, 0}, 0.75);
    is(&l, "accuracy", 0.6);
    is(&l, "precision", 2.0 / 3);
    is(&l, "recall", 2.0 / 3);
    is(&l, "f1", 2.0 / 3);
    is(&l, "matthews", 1.0 / 6);
    is(&l, "calibration_error", 0.15);
}
END_TEST

START_TEST(labels_at_the_edge) {
    metric_list l = labels_of(2, 3, (int[]){1, 1, 1}, (int[]){1, 1, 1}, 1);
    is(&l, "accuracy", 1);
    is(&l, "f1_macro", 1); // label 0 occurs nowhere
    is(&l, "matthews", 0);
    is(&l, "calibration_error", 0);
    l = labels_of(2, 2, (int[]){0, 0}, (int[]){0, 1}, 0.5);
    is(&l, "recall", 0); // no gold 1
    is(&l, "matthews", 0);
    l = labels_of(3, 0, NULL, NULL, 0);
    is(&l, "accuracy", NAN);
    is(&l, "f1_macro", 0);
    label_metrics m;
    label_metrics_open(&m, 3, memory);
    label_metrics_add_logits(&m, 1, (float[]){0, 0, -1}); // the first of the largest
    label_metrics_add_logits(&m, 2, (float[]){-1000, 0, 1000});
    ck_assert_int_eq(m.right, 1);
    ck_assert_int_eq(m.matrix[3 * 1 + 0], 1);
    ck_assert_int_eq(m.matrix[3 * 2 + 2], 1);
    ck_assert_double_eq_tol(calibration_error(&m.calibration), 1 / (2 + exp(-1)) / 2, 1e-12);
}
END_TEST

START_TEST(calibration) {
    calibration_bins c = {0};
    calibration_add(&c, 1.0, true); // each bin holds its upper end
    calibration_add(&c, 14.0 / 15, false);
    calibration_add(&c, 0, false);
    calibration_add(&c, NAN, true);
    ck_assert_int_eq(c.count[14], 1);
    ck_assert_int_eq(c.count[13], 1);
    ck_assert_int_eq(c.count[0], 1);
    ck_assert_double_eq_tol(calibration_error(&c), 14.0 / 15 / 3, 1e-12);
}
END_TEST

START_TEST(several_labels) {
    multi_label_metrics m;
    metric_list l = {0};
    multi_label_open(&m, 3, memory);
    multi_label_add(&m, (float[]){1, 0, 0}, (float[]){0.9F, 0.1F, 0.5F}, 0.5); // 0.5 is not above
    multi_label_add(&m, (float[]){1, 1, 0}, (float[]){0.2F, 0.8F, 0.7F}, 0.5);
    multi_label_add(&m, (float[]){0, 0, 0}, (float[]){0.2F, 0.3F, 0.4F}, 0.5);
    multi_label_list(&m, &l);
    is(&l, "f1_micro", 2.0 / 3);
    is(&l, "precision_micro", 2.0 / 3);
    is(&l, "recall_micro", 2.0 / 3);
    is(&l, "f1_macro", 5.0 / 9);
    is(&l, "f1_weighted", 7.0 / 9);
    is(&l, "subset_accuracy", 2.0 / 3);
    is(&l, "hamming_loss", 2.0 / 9);
}
END_TEST

// --- Numbers

static metric_list columns_of(int64_t columns, int n, const double *gold, const double *found) {
    number_metrics m;
    metric_list l = {0};
    number_metrics_open(&m, memory);
    m.columns = columns;
    for (int i = 0; i < n; i++) number_metrics_add(&m, gold[i], found[i]);
    number_metrics_list(&m, true, &l);
    return l;
}

static metric_list numbers_of(int n, const double *gold, const double *found) {
    return columns_of(0, n, gold, found);
}

START_TEST(numbers) {
    metric_list l = numbers_of(5, (double[]){1, 2, 2, 4, 5}, (double[]){1, 3, 2, 2, 6});
    is(&l, "mse", 1.2);
    is(&l, "mae", 0.8);
    is(&l, "r2", 0.44444444444444453);
    is(&l, "pearson", 0.7751456965312075);
    is(&l, "spearman", 0.763157894736842);
    // Two numbers of each example
    l = columns_of(2, 8, (double[]){0.5, 1, -1, 0, 0, 2, 2, -1},
                   (double[]){0.4, 0.5, -1.2, 0.1, 0.3, 1.5, 1, 0.2});
    is(&l, "mse", 0.38625);
    is(&l, "rmse", 0.6160329573950063);
    is(&l, "mae", 0.4875);
    is(&l, "r2", 0.6834);
    is(&l, "pearson", 0.8916127400897202);
    is(&l, "spearman", 0.9);
    l = numbers_of(3, (double[]){2, 2, 2}, (double[]){1, 2, 3});
    is(&l, "spearman", NAN);
    is(&l, "pearson", NAN);
    is(&l, "r2", 0);
    l = numbers_of(3, (double[]){1, 2, 3}, (double[]){1, NAN, 3});
    is(&l, "spearman", NAN);
    l = numbers_of(1, (double[]){1}, (double[]){1});
    is(&l, "pearson", NAN);
    is(&l, "r2", NAN);
    is(&l, "mse", 0);
    l = numbers_of(0, NULL, NULL);
    is(&l, "mse", NAN);
}
END_TEST

// --- Spans

#define TAGS(...) ((const char *const[]){__VA_ARGS__})

static span_metrics spans_of(bool strict, int n, const char *const *gold, const char *const *found) {
    span_metrics m;
    span_metrics_open(&m, strict, memory);
    span_metrics_add(&m, gold, found, n);
    return m;
}

static void counts_are(const span_metrics *m, int64_t right, int64_t wrong, int64_t missed) {
    int64_t sum[3] = {0, 0, 0};
    for (int i = 0; i < m->type_count; i++) {
        sum[0] += m->types[i].right;
        sum[1] += m->types[i].wrong;
        sum[2] += m->types[i].missed;
    }
    ck_assert_msg(sum[0] == right && sum[1] == wrong && sum[2] == missed, "right %d wrong %d missed %d",
                  (int)sum[0], (int)sum[1], (int)sum[2]);
}

START_TEST(spans) {
    metric_list l = {0};
    // The example of seqeval's README.
    span_metrics m;
    span_metrics_open(&m, false, memory);
    span_metrics_add(&m, TAGS("O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"),
                     TAGS("O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"), 7);
    span_metrics_add(&m, TAGS("B-PER", "I-PER", "O"), TAGS("B-PER", "I-PER", "O"), 3);
    span_metrics_list(&m, &l);
    is(&l, "f1", 0.5);
    is(&l, "f1_macro", 0.5);
    is(&l, "accuracy", 0.8);
    ck_assert_str_eq(m.types[0].name, "MISC");
    ck_assert_int_eq(m.types[1].right, 1);
    // I- that nothing begins is a span, as conlleval has it, and none in IOB2.
    m = spans_of(false, 3, TAGS("B-NP", "I-NP", "O"), TAGS("I-NP", "I-NP", "O"));
    counts_are(&m, 1, 0, 0);
    m = spans_of(true, 3, TAGS("B-NP", "I-NP", "O"), TAGS("I-NP", "I-NP", "O"));
    counts_are(&m, 0, 0, 1);
    // A change of type ends a span; strictly, what follows is none.
    m = spans_of(false, 3, TAGS("B-A", "I-B", "O"), TAGS("B-A", "I-A", "O"));
    counts_are(&m, 0, 1, 2);
    m = spans_of(true, 3, TAGS("B-A", "I-B", "O"), TAGS("B-A", "O", "O"));
    counts_are(&m, 1, 0, 0);
    // BIOES
    m = spans_of(false, 4, TAGS("S-A", "B-A", "E-A", "O"), TAGS("S-A", "B-A", "E-A", "S-A"));
    counts_are(&m, 2, 1, 0);
    m = spans_of(false, 2, TAGS("B-A", "B-A"), TAGS("B-A", "I-A"));
    counts_are(&m, 0, 1, 2);
    m = spans_of(false, 0, NULL, NULL);
    counts_are(&m, 0, 0, 0);
    l.count = 0;
    span_metrics_list(&m, &l);
    is(&l, "f1", 0);
    is(&l, "accuracy", NAN);
}
END_TEST

START_TEST(span_means) {
    span_metrics m;
    metric_list l = {0};
    span_metrics_open(&m, false, memory);
    span_metrics_add(&m, TAGS("B-X", "B-X", "B-X", "B-Y"), TAGS("B-X", "B-X", "O", "B-Z"), 4);
    span_metrics_list(&m, &l);
    is(&l, "precision", 2.0 / 3);
    is(&l, "recall", 0.5);
    is(&l, "f1", 4.0 / 7);
    is(&l, "precision_macro", 1.0 / 3);
    is(&l, "recall_macro", 2.0 / 9);
    is(&l, "f1_macro", 0.8 / 3);
    is(&l, "recall_weighted", 0.5);
    is(&l, "f1_weighted", 0.6);
}
END_TEST

// --- Answers

static void answers_to(const char *found, const char *gold, double exact, double f1, double f1_second) {
    answer_text f = {found, strlen(found)}, g = {gold, strlen(gold)};
    answer_score first = answer_compare(&f, &g, 1, false), second = answer_compare(&f, &g, 1, true);
    ck_assert_msg(first.exact == exact && fabs(first.f1 - f1) < 1e-12, "'%s' and '%s': %g %g", found, gold,
                  first.exact, first.f1);
    ck_assert_msg(second.exact == exact && fabs(second.f1 - f1_second) < 1e-12, "'%s' and '%s': %g %g", found,
                  gold, second.exact, second.f1);
}

START_TEST(answers) {
    answers_to("The U.S. Army", "us army", 1, 1, 1);
    answers_to("the cat sat", "a cat", 0, 2.0 / 3, 2.0 / 3);
    answers_to("cat cat dog", "cat dog dog", 0, 2.0 / 3, 2.0 / 3);
    answers_to("x-ray", "xray", 1, 1, 1);
    answers_to("the", "a", 1, 0, 1); // nothing is left of either
    answers_to("", "cat", 0, 0, 0);
    answers_to("\xc3\x89T\xc3\x89\xc2\xa0 an", "\xc3\xa9t\xc3\xa9", 1, 1, 1);
    answers_to("then", "the n", 0, 0, 0);
    answers_to("the\xe2\x80\x93x", "\xe2\x80\x93x", 1, 1, 1); // an article before a dash
    answers_to("\xce\x9f\xce\x94\xce\x9f\xce\xa3", "\xce\xbf\xce\xb4\xce\xbf\xcf\x82", 1, 1,
               1); // a last sigma
    answers_to("\xc4\xb0", "i\xcc\x87", 1, 1, 1);
    answers_to("\xff", "\xfe", 1, 1, 1);
    answer_text found = {"b", 1}, gold[] = {{"a b", 3}, {"c", 1}, {"the", 3}};
    ck_assert_double_eq(answer_compare(&found, gold, 3, true).exact, 1);
    found = (answer_text){"", 0};
    ck_assert_double_eq(answer_compare(&found, gold + 2, 1, true).exact,
                        1); // "the" does not count: no answer is right
    ck_assert_double_eq(answer_compare(&found, NULL, 0, true).f1, 1);
    ck_assert_double_eq(answer_compare(&found, NULL, 0, false).exact, 0);
}
END_TEST

START_TEST(answer_sums) {
    answer_metrics m = {0};
    metric_list l = {0};
    answer_text gold = {"cat dog", 7}, half = {"cat", 3}, nothing = {"", 0};
    answer_metrics_add(&m, &half, &gold, 1);
    answer_metrics_add(&m, &gold, &gold, 1);
    answer_metrics_list(&m, &l);
    is(&l, "exact_match", 0.5);
    is(&l, "f1", 5.0 / 6);
    is(&l, "has_answer_f1", NAN); // not listed
    ck_assert_int_eq(l.count, 2);
    answer_metrics_add(&m, &nothing, NULL, 0);
    answer_metrics_add(&m, &half, NULL, 0);
    l.count = 0;
    answer_metrics_list(&m, &l);
    is(&l, "exact_match", 0.5);
    is(&l, "f1", (5.0 / 3 + 1) / 4);
    is(&l, "has_answer_exact_match", 0.5);
    is(&l, "no_answer_accuracy", 0.5);
    is(&l, "best_exact", NAN); // not listed: spans are missing
    ck_assert(isnan(answer_metrics_best(&m, true).figure));
}
END_TEST

// By hand: 2 of 5 questions have no answer. From the least lead on the sum of exact matches is 2, 1 (-0.5 has none), 2, 3, 3, 2.
START_TEST(answer_thresholds) {
    answer_metrics m = {.arena = memory};
    metric_list l = {0};
    const answer_text gold = {"cat dog", 7}, half = {"cat", 3}, nothing = {"", 0};
    const struct {
        const answer_text *span;
        double lead;
        int golds;
    } questions[] = {{&gold, 1, 1}, {&half, -0.5, 0}, {&gold, 0.25, 1}, {&half, 2, 1}, {&half, INFINITY, 0}};
    for (int i = 0; i < 5; i++) {
        answer_metrics_add(&m, &nothing, &gold, questions[i].golds);
        answer_metrics_add_span(&m, questions[i].span, questions[i].lead, &gold, questions[i].golds);
    }
    answer_metrics_list(&m, &l);
    is(&l, "exact_match", 0.4);
    is(&l, "best_exact", 0.6);
    is(&l, "best_exact_thresh", 1);
    is(&l, "best_f1", (3 + 2.0 / 3) / 5);
    is(&l, "best_f1_thresh", 2);
    // Nothing is better than none: the official script says 0 then.
    m = (answer_metrics){.arena = memory};
    answer_metrics_add(&m, &nothing, NULL, 0);
    answer_metrics_add_span(&m, &half, 3, NULL, 0);
    ck_assert(answer_metrics_best(&m, true).figure == 1 && answer_metrics_best(&m, true).threshold == 0);
}
END_TEST

// --- Ranks

START_TEST(ranks) {
    rank_metrics m;
    metric_list l = {0};
    rank_metrics_open(&m, (int64_t[]){1, 3}, 2);
    rank_metrics_add(&m, (int64_t[]){2, 5}, 2);
    rank_metrics_add(&m, (int64_t[]){1}, 1);
    rank_metrics_list(&m, &l, memory);
    is(&l, "ndcg@1", 0.5);
    is(&l, "map", ((1.0 / 2 + 2.0 / 5) / 2 + 1) / 2);
    is(&l, "ndcg@3", (1 / log2(3) / (1 + 1 / log2(3)) + 1) / 2);
    is(&l, "mrr", 0.75);
    is(&l, "recall@1", 0.5);
    is(&l, "recall@3", 0.75);
}
END_TEST

// --- Groups

START_TEST(groups) {
    // Fairlearn: selection rates 0.5 and 0.75, true positive rates 0.5 and 1, false positive rates 0.5 and 0.5
    const int gold[2][4] = {{0, 0, 1, 1}, {0, 0, 1, 1}}, found[2][4] = {{0, 1, 0, 1}, {0, 1, 1, 1}};
    group_rates rates[3];
    for (int g = 0; g < 2; g++) {
        label_metrics m;
        label_metrics_open(&m, 2, memory);
        for (int i = 0; i < 4; i++) label_metrics_add(&m, gold[g][i], found[g][i], NAN);
        rates[g] = group_rates_of(&m, 1);
    }
    group_parity p = group_parity_of(rates, 2);
    ck_assert_double_eq(p.demographic_difference, 0.25);
    ck_assert_double_eq(p.demographic_ratio, 0.5 / 0.75);
    ck_assert_double_eq(p.odds_difference, 0.5);
    ck_assert_double_eq(p.odds_ratio, 0.5);
    // A group without a positive text has no true positive rate, which counts as 0.
    rates[2] = (group_rates){0, NAN, 0};
    p = group_parity_of(rates, 3);
    ck_assert_double_eq(p.demographic_difference, 0.75);
    ck_assert_double_eq(p.demographic_ratio, 0);
    ck_assert_double_eq(p.odds_difference, 1);
    ck_assert_double_eq(p.odds_ratio, 0);
    p = group_parity_of(rates, 1);
    ck_assert_double_nan(p.demographic_difference);
    ck_assert_double_nan(p.odds_ratio);
    ck_assert_double_nan(group_ratio((double[]){0, 0}, 2));
    ck_assert_double_eq(group_difference((double[]){0, NAN, 0.5}, 3), 0.5);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("metrics");
    TCase *t = tcase_create("figures");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, labels);
    tcase_add_test(t, labels_at_the_edge);
    tcase_add_test(t, calibration);
    tcase_add_test(t, several_labels);
    tcase_add_test(t, numbers);
    tcase_add_test(t, spans);
    tcase_add_test(t, span_means);
    tcase_add_test(t, answers);
    tcase_add_test(t, answer_sums);
    tcase_add_test(t, answer_thresholds);
    tcase_add_test(t, ranks);
    tcase_add_test(t, groups);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
