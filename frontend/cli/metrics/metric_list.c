#include <math.h>
#include <string.h>

#include "frontend/cli/metrics/metrics.h"

void metric_add(metric_list *l, const char *name, double figure) {
    if (l->count < METRICS_MAX) l->v[l->count++] = (metric_value){name, figure};
}

double metric_find(const metric_list *l, const char *name) {
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->v[i].name, name)) return l->v[i].value;
    return NAN;
}

// --- Precision, recall, F1

static double share(int64_t part, int64_t of) {
    return of ? (double)part / (double)of : 0;
}

prf prf_of(int64_t right, int64_t wrong, int64_t missed) {
    return (prf){.precision = share(right, right + wrong),
                 .recall = share(right, right + missed),
                 .f1 = share(2 * right, 2 * right + wrong + missed),
                 .support = right + missed};
}

void prf_sum_add(prf_sum *s, int64_t right, int64_t wrong, int64_t missed) {
    prf one = prf_of(right, wrong, missed);
    const double v[3] = {one.precision, one.recall, one.f1};
    s->right += right;
    s->wrong += wrong;
    s->missed += missed;
    s->count++;
    for (int i = 0; i < 3; i++) {
        s->macro[i] += v[i];
        s->weighted[i] += v[i] * (double)one.support;
    }
}

prf_means prf_sum_means(const prf_sum *s) {
    int64_t support = s->right + s->missed;
    double n = s->count ? s->count : 1, w = support ? (double)support : 1;
    return (prf_means){.micro = prf_of(s->right, s->wrong, s->missed),
                       .macro = {s->macro[0] / n, s->macro[1] / n, s->macro[2] / n, support},
                       .weighted = {s->weighted[0] / w, s->weighted[1] / w, s->weighted[2] / w, support}};
}
