// links: backend ir llvm
// The emission helpers, compiled and run: loops, reductions, the call's fields, and the check that code is
// freestanding.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"
#include "main.h"

typedef struct setup {
    arena *arena;
    diag diag;
    target target;
    emit e;
} setup;

static void open_setup(setup *s) {
    s->arena = arena_new();
    diag_init(&s->diag);
    ck_assert(target_init(&s->target, NULL, "native", PRECISION_F32, &s->diag));
    build_begin(&s->e, s->arena, &s->diag);
    build_target(&s->e, &s->target);
}

static void close_setup(setup *s) {
    build_end(&s->e);
    diag_free(&s->diag);
    arena_free(s->arena);
}

static LLVMValueRef exported(setup *s, const char *name) {
    LLVMValueRef f = build_function(&s->e, name, s->e.kernel_type);
    LLVMSetLinkage(f, LLVMExternalLinkage);
    return f;
}

// args[0]: float[tasks][width] -> args[1]: float[2], the sum and the maximum of the sums of each vector.
START_TEST(loops_and_reductions) {
    setup s;
    open_setup(&s);
    emit *e = &s.e;
    LLVMValueRef f = exported(&s, "f");
    LLVMValueRef in = build_arg(e, LLVMGetParam(f, 0), 0), out = build_arg(e, LLVMGetParam(f, 0), 1);
    LLVMValueRef total = LLVMBuildAlloca(e->b, e->vf, ""), best = LLVMBuildAlloca(e->b, e->f32, "");
    build_store(e, LLVMConstNull(e->vf), total, 64);
    build_store(e, build_const_f32(e, -1e30), best, 4);
    LLVMValueRef tokens = build_call_size(e, LLVMGetParam(f, 1), SYM_T);
    loop l = build_loop(e, build_const_i64(e, 0), tokens, 1, "row");
    LLVMValueRef bytes = LLVMBuildMul(e->b, l.index, build_const_i64(e, 4 * e->width), "");
    LLVMValueRef v = build_load(e, e->vf, build_gep(e, in, bytes), 4);
    v = LLVMBuildFMul(e->b, v, build_splat(e, build_const_f32(e, 2.0), e->width), "");
    build_store(e, LLVMBuildFAdd(e->b, build_load(e, e->vf, total, 64), v, ""), total, 64);
    LLVMValueRef most = build_reduce_max(e, v), had = build_load(e, e->f32, best, 4);
    LLVMValueRef more = LLVMBuildFCmp(e->b, LLVMRealOGT, most, had, "");
    build_store(e, LLVMBuildSelect(e->b, more, most, had, ""), best, 4);
    build_loop_end(e, &l);
    build_store(e, build_reduce_add(e, build_load(e, e->vf, total, 64)), out, 4);
    build_store(e, build_load(e, e->f32, best, 4), build_gep(e, out, build_const_i64(e, 4)), 4);
    LLVMBuildRetVoid(e->b);
    jit_code *c = jit_code_open(e, &s.target, 2);
    diag_print(&s.diag, stderr);
    ck_assert_ptr_nonnull(c);
    bertc_kernel run = (bertc_kernel)(uintptr_t)jit_code_symbol(c, "f");
    ck_assert(run != NULL);
    ck_assert_ptr_null(jit_code_symbol(c, "g"));
    int n = 5 * e->width;
    float *x = calloc((size_t)n, sizeof(float)), y[2];
    double sum = 0;
    for (int i = 0; i < n; i++) x[i] = (float)(i % 7) - 2, sum += 2.0 * x[i];
    for (int64_t rows = 0; rows <= 5; rows += 5) {
        bertc_call call = {.tokens = rows};
        run((void *[]){x, y}, &call, 0, NULL, NULL, 0);
        ck_assert_float_eq(y[0], rows ? (float)sum : 0);
        ck_assert_float_eq(y[1], rows ? 8.0f : -1e30f);
    }
    free(x);
    jit_code_close(c);
    close_setup(&s);
}
END_TEST

START_TEST(calls_are_refused) {
    setup s;
    open_setup(&s);
    emit *e = &s.e;
    LLVMTypeRef t = LLVMFunctionType(e->f32, &e->f32, 1, false);
    LLVMValueRef expf = LLVMAddFunction(e->module, "expf", t);
    LLVMValueRef f = exported(&s, "f");
    LLVMValueRef x = build_load(e, e->f32, LLVMGetParam(f, 3), 4);
    x = LLVMBuildCall2(e->b, t, expf, &x, 1, "");
    build_store(e, x, LLVMGetParam(f, 3), 4);
    LLVMBuildRetVoid(e->b);
    ck_assert_ptr_null(jit_code_open(e, &s.target, 2));
    ck_assert_int_eq(s.diag.errors, 1);
    ck_assert_ptr_nonnull(strstr(s.diag.items[0].text, "expf"));
    close_setup(&s);
}
END_TEST

// A loop that clears memory, and one that copies, stay loops.
START_TEST(idioms_stay) {
    setup s;
    open_setup(&s);
    emit *e = &s.e;
    LLVMValueRef f = exported(&s, "f");
    LLVMValueRef to = build_arg(e, LLVMGetParam(f, 0), 0), from = build_arg(e, LLVMGetParam(f, 0), 1);
    LLVMValueRef n = build_call_size(e, LLVMGetParam(f, 1), SYM_S);
    for (int copy = 0; copy < 2; copy++) {
        loop l = build_loop(e, build_const_i64(e, 0), n, 1, "i");
        LLVMValueRef v = copy ? build_load(e, e->i8, build_gep(e, from, l.index), 1) : LLVMConstNull(e->i8);
        build_store(e, v, build_gep(e, to, l.index), 1);
        build_loop_end(e, &l);
    }
    LLVMBuildRetVoid(e->b);
    jit_code *c = jit_code_open(e, &s.target, 3);
    diag_print(&s.diag, stderr);
    ck_assert_ptr_nonnull(c);
    jit_code_close(c);
    close_setup(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("build");
    TCase *t = tcase_create("build");
    tcase_add_test(t, loops_and_reductions);
    tcase_add_test(t, calls_are_refused);
    tcase_add_test(t, idioms_stay);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
