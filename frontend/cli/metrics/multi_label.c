#include <math.h>

#include "frontend/cli/metrics/metrics.h"

void multi_label_open(multi_label_metrics *m, int labels, arena *a) {
    *m = (multi_label_metrics){.labels = labels,
                               .right = ARENA_ARRAY(a, int64_t, labels),
                               .wrong = ARENA_ARRAY(a, int64_t, labels),
                               .missed = ARENA_ARRAY(a, int64_t, labels)};
}

void multi_label_add(multi_label_metrics *m, const float *gold, const float *probabilities,
                     double threshold) {
    bool exact = true;
    for (int i = 0; i < m->labels; i++) {
        bool want = gold[i] > 0.5F, found = (double)probabilities[i] > threshold;
        m->right[i] += want && found;
        m->wrong[i] += found && !want;
        m->missed[i] += want && !found;
        exact &= want == found;
        calibration_add(&m->calibration, (double)probabilities[i], want);
    }
    m->exact += exact;
    m->count++;
}

prf multi_label_of(const multi_label_metrics *m, int label) {
    return prf_of(m->right[label], m->wrong[label], m->missed[label]);
}

prf_means multi_label_means(const multi_label_metrics *m) {
    prf_sum s = {0};
    for (int i = 0; i < m->labels; i++) prf_sum_add(&s, m->right[i], m->wrong[i], m->missed[i]);
    return prf_sum_means(&s);
}

void multi_label_list(const multi_label_metrics *m, metric_list *out) {
    prf_means means = multi_label_means(m);
    int64_t apart = 0;
    for (int i = 0; i < m->labels; i++) apart += m->wrong[i] + m->missed[i];
    metric_add(out, "f1_micro", means.micro.f1);
    metric_add(out, "precision_micro", means.micro.precision);
    metric_add(out, "recall_micro", means.micro.recall);
    metric_add(out, "precision_macro", means.macro.precision);
    metric_add(out, "recall_macro", means.macro.recall);
    metric_add(out, "f1_macro", means.macro.f1);
    metric_add(out, "precision_weighted", means.weighted.precision);
    metric_add(out, "recall_weighted", means.weighted.recall);
    metric_add(out, "f1_weighted", means.weighted.f1);
    metric_add(out, "subset_accuracy", m->count ? (double)m->exact / (double)m->count : NAN);
    metric_add(out, "hamming_loss", m->count ? (double)apart / (double)m->count / m->labels : NAN);
    metric_add(out, "calibration_error", calibration_error(&m->calibration));
}
