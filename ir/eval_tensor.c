// Shared by the evaluator and its ops: sizes and steps of tensors, and the place of an error.
#include "ir/eval_ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int64_t tensor_count(const tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

bool eval_error(const graph *g, value v, diag *d, const char *format, ...) {
    char where[256], cause[512];
    const char *name = g->nodes[v].name;
    snprintf(where, sizeof(where), "@%s: %%%d%s%s%s", g->name ? g->name : "body", v, name ? " (" : "",
             name ? name : "", name ? ")" : "");
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof(cause), format, list);
    va_end(list);
    return diag_error(d, where, "%s", cause);
}

void eval_steps(const tensor *t, int64_t *steps) {
    int64_t step = (int64_t)eval_size(t->e);
    for (int i = t->rank - 1; i >= 0; i--) {
        steps[i] = step;
        step *= t->shape[i];
    }
}

void eval_broadcast_steps(const tensor *t, int rank, int64_t *steps) {
    int64_t own[IR_MAX_RANK];
    eval_steps(t, own);
    for (int i = 0; i < rank; i++) {
        int k = i - (rank - t->rank);
        steps[i] = k < 0 || t->shape[k] == 1 ? 0 : own[k];
    }
}

void eval_convert(elem from, const void *in, elem to, void *out, int64_t n) {
    const unsigned char *x = in;
    unsigned char *y = out;
    if (from == to) memcpy(out, in, eval_size(to) * (size_t)n);
    if (from != to && sizeof(eval_float) == sizeof(float)) elem_convert(from, in, to, out, n);
    for (int64_t i = 0; from != to && sizeof(eval_float) != sizeof(float) && i < n; i++) {
        eval_float wide = 0;
        float f = 0;
        if (from == ELEM_F32) memcpy(&wide, x + (size_t)i * sizeof(wide), sizeof(wide));
        if (from == ELEM_F32) f = (float)wide;
        const void *element = from == ELEM_F32 ? (const void *)&f : x + (size_t)i * elem_size(from);
        if (to != ELEM_F32) elem_convert(from, element, to, y + (size_t)i * elem_size(to), 1);
        if (to != ELEM_F32) continue;
        elem_convert(from, element, to, &f, 1);
        wide = (eval_float)f;
        memcpy(y + (size_t)i * sizeof(wide), &wide, sizeof(wide));
    }
}
