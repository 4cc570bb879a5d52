// Ops that need a whole row: layer_norm, rms_norm, softmax, sums and maxima, on views of one row. Lengths
// may be known only at run time. Each sum runs over SWEEP_SLOTS vectors of accumulators and one fixed tree,
// so its bits depend on the row's length and the target's width, never on the row's address. Elements past
// the row's end don't count.
#include "backend/emit/view.h"

static sweep row_sweep(emit *e, const view *in, int slots) {
    return sweep_begin(e, in->size[0], e->width, slots);
}

static LLVMValueRef count_of(emit *e, const view *in) {
    return LLVMBuildSIToFP(e->b, in->size[0], e->f32, "");
}

static LLVMValueRef spread(emit *e, LLVMValueRef x) {
    return build_splat(e, x, e->width);
}

LLVMValueRef view_sum(emit *e, const view *in) {
    accumulator a = accumulator_make(e, e->width, SWEEP_SLOTS, 0);
    for (sweep s = row_sweep(e, in, SWEEP_SLOTS); sweep_next(&s);) {
        LLVMValueRef x = sweep_masked(&s, sweep_load(&s, in), 0);
        accumulator_set(&s, &a, LLVMBuildFAdd(e->b, accumulator_get(&s, &a), x, ""));
    }
    return accumulator_sum(e, &a);
}

LLVMValueRef view_max(emit *e, const view *in) {
    accumulator a = accumulator_make(e, e->width, SWEEP_SLOTS, -__builtin_inf());
    for (sweep s = row_sweep(e, in, SWEEP_SLOTS); sweep_next(&s);) {
        LLVMValueRef x = sweep_masked(&s, sweep_load(&s, in), -__builtin_inf()),
                     had = accumulator_get(&s, &a);
        LLVMValueRef below = LLVMBuildFCmp(e->b, LLVMRealOLT, x, had, "");
        accumulator_set(&s, &a, LLVMBuildSelect(e->b, below, had, x, ""));
    }
    return accumulator_max(e, &a);
}

static LLVMValueRef magnitude(emit *e, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return build_intrinsic(e, "llvm.fabs", 1, &t, 1, &x);
}

LLVMValueRef view_magnitude(emit *e, const view *in) {
    accumulator a = accumulator_make(e, e->width, SWEEP_SLOTS, 0);
    for (sweep s = row_sweep(e, in, SWEEP_SLOTS); sweep_next(&s);) {
        LLVMValueRef x = sweep_masked(&s, magnitude(e, sweep_load(&s, in)), 0), had = accumulator_get(&s, &a);
        LLVMValueRef above = LLVMBuildFCmp(e->b, LLVMRealOGT, x, had, "");
        accumulator_set(&s, &a, LLVMBuildSelect(e->b, above, x, had, ""));
    }
    return accumulator_max(e, &a);
}

// Sum of (x - mean)^2; mean a splat, or NULL: of x^2.
static LLVMValueRef sum_of_squares(emit *e, const view *in, LLVMValueRef mean) {
    accumulator a = accumulator_make(e, e->width, SWEEP_SLOTS, 0);
    for (sweep s = row_sweep(e, in, SWEEP_SLOTS); sweep_next(&s);) {
        LLVMValueRef x = sweep_load(&s, in);
        if (mean) x = LLVMBuildFSub(e->b, x, mean, "");
        x = sweep_masked(&s, x, 0);
        accumulator_set(&s, &a, math_fma(e, x, x, accumulator_get(&s, &a)));
    }
    return accumulator_sum(e, &a);
}

// The mean first, then the sum of squared differences, so that a large mean costs no digits.
norm_scalars view_norm_scalars(emit *e, const view *in, bool centred, double eps) {
    LLVMValueRef n = count_of(e, in), mean = NULL;
    norm_scalars found = {0};
    if (centred) {
        found.mean = LLVMBuildFDiv(e->b, view_sum(e, in), n, "");
        mean = spread(e, found.mean);
    }
    found.variance = LLVMBuildFDiv(e->b, sum_of_squares(e, in, mean), n, "");
    found.rstd = math_rsqrt(e, LLVMBuildFAdd(e->b, found.variance, build_const_f32(e, eps), ""));
    return found;
}

LLVMValueRef view_norm_vector(const sweep *s, const norm_scalars *found, const view *in, const view *gamma,
                              const view *beta) {
    emit *e = s->e;
    LLVMValueRef x = sweep_load(s, in), g = sweep_load(s, gamma);
    if (found->mean) x = LLVMBuildFSub(e->b, x, spread(e, found->mean), "");
    x = LLVMBuildFMul(e->b, x, spread(e, found->rstd), "");
    return beta ? math_fma(e, x, g, sweep_load(s, beta)) : LLVMBuildFMul(e->b, x, g, "");
}

norm_scalars view_norm(emit *e, const view *in, const view *out, const view *gamma, const view *beta,
                       double eps) {
    norm_scalars found = view_norm_scalars(e, in, beta != NULL, eps);
    for (sweep s = row_sweep(e, in, 1); sweep_next(&s);)
        sweep_store(&s, out, view_norm_vector(&s, &found, in, gamma, beta));
    return found;
}

void view_softmax(emit *e, const view *in, const view *out) {
    LLVMValueRef most = spread(e, view_max(e, in));
    accumulator a = accumulator_make(e, e->width, SWEEP_SLOTS, 0);
    for (sweep s = row_sweep(e, in, SWEEP_SLOTS); sweep_next(&s);) {
        LLVMValueRef x = math_exp(e, LLVMBuildFSub(e->b, sweep_load(&s, in), most, ""));
        sweep_store(&s, out, x);
        LLVMValueRef had = accumulator_get(&s, &a);
        accumulator_set(&s, &a, LLVMBuildFAdd(e->b, had, sweep_masked(&s, x, 0), ""));
    }
    LLVMValueRef scale = spread(e, LLVMBuildFDiv(e->b, build_const_f32(e, 1), accumulator_sum(e, &a), ""));
    for (sweep s = row_sweep(e, in, 1); sweep_next(&s);)
        sweep_store(&s, out, LLVMBuildFMul(e->b, sweep_load(&s, out), scale, ""));
}

void view_copy(emit *e, const view *in, const view *out) {
    const view *rows[] = {in, out};
    for (sweep s = sweep_of(e, out, 2, rows); sweep_next(&s);) sweep_store(&s, out, sweep_load(&s, in));
}

// --- emit.h: rows of known length, padded to whole vectors

static view padded_row(emit *e, LLVMValueRef base, int64_t n) {
    type t = type_make(ELEM_F32, 1, (dim[]){dim_num(n)});
    LLVMValueRef size = build_const_i64(e, n);
    view v = view_make(&t, base, &size, &n, 0);
    v.padded = true;
    return v;
}

void norm_layer(emit *e, LLVMValueRef in, LLVMValueRef out, LLVMValueRef gamma, LLVMValueRef beta, int64_t n,
                double eps) {
    view x = padded_row(e, in, n), y = padded_row(e, out, n), g = padded_row(e, gamma, n);
    view b = padded_row(e, beta, n);
    if (!beta) b.immediate = build_const_f32(e, 0);
    view_norm(e, &x, &y, &g, &b, eps);
}

void norm_rms(emit *e, LLVMValueRef in, LLVMValueRef out, LLVMValueRef gamma, int64_t n, double eps) {
    view x = padded_row(e, in, n), y = padded_row(e, out, n), g = padded_row(e, gamma, n);
    view_norm(e, &x, &y, &g, NULL, eps);
}
