#include "frontend/cli/evaluate/rates.h"

#include <math.h>

void rates_range(const evaluation *v, int *first, int *last) {
    const data_label positive = {v->options->positive, NAN};
    *first = 0;
    *last = v->kind == EVALUATE_LABEL || v->kind == EVALUATE_LABELS ? v->tallies.labels : 0;
    if (*last == 2 && v->kind == EVALUATE_LABEL) *first = 1;
    if (!*last || !positive.name) return;
    *first = data_labels_find(v->labels, &positive);
    *last = *first + 1;
}
