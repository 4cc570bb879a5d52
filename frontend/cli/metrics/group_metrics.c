#include <math.h>

#include "frontend/cli/metrics/metrics.h"

static double share(int64_t part, int64_t of) {
    return of ? (double)part / (double)of : NAN;
}

static group_rates rates_of(int64_t right, int64_t wrong, int64_t missed, int64_t count) {
    return (group_rates){.selection = share(right + wrong, count),
                         .true_positive = share(right, right + missed),
                         .false_positive = share(wrong, count - right - missed)};
}

group_rates group_rates_of(const label_metrics *m, int positive) {
    int64_t right = 0, wrong = 0, missed = 0;
    for (int gold = 0; gold < m->labels; gold++)
        for (int found = 0; found < m->labels; found++) {
            int64_t n = m->matrix[(size_t)gold * (size_t)m->labels + (size_t)found];
            if (gold == positive && found == positive) right += n;
            if (gold != positive && found == positive) wrong += n;
            if (gold == positive && found != positive) missed += n;
        }
    return rates_of(right, wrong, missed, m->count);
}

group_rates group_rates_of_mark(const multi_label_metrics *m, int label) {
    return rates_of(m->right[label], m->wrong[label], m->missed[label], m->count);
}

// The least and the largest of those that are defined; how many those are.
static int ends_of(const double *values, int n, double *least, double *most) {
    int defined = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(values[i])) continue;
        *least = defined ? fmin(*least, values[i]) : values[i];
        *most = defined ? fmax(*most, values[i]) : values[i];
        defined++;
    }
    return defined;
}

double group_difference(const double *values, int n) {
    double least = 0, most = 0;
    return ends_of(values, n, &least, &most) < 2 ? NAN : most - least;
}

double group_ratio(const double *values, int n) {
    double least = 0, most = 0;
    return ends_of(values, n, &least, &most) < 2 || most == 0 ? NAN : least / most;
}

// Fairlearn takes a rate that is not defined for 0.
static double defined(double rate) {
    return isnan(rate) ? 0 : rate;
}

group_parity group_parity_of(const group_rates *rates, int n) {
    double selection[GROUPS_MAX] = {0}, found[GROUPS_MAX] = {0}, wrong[GROUPS_MAX] = {0};
    if (n > GROUPS_MAX) n = GROUPS_MAX;
    for (int i = 0; i < n; i++) {
        selection[i] = defined(rates[i].selection);
        found[i] = defined(rates[i].true_positive);
        wrong[i] = defined(rates[i].false_positive);
    }
    return (group_parity){.demographic_difference = group_difference(selection, n),
                          .demographic_ratio = group_ratio(selection, n),
                          .odds_difference = fmax(group_difference(found, n), group_difference(wrong, n)),
                          .odds_ratio = fmin(group_ratio(found, n), group_ratio(wrong, n))};
}
