#include <math.h>

#include "frontend/cli/metrics/metrics.h"

void rank_metrics_open(rank_metrics *m, const int64_t *cuts, int cut_count) {
    *m = (rank_metrics){.cut_count = cut_count < RANK_CUTS_MAX ? cut_count : RANK_CUTS_MAX};
    for (int i = 0; i < m->cut_count; i++) m->cuts[i] = cuts[i];
}

static double gain(int64_t rank) {
    return 1 / log2((double)rank + 1);
}

void rank_metrics_add(rank_metrics *m, const int64_t *ranks, int n) {
    if (n < 1) return;
    for (int c = 0; c < m->cut_count; c++) {
        double got = 0, best = 0;
        int64_t found = 0;
        for (int i = 0; i < n; i++) {
            if (ranks[i] <= m->cuts[c]) got += gain(ranks[i]), found++;
            if (i < m->cuts[c]) best += gain(i + 1);
        }
        m->ndcg[c] += got / best;
        m->recall[c] += (double)found / n;
    }
    double mean = 0; // the mean over the relevant documents of the precision up to each
    for (int i = 0; i < n; i++) mean += (i + 1) / (double)ranks[i] / n;
    m->precision += mean;
    m->reciprocal += 1 / (double)ranks[0];
    m->count++;
}

void rank_metrics_list(const rank_metrics *m, metric_list *out, arena *a) {
    double n = m->count ? (double)m->count : NAN;
    for (int c = 0; c < m->cut_count; c++)
        metric_add(out, arena_printf(a, "ndcg@%lld", (long long)m->cuts[c]), m->ndcg[c] / n);
    metric_add(out, "mrr", m->reciprocal / n);
    metric_add(out, "map", m->precision / n);
    for (int c = 0; c < m->cut_count; c++)
        metric_add(out, arena_printf(a, "recall@%lld", (long long)m->cuts[c]), m->recall[c] / n);
}
