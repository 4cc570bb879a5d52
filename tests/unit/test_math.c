// links: backend ir llvm
// The vector functions against libm in double, for every ISA of this machine: every 61st float32 bit pattern;
// `--all`: each of the 2^32 (the build target math_all, minutes).
#include <check.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"
#include "host.h"
#include "main.h"

// --- The functions and what is promised of them (backend/emit/math.c)

static LLVMValueRef gelu_exact(emit *e, LLVMValueRef x) {
    return math_gelu(e, x, false);
}
static LLVMValueRef gelu_tanh(emit *e, LLVMValueRef x) {
    return math_gelu(e, x, true);
}
static LLVMValueRef gelu_rounded(emit *e, LLVMValueRef x) {
    return math_gelu_rounded(e, x, false);
}
static LLVMValueRef gelu_tanh_rounded(emit *e, LLVMValueRef x) {
    return math_gelu_rounded(e, x, true);
}
static double ref_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double ref_rsqrt(double x) {
    return 1 / sqrt(x);
}
static double ref_gelu(double x) {
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}
static double ref_gelu_tanh(double x) {
    double t = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * t)); // 0.5 x (1 + tanh t), without its cancellation
}

static double ref_cos(double x) {
    return fabs(x) > 0x1p28 ? (double)NAN : cos(x);
}
static double ref_sin(double x) {
    return fabs(x) > 0x1p28 ? (double)NAN : sin(x);
}

static const struct {
    const char *name;
    LLVMValueRef (*emit)(emit *e, LLVMValueRef x);
    double (*reference)(double x);
    double ulps, absolute, scaled; // either is enough; scaled: times max(1, |x|)
    double flush;                  // results below it in size may be 0
} functions[] = {
    {"exp", math_exp, exp, 2, 0, 0, 0x1.7p-126},
    {"log", math_log, log, 2, 0, 0, 0},
    {"sigmoid", math_sigmoid, ref_sigmoid, 2, 0, 0, 0x1.7p-126},
    {"tanh", math_tanh, tanh, 2, 0, 0, 0},
    {"erf", math_erf, erf, 2, 1e-7, 0, 0},
    {"rsqrt", math_rsqrt, ref_rsqrt, 2, 0, 0, 0},
    {"gelu", gelu_exact, ref_gelu, 0, 0, 2e-7, 0},
    {"gelu_tanh", gelu_tanh, ref_gelu_tanh, 0, 0, 2e-7, 0},
    {"gelu_rounded", gelu_rounded, ref_gelu, 0, 0, 5e-5, 0},
    {"gelu_tanh_rounded", gelu_tanh_rounded, ref_gelu_tanh, 0, 0, 5e-5, 0},
    {"cos", math_cos, ref_cos, 2, 1e-7, 0, 0},
    {"sin", math_sin, ref_sin, 2, 1e-7, 0, 0},
    {"exp_bf16", math_exp_bf16, exp, 1600, 0, 0, 0x1.7p-126},
};
enum {
    FUNCTIONS = sizeof(functions) / sizeof(functions[0]),
    ISAS = HOST_CPUS + 1,
    BLOCK = 1 << 14,
    WORKERS = 2
};

static const char *cpu_at(int i) {
    return i ? host_cpus[i - 1] : "native";
}

typedef struct code {
    bool there;
    double slack; // of `scaled`: without FMA, gelu's polynomial rounds twice as often
    jit_code *jit;
    bertc_kernel f[FUNCTIONS];
} code;

// args[0]: float[call.tokens] -> args[1]; tokens: a multiple of the width.
static void emit_loop(emit *e, const char *name, LLVMValueRef (*of)(emit *, LLVMValueRef)) {
    LLVMValueRef f = build_function(e, name, e->kernel_type);
    LLVMSetLinkage(f, LLVMExternalLinkage);
    LLVMValueRef in = build_arg(e, LLVMGetParam(f, 0), 0), out = build_arg(e, LLVMGetParam(f, 0), 1);
    LLVMValueRef n = build_call_size(e, LLVMGetParam(f, 1), SYM_T);
    loop l = build_loop(e, build_const_i64(e, 0), n, e->width, "i");
    LLVMValueRef at = LLVMBuildMul(e->b, l.index, build_const_i64(e, 4), "");
    build_store(e, of(e, build_load(e, e->vf, build_gep(e, in, at), 4)), build_gep(e, out, at), 4);
    build_loop_end(e, &l);
    LLVMBuildRetVoid(e->b);
}

static code make_code(const char *cpu) {
    code c = {0};
    arena *a = arena_new();
    diag d;
    target t;
    emit e;
    diag_init(&d);
    if (target_init(&t, NULL, cpu, PRECISION_F32, &d) && runs_here(&t)) {
        c.there = true;
        c.slack = t.fma ? 1 : 1.25;
        build_begin(&e, a, &d);
        build_target(&e, &t);
        for (int i = 0; i < FUNCTIONS; i++) emit_loop(&e, functions[i].name, functions[i].emit);
        c.jit = jit_code_open(&e, &t, 2);
        build_end(&e);
    }
    diag_print(&d, stderr);
    ck_assert(!c.there || c.jit != NULL);
    for (int i = 0; c.there && i < FUNCTIONS; i++)
        c.f[i] = (bertc_kernel)(uintptr_t)jit_code_symbol(c.jit, functions[i].name);
    diag_free(&d);
    arena_free(a);
    return c;
}

// --- Comparing

// A unit in the last place of a float near x; of the smallest normal for smaller ones' sake never below the
// denormals' step.
static double ulp(double x) {
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

// How far off, as a share of what is allowed: at most 1 is right.
static double badness(int f, double slack, float x, double want, float got) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (got == (float)want) return 0;
    double off = fabs((double)got - want), most = fmax(1, fabs((double)x));
    if (isinf(got) || isinf((float)want)) return isinf((float)want) && got == FLT_MAX ? 1 : INFINITY;
    if (fabs(want) < functions[f].flush && got == 0) return 0;
    double allowed = fmax(functions[f].absolute, functions[f].scaled * slack * most);
    if (off <= allowed) return off / allowed;
    return functions[f].ulps > 0 ? off / (functions[f].ulps * ulp(want)) : off / allowed;
}

typedef struct worst {
    double badness, want;
    float x, got;
} worst;

typedef struct worker {
    const code *codes;
    uint64_t from, to, step;
    worst worst[ISAS][FUNCTIONS];
} worker;

static void compare_block(worker *w, const float *x, int n) {
    static _Thread_local double want[BLOCK];
    static _Thread_local float got[BLOCK];
    bertc_call call = {.tokens = BLOCK};
    for (int f = 0; f < FUNCTIONS; f++) {
        for (int i = 0; i < n; i++) want[i] = functions[f].reference((double)x[i]);
        for (int c = 0; c < ISAS; c++) {
            if (!w->codes[c].there) continue;
            w->codes[c].f[f]((void *[]){(void *)(uintptr_t)x, got}, &call, 0, NULL, NULL, 0);
            for (int i = 0; i < n; i++) {
                if (got[i] == (float)want[i]) continue;
                double bad = badness(f, w->codes[c].slack, x[i], want[i], got[i]);
                if (bad > w->worst[c][f].badness) w->worst[c][f] = (worst){bad, want[i], x[i], got[i]};
            }
        }
    }
}

static void *work(void *context) {
    worker *w = context;
    static _Thread_local float x[BLOCK];
    int n = 0;
    for (uint64_t bits = w->from; bits < w->to; bits += w->step) {
        uint32_t low = (uint32_t)bits;
        memcpy(&x[n++], &low, 4);
        if (n < BLOCK) continue;
        compare_block(w, x, n);
        n = 0;
    }
    compare_block(w, x, n);
    return NULL;
}

// Prints the largest errors where asked, fails where one is larger than promised.
static void compare_all(uint64_t step, bool print) {
    code codes[ISAS];
    static worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (int c = 0; c < ISAS; c++) {
        codes[c] = make_code(cpu_at(c));
        if (c && !codes[c].there) skip_part(host_isa(cpu_at(c)), "%s", cpu_at(c));
    }
    ck_assert(codes[0].there);
    uint64_t end = (uint64_t)1 << 32, share = end / step / WORKERS * step;
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (worker){
            .codes = codes, .from = share * (uint64_t)i, .to = share * (uint64_t)(i + 1), .step = step};
        if (i == WORKERS - 1) workers[i].to = end;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
    for (int c = 0; c < ISAS; c++) {
        for (int f = 0; f < FUNCTIONS && codes[c].there; f++) {
            worst w = workers[0].worst[c][f];
            for (int i = 1; i < WORKERS; i++)
                if (workers[i].worst[c][f].badness > w.badness) w = workers[i].worst[c][f];
            if (print)
                printf("%-10s %-9s %.3f of what is allowed, at %.9g\n", cpu_at(c), functions[f].name,
                       w.badness, (double)w.x);
            ck_assert_msg(w.badness <= 1,
                          "%s, %s(%.9g = %a): %.9g instead of %.9g, %.2f times what is allowed", cpu_at(c),
                          functions[f].name, (double)w.x, (double)w.x, (double)w.got, w.want, w.badness);
        }
        if (codes[c].there) jit_code_close(codes[c].jit);
    }
}

START_TEST(every_61st) {
    compare_all(61, false);
}
END_TEST

START_TEST(all_of_them) {
    compare_all(1, true);
}
END_TEST

// The tails of gelu are exact, signs of zero and infinities as stated.
START_TEST(edges) {
    code c = make_code("native");
    float x[64] = {6, -6, 1e30f, -1e30f, INFINITY, -INFINITY, 0, -0.0f, -100}, y[64];
    bertc_call call = {.tokens = 64};
    for (int f = 6; f < 8; f++) {
        c.f[f]((void *[]){x, y}, &call, 0, NULL, NULL, 0);
        ck_assert(y[2] == x[2] && y[3] == 0 && y[4] == INFINITY && isnan(y[5]) && y[6] == 0 && y[7] == 0);
        ck_assert(fabsf(y[8]) < 1e-30f);
    }
    ck_assert(y[0] == 6.0f);
    jit_code_close(c.jit);
}
END_TEST

int main(int argc, char **argv) {
    bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
    Suite *s = suite_create("math");
    TCase *t = tcase_create("math");
    tcase_set_timeout(t, all ? 0 : 60);
    tcase_add_test(t, edges);
    if (all)
        tcase_add_test(t, all_of_them);
    else
        tcase_add_test(t, every_61st);
    suite_add_tcase(s, t);
    return suite_status(s);
}
