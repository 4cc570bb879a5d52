// Sums of rows and elements by ids: scatter_add, scatter_add_along. Every sum is kept in double.
#include "ir/eval_ops.h"
#include "ir/memory.h"

#include <inttypes.h>
#include <stdlib.h>

static bool id_fits(const eval_call *c, int32_t id, int64_t most) {
    return (id >= 0 && id < most) ||
           eval_error(c->g, c->v, c->d, "id %" PRId32 " is not below %" PRId64, id, most);
}

static double *sums_new(const eval_call *c) {
    double *sums = memory_zero((size_t)tensor_count(c->out) + 1, sizeof(*sums));
    if (!sums) eval_error(c->g, c->v, c->d, "out of memory");
    return sums;
}

static bool sums_store(const eval_call *c, double *sums, bool ok) {
    int64_t count = tensor_count(c->out);
    for (int64_t i = 0; ok && i < count; i++) ((eval_float *)c->out->data)[i] = (eval_float)sums[i];
    free(sums);
    return ok;
}

bool kernel_scatter_add(const eval_call *c) {
    const tensor *x = eval_operand(c, 0), *ids = eval_operand(c, 1);
    const int32_t *id = ids->data;
    const eval_float *in = x->data;
    int64_t row = 1;
    double *sums = sums_new(c);
    bool ok = sums != NULL;
    for (int i = 1; i < x->rank; i++) row *= x->shape[i];
    for (int64_t i = 0; ok && i < x->shape[0]; i++) {
        ok = id_fits(c, id[i], c->out->shape[0]);
        for (int64_t j = 0; ok && j < row; j++) sums[id[i] * row + j] += (double)in[i * row + j];
    }
    return sums_store(c, sums, ok);
}

// Where the ids of row `row` of x begin.
static const int32_t *ids_of_row(const tensor *x, const tensor *ids, int64_t row) {
    int64_t steps[IR_MAX_RANK], at = 0;
    eval_broadcast_steps(ids, x->rank, steps);
    for (int axis = x->rank - 2; axis >= 0; axis--) {
        at += row % x->shape[axis] * steps[axis];
        row /= x->shape[axis];
    }
    return (const int32_t *)((const char *)ids->data + at);
}

bool kernel_scatter_add_along(const eval_call *c) {
    const tensor *x = eval_operand(c, 0), *ids = eval_operand(c, 1);
    const eval_float *in = x->data;
    int64_t m = x->shape[x->rank - 1], n = c->out->shape[x->rank - 1], rows = m ? tensor_count(x) / m : 0;
    double *sums = sums_new(c);
    bool ok = sums != NULL;
    for (int64_t r = 0; ok && r < rows; r++) {
        const int32_t *id = ids_of_row(x, ids, r);
        for (int64_t j = 0; ok && j < m; j++) {
            ok = id_fits(c, id[j], n);
            if (ok) sums[r * n + id[j]] += (double)in[r * m + j];
        }
    }
    return sums_store(c, sums, ok);
}
