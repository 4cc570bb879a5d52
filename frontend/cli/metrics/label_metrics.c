#include <math.h>

#include "frontend/cli/metrics/metrics.h"

void label_metrics_open(label_metrics *m, int labels, arena *a) {
    *m = (label_metrics){.labels = labels,
                         .matrix = arena_array(a, (size_t)labels * (size_t)labels, sizeof *m->matrix)};
}

static int64_t *cell(const label_metrics *m, int gold, int found) {
    return &m->matrix[(size_t)gold * (size_t)m->labels + (size_t)found];
}

void label_metrics_add(label_metrics *m, int gold, int found, double probability) {
    ++*cell(m, gold, found);
    m->count++;
    m->right += gold == found;
    calibration_add(&m->calibration, probability, gold == found);
}

void label_metrics_add_logits(label_metrics *m, int gold, const float *logits) {
    int best = 0;
    double sum = 0;
    for (int i = 1; i < m->labels; i++)
        if (logits[i] > logits[best]) best = i;
    for (int i = 0; i < m->labels; i++) sum += exp((double)logits[i] - (double)logits[best]);
    label_metrics_add(m, gold, best, 1 / sum);
}

static int64_t gold_count(const label_metrics *m, int label) {
    int64_t n = 0;
    for (int i = 0; i < m->labels; i++) n += *cell(m, label, i);
    return n;
}

static int64_t found_count(const label_metrics *m, int label) {
    int64_t n = 0;
    for (int i = 0; i < m->labels; i++) n += *cell(m, i, label);
    return n;
}

prf label_metrics_of(const label_metrics *m, int label) {
    int64_t right = *cell(m, label, label);
    return prf_of(right, found_count(m, label) - right, gold_count(m, label) - right);
}

prf_means label_metrics_means(const label_metrics *m) {
    prf_sum s = {0};
    for (int i = 0; i < m->labels; i++) {
        int64_t gold = gold_count(m, i), found = found_count(m, i), right = *cell(m, i, i);
        if (gold || found) prf_sum_add(&s, right, found - right, gold - right);
    }
    return prf_sum_means(&s);
}

double label_metrics_matthews(const label_metrics *m) {
    double n = (double)m->count, both = 0, golds = 0, founds = 0;
    for (int i = 0; i < m->labels; i++) {
        double gold = (double)gold_count(m, i), found = (double)found_count(m, i);
        both += gold * found;
        golds += gold * gold;
        founds += found * found;
    }
    double variances = (n * n - golds) * (n * n - founds);
    return variances > 0 ? ((double)m->right * n - both) / sqrt(variances) : 0;
}

void label_metrics_list(const label_metrics *m, metric_list *out) {
    prf_means means = label_metrics_means(m);
    metric_add(out, "accuracy", m->count ? (double)m->right / (double)m->count : NAN);
    if (m->labels == 2) {
        prf second = label_metrics_of(m, 1);
        metric_add(out, "precision", second.precision);
        metric_add(out, "recall", second.recall);
        metric_add(out, "f1", second.f1);
    }
    metric_add(out, "precision_micro", means.micro.precision);
    metric_add(out, "recall_micro", means.micro.recall);
    metric_add(out, "f1_micro", means.micro.f1);
    metric_add(out, "precision_macro", means.macro.precision);
    metric_add(out, "recall_macro", means.macro.recall);
    metric_add(out, "f1_macro", means.macro.f1);
    metric_add(out, "precision_weighted", means.weighted.precision);
    metric_add(out, "recall_weighted", means.weighted.recall);
    metric_add(out, "f1_weighted", means.weighted.f1);
    metric_add(out, "matthews", label_metrics_matthews(m));
    metric_add(out, "calibration_error", calibration_error(&m->calibration));
}
