// Ops that sum: matmul, reductions, softmax, norms. Every sum is kept in double.
#include "ir/eval_ops.h"
#include "ir/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- matmul. Blocks of the result, so that the right operand is read once for each block of rows.

#define BLOCK_ROWS    16
#define BLOCK_COLUMNS 128

// [rows,K] x [K,columns], rows and columns within a block; `ldx`, `ldw`, `ldo` elements from row to row. Sums of
// integers are exact in double, and wrap in i32.
static void matmul_block(int64_t rows, int64_t columns, int64_t inner, const eval_float *x, int64_t ldx,
                         const eval_float *w, int64_t ldw, elem to, void *out, int64_t ldo) {
    double sums[BLOCK_ROWS][BLOCK_COLUMNS] = {{0}}, wk[BLOCK_COLUMNS];
    for (int64_t k = 0; k < inner; k++) {
        for (int64_t j = 0; j < columns; j++) wk[j] = (double)w[k * ldw + j];
        for (int64_t i = 0; i < rows; i++) {
            double xk = (double)x[i * ldx + k];
            for (int64_t j = 0; j < columns; j++) sums[i][j] += xk * wk[j];
        }
    }
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            if (to == ELEM_F32)
                ((eval_float *)out)[i * ldo + j] = (eval_float)sums[i][j];
            else
                ((uint32_t *)out)[i * ldo + j] = (uint32_t)(int64_t)sums[i][j];
        }
    }
}

static int64_t at_most(int64_t n, int64_t most) {
    return n < most ? n : most;
}

// `out`: of elements `to`, f32 or i32.
static void matmul(int64_t rows, int64_t inner, int64_t columns, const eval_float *x, const eval_float *w,
                   elem to, void *out) {
    for (int64_t i = 0; i < rows; i += BLOCK_ROWS) {
        for (int64_t j = 0; j < columns; j += BLOCK_COLUMNS) {
            matmul_block(at_most(rows - i, BLOCK_ROWS), at_most(columns - j, BLOCK_COLUMNS), inner,
                         x + i * inner, inner, w + j, columns, to,
                         (char *)out + (size_t)(i * columns + j) * eval_size(to), columns);
        }
    }
}

// The operand as floats: its own data, or memory of its own (*owned). NULL: out of memory.
static const eval_float *as_floats(const tensor *t, eval_float **owned) {
    *owned = NULL;
    if (t->e == ELEM_F32) return t->data;
    *owned = memory_alloc((size_t)tensor_count(t) + 1, sizeof(eval_float));
    if (!*owned) return NULL;
    eval_convert(t->e, t->data, ELEM_F32, *owned, tensor_count(t));
    return *owned;
}

// Sums of each `group` of k apart: [rows, inner / group, columns].
static void matmul_groups(int64_t rows, int64_t inner, int64_t group, int64_t columns, const eval_float *x,
                          const eval_float *w, int32_t *out) {
    int64_t groups = inner / group;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < groups; i++)
            matmul(1, group, columns, x + r * inner + i * group, w + i * group * columns, ELEM_I32,
                   out + (r * groups + i) * columns);
    }
}

bool kernel_matmul(const eval_call *c) {
    const tensor *x = eval_operand(c, 0), *w = eval_operand(c, 1);
    const attr *group = node_attr(c->n, ATTR_group);
    int64_t rows = x->shape[x->rank - 2], inner = x->shape[x->rank - 1], columns = w->shape[w->rank - 1];
    int64_t count = 1;
    for (int i = 0; i < x->rank - 2; i++) count *= x->shape[i];
    eval_float *own_x, *own_w;
    const eval_float *left = as_floats(x, &own_x), *right = as_floats(w, &own_w);
    bool ok = left && right ? true : eval_error(c->g, c->v, c->d, "out of memory");
    if (ok && group) {
        matmul_groups(rows, inner, group->u.i, columns, left, right, c->out->data);
        count = 0;
    }
    for (int64_t i = 0; ok && i < count; i++) {
        matmul(rows, inner, columns, left + i * rows * inner, right + (w->rank > 2 ? i * inner * columns : 0),
               c->out->e, (char *)c->out->data + (size_t)(i * rows * columns) * eval_size(c->out->e));
    }
    free(own_x);
    free(own_w);
    return ok;
}

// --- Reductions over axes

typedef enum reduction { REDUCE_SUM, REDUCE_MAX } reduction;

static bool reduce_axes(const eval_call *c, reduction kind, double scale) {
    const tensor *x = eval_operand(c, 0);
    const eval_float *in = x->data;
    int64_t count = tensor_count(x), results = tensor_count(c->out), steps[IR_MAX_RANK];
    int64_t at[IR_MAX_RANK] = {0}, to = 0;
    double *sums = memory_alloc((size_t)results, sizeof(double));
    if (!sums) return eval_error(c->g, c->v, c->d, "out of memory");
    for (int64_t i = 0; i < results; i++) sums[i] = kind == REDUCE_MAX ? -INFINITY : 0;
    eval_broadcast_steps(c->out, x->rank, steps);
    for (int64_t n = 0; n < count; n++) {
        double v = (double)in[n], *sum = &sums[to];
        if (kind == REDUCE_SUM)
            *sum += v;
        else if (v > *sum || isnan(v))
            *sum = v;
        for (int axis = x->rank - 1; axis >= 0; axis--) {
            int64_t step = steps[axis] / (int64_t)sizeof(eval_float);
            bool wraps = ++at[axis] == x->shape[axis];
            to += wraps ? -step * (x->shape[axis] - 1) : step;
            if (!wraps) break;
            at[axis] = 0;
        }
    }
    for (int64_t i = 0; i < results; i++) ((eval_float *)c->out->data)[i] = (eval_float)(sums[i] * scale);
    free(sums);
    return true;
}

bool kernel_reduce_sum(const eval_call *c) {
    return reduce_axes(c, REDUCE_SUM, 1);
}
bool kernel_reduce_max(const eval_call *c) {
    return reduce_axes(c, REDUCE_MAX, 1);
}
bool kernel_reduce_mean(const eval_call *c) {
    int64_t in = tensor_count(eval_operand(c, 0)), out = tensor_count(c->out);
    return reduce_axes(c, REDUCE_SUM, in ? (double)out / (double)in : NAN);
}

// --- Along rows

static int64_t row_length(const tensor *x) {
    return x->shape[x->rank - 1];
}
static int64_t row_count(const tensor *x) {
    return row_length(x) ? tensor_count(x) / row_length(x) : 0;
}

bool kernel_softmax(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    int64_t n = row_length(x);
    for (int64_t r = 0; r < row_count(x); r++) {
        const eval_float *in = (const eval_float *)x->data + r * n;
        eval_float *out = (eval_float *)c->out->data + r * n;
        double most = -INFINITY, sum = 0;
        for (int64_t j = 0; j < n; j++) most = (double)in[j] > most ? (double)in[j] : most;
        for (int64_t j = 0; j < n; j++) sum += exp((double)in[j] - most);
        for (int64_t j = 0; j < n; j++) out[j] = (eval_float)(exp((double)in[j] - most) / sum);
    }
    return true;
}

// (x - mean) / sqrt(variance + eps) * gamma + beta; without `centred`, mean and beta are 0.
static bool norm(const eval_call *c, bool centred) {
    const tensor *x = eval_operand(c, 0);
    const eval_float *gamma = eval_operand(c, 1)->data, *beta = centred ? eval_operand(c, 2)->data : NULL;
    double eps = node_attr(c->n, ATTR_eps)->u.f;
    int64_t n = row_length(x);
    for (int64_t r = 0; r < row_count(x); r++) {
        const eval_float *in = (const eval_float *)x->data + r * n;
        eval_float *out = (eval_float *)c->out->data + r * n;
        double mean = 0, squares = 0;
        for (int64_t j = 0; centred && j < n; j++) mean += (double)in[j];
        mean /= (double)n;
        for (int64_t j = 0; j < n; j++) squares += ((double)in[j] - mean) * ((double)in[j] - mean);
        double scale = 1 / sqrt(squares / (double)n + eps);
        for (int64_t j = 0; j < n; j++) {
            out[j] = (eval_float)(((double)in[j] - mean) * scale * (double)gamma[j] +
                                  (beta ? (double)beta[j] : 0));
        }
    }
    return true;
}

bool kernel_layer_norm(const eval_call *c) {
    return norm(c, true);
}
bool kernel_rms_norm(const eval_call *c) {
    return norm(c, false);
}
