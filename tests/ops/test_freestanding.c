// links: backend passes ir llvm
// What converts between element types calls no function of a library, on any level, those of other machines too: LLVM
// makes calls of its own conversions where the target has no instruction (codegen_emit refuses them).
#include "backend/codegen.h"
#include "backend/output/artefact.h"
#include "harness.h"
#include "main.h"
#include "passes/passes.h"

static const char *const files[] = {
    "cast", "moves", "quantize", "fuse_quantize", "fuse_embedding_half", "matmul_narrow"};
#define FILES (int)(sizeof(files) / sizeof(files[0]))

static const struct {
    const char *triple, *cpu;
} cpus[] = {{"x86_64-unknown-linux-gnu", "x86-64"},
            {"x86_64-unknown-linux-gnu", "x86-64-v2"},
            {"x86_64-unknown-linux-gnu", "x86-64-v3"},
            {"x86_64-unknown-linux-gnu", "x86-64-v4"},
            {"aarch64-unknown-linux-gnu", "generic"}};
#define CPUS (int)(sizeof(cpus) / sizeof(cpus[0]))

static void must(diag *d, bool ok, const char *what) {
    if (!ok) diag_print(d, stderr);
    ck_assert_msg(ok, "%s", what);
}

START_TEST(no_calls) {
    const char *triple = cpus[_i % CPUS].triple, *cpu = cpus[_i % CPUS].cpu;
    arena *a = arena_new();
    diag d;
    target t;
    emit e;
    harness h = {0};
    diag_init(&d);
    const char *path = arena_printf(a, "%s/ops/%s.ir", BERTC_TESTS, files[_i / CPUS]);
    graph *g = graph_clone(a, harness_parse(a, path, &h));
    if (!target_init(&t, triple, cpu, PRECISION_F32, &d)) { // of an LLVM without that machine
        diag_free(&d);
        SKIP("tools", "LLVM's code generator of %s", triple);
    }
    pass_context c = {.target = &t, .diag = &d, .verify = true};
    must(&d, passes_run(g, "assign_layouts,pack_weights", &c), "passes");
    must(&d, passes_add_variant(g, 16, 2, &c) == 0, "variant");
    artefact x = {.module = module_alone(a, g), .targets = &t, .target_count = 1};
    const kernel **kernels = ARENA_ARRAY(a, const kernel *, g->count);
    build_begin(&e, a, &d);
    must(&d, codegen_kernels(&e, &x, kernels), "kernels");
    for (value v = 0; v < g->count; v++)
        for (int p = 0; kernels[v] && p < kernels[v]->phase_count[0]; p++)
            LLVMSetLinkage(kernels[v]->phases[0][p].function, LLVMExternalLinkage);
    LLVMTargetMachineRef machine = codegen_machine(&t, 2, &d);
    must(&d, machine && codegen_optimise(&e, machine, 2), "optimiser");
    LLVMMemoryBufferRef object = codegen_emit(&e, machine, LLVMObjectFile);
    must(&d, object != NULL, path);
    LLVMDisposeMemoryBuffer(object);
    LLVMDisposeTargetMachine(machine);
    build_end(&e);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("freestanding");
    TCase *t = tcase_create("freestanding");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, no_calls, 0, FILES * CPUS);
    suite_add_tcase(s, t);
    return suite_status(s);
}
