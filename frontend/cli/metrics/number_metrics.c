#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/metrics/metrics.h"

void number_metrics_open(number_metrics *m, arena *a) {
    *m = (number_metrics){.arena = a};
}

void number_metrics_add(number_metrics *m, double gold, double found) {
    if (m->count == m->room) {
        int64_t room = 2 * m->room + 256;
        double *golds = ARENA_ARRAY(m->arena, double, room), *founds = ARENA_ARRAY(m->arena, double, room);
        if (m->count) {
            memcpy(golds, m->gold, (size_t)m->count * sizeof *golds);
            memcpy(founds, m->found, (size_t)m->count * sizeof *founds);
        }
        m->gold = golds;
        m->found = founds;
        m->room = room;
    }
    m->gold[m->count] = gold;
    m->found[m->count++] = found;
}

static double mean_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : NAN;
}

static bool is_constant(const double *x, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

double pearson_of(const double *x, const double *y, int64_t n) {
    double mx = mean_of(x, n), my = mean_of(y, n), xy = 0, xx = 0, yy = 0;
    if (n < 2 || is_constant(x, n) || is_constant(y, n)) return NAN;
    for (int64_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    double r = xy / (sqrt(xx) * sqrt(yy));
    return isnan(r) ? NAN : fmax(-1, fmin(1, r));
}

typedef struct placed {
    double value;
    int64_t at;
} placed;

static int by_value(const void *a, const void *b) {
    double x = ((const placed *)a)->value, y = ((const placed *)b)->value;
    return (x > y) - (x < y);
}

static double *ranks_of(const double *x, int64_t n, arena *a) {
    placed *order = ARENA_ARRAY(a, placed, n);
    double *ranks = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < n; i++) order[i] = (placed){x[i], i};
    qsort(order, (size_t)n, sizeof *order, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && order[end].value == order[i].value;) end++;
        for (int64_t k = i; k < end; k++) ranks[order[k].at] = (double)(i + end - 1) / 2;
    }
    return ranks;
}

double spearman_of(const double *x, const double *y, int64_t n, arena *a) {
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]) || isnan(y[i])) return NAN;
    return n < 2 ? NAN : pearson_of(ranks_of(x, n, a), ranks_of(y, n, a), n);
}

static double r2_of(const number_metrics *m, double squares) {
    double mean = mean_of(m->gold, m->count), all = 0;
    for (int64_t i = 0; i < m->count; i++) all += (m->gold[i] - mean) * (m->gold[i] - mean);
    if (m->count < 2) return NAN;
    if (is_constant(m->gold, m->count)) return squares == 0 ? 1 : 0;
    return 1 - squares / all;
}

typedef struct number_figures {
    double spearman, pearson, mse, rmse, mae, r2;
} number_figures;

static number_figures figures_of(const number_metrics *m) {
    double n = m->count ? (double)m->count : NAN, squares = 0, apart = 0;
    for (int64_t i = 0; i < m->count; i++) {
        double d = m->found[i] - m->gold[i];
        squares += d * d;
        apart += fabs(d);
    }
    return (number_figures){spearman_of(m->gold, m->found, m->count, m->arena),
                            pearson_of(m->gold, m->found, m->count),
                            squares / n,
                            sqrt(squares / n),
                            apart / n,
                            r2_of(m, squares)};
}

// One column's numbers.
static number_metrics column_of(const number_metrics *m, int64_t column) {
    number_metrics one = {.arena = m->arena, .count = m->count / m->columns};
    one.gold = ARENA_ARRAY(m->arena, double, one.count);
    one.found = ARENA_ARRAY(m->arena, double, one.count);
    for (int64_t i = 0; i < one.count; i++) {
        one.gold[i] = m->gold[i * m->columns + column];
        one.found[i] = m->found[i * m->columns + column];
    }
    return one;
}

static number_figures mean_figures(const number_metrics *m) {
    number_figures sum = {0};
    double n = (double)m->columns;
    for (int64_t i = 0; i < m->columns; i++) {
        number_metrics one = column_of(m, i);
        number_figures f = figures_of(&one);
        sum.spearman += f.spearman / n;
        sum.pearson += f.pearson / n;
        sum.mse += f.mse / n;
        sum.rmse += f.rmse / n;
        sum.mae += f.mae / n;
        sum.r2 += f.r2 / n;
    }
    return sum;
}

void number_metrics_list(const number_metrics *m, bool errors, metric_list *out) {
    number_figures f = m->columns > 1 ? mean_figures(m) : figures_of(m);
    metric_add(out, "spearman", f.spearman);
    metric_add(out, "pearson", f.pearson);
    if (!errors) return;
    metric_add(out, "mse", f.mse);
    metric_add(out, "rmse", f.rmse);
    metric_add(out, "mae", f.mae);
    metric_add(out, "r2", f.r2);
}
