// links: backend passes ir llvm
// What a kernel's further results cost, as machine code: the numbers of a norm and the log-sum-exp of an attention are what
// the kernel has anyway. Their functions have no loop and no square root more than without them, and a yield that nobody
// reads leaves nothing behind. Rows that leave quantised as well cost one loop more, for their scales are found in the loop
// that makes the row, and two divisions. Code is made, not run.
#include "machine_code.h"

#include "main.h"
#include "passes/passes.h"

#define TOP                                                                                                  \
    "graph @g(%x: f32[T,50], %res: f32[T,70], %q: f32[T,32], %k: f32[T,32], %v: f32[T,32], %bounds: "        \
    "i32[S+1]) {\n"                                                                                          \
    "  %w = constant -> f32[50,70] {recipe = tensor(\"w\", f32[50,70])}\n"                                   \
    "  %gamma = constant -> f32[70] {recipe = tensor(\"g\", f32[70])}\n"                                     \
    "  %beta = constant -> f32[70] {recipe = tensor(\"b\", f32[70])}\n"
#define NUMBERS                                                                                              \
    "    %n = layer_norm %sum, %gamma, %beta {eps = 1e-5}\n"                                                 \
    "    %mean = reduce_mean %sum {axes = [1]}\n"                                                            \
    "    %d = sub %sum, %mean\n"                                                                             \
    "    %square = mul %d, %d\n"                                                                             \
    "    %variance = reduce_mean %square {axes = [1]}\n"                                                     \
    "    %eps = constant 1e-5\n"                                                                             \
    "    %shifted = add %variance, %eps\n"                                                                   \
    "    %rstd = rsqrt %shifted\n"                                                                           \
    "    yield %n, %mean, %rstd\n"                                                                           \
    "  }\n"

static const struct code_case {
    const char *function; // a part of its name
    int results;          // beside the first
    const char *text;
} cases[] = {
    {"norm.rows", 2,
     TOP "  %y = fuse (%x, %w, %res, %gamma, %beta) {\n"
         "    %dot = matmul %x, %w\n"
         "    %sum = add %dot, %res\n" NUMBERS},
    {"rowwise.", 2,
     TOP "  %y = fuse (%res, %gamma, %beta) {\n"
         "    %sum = add %res, %res\n" NUMBERS},
    {"attention.softmax", 1,
     TOP "  %y = per_sequence (%bounds; %q, %k, %v) {\n"
         "    %b = fuse (%q, %k, %v) {\n"
         "      %qh = reshape %q {shape = [L,2,16]}\n"
         "      %qt = transpose %qh {perm = [1,0,2]}\n"
         "      %kh = reshape %k {shape = [L,2,16]}\n"
         "      %kt = transpose %kh {perm = [1,2,0]}\n"
         "      %vh = reshape %v {shape = [L,2,16]}\n"
         "      %vt = transpose %vh {perm = [1,0,2]}\n"
         "      %s = matmul %qt, %kt\n"
         "      %p = softmax %s\n"
         "      %o = matmul %p, %vt\n"
         "      %ot = transpose %o {perm = [1,0,2]}\n"
         "      %c = reshape %ot {shape = [L,32]}\n"
         "      %most = reduce_max %s {axes = [2]}\n"
         "      %less = sub %s, %most\n"
         "      %e = exp %less\n"
         "      %sum = reduce_sum %e {axes = [2]}\n"
         "      %log = log %sum\n"
         "      %lse = add %log, %most\n"
         "      %lt = transpose %lse {perm = [1,0,2]}\n"
         "      %l = reshape %lt {shape = [L,2]}\n"
         "      yield %c, %l\n"
         "    }\n"
         "    %b1 = result %b {index = 1}\n"
         "    yield %b, %b1\n"
         "  }\n"},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

#define WIDE                                                                                                 \
    "graph @g(%x: f32[T,64], %res: f32[T,768]) {\n"                                                          \
    "  %w = constant -> f32[64,768] {recipe = tensor(\"w\", f32[64,768])}\n"                                 \
    "  %gamma = constant -> f32[768] {recipe = tensor(\"g\", f32[768])}\n"                                   \
    "  %beta = constant -> f32[768] {recipe = tensor(\"b\", f32[768])}\n"
#define QUANTISED                                                                                            \
    "    %n = layer_norm %sum, %gamma, %beta {eps = 1e-5}\n"                                                 \
    "    %s = scales %n {group = 768, limit = 127}\n"                                                        \
    "    %q = quantize %n, %s {to = u8, group = 768, limit = 127}\n"                                         \
    "    yield %n, %q, %s\n"                                                                                 \
    "  }\n"

static const struct code_case quantised[] = {
    {"norm.rows", 2,
     WIDE "  %y = fuse (%x, %w, %res, %gamma, %beta) {\n"
          "    %dot = matmul %x, %w\n"
          "    %sum = add %dot, %res\n" QUANTISED},
    {"rowwise.", 2,
     WIDE "  %y = fuse (%res, %gamma, %beta) {\n"
          "    %sum = add %res, %res\n" QUANTISED},
};
enum { QUANTISED_CASES = sizeof(quantised) / sizeof(quantised[0]) };

#define X86 "x86_64-unknown-linux-gnu"
#define ARM "aarch64-unknown-linux-gnu"
static const struct cpu {
    const char *triple, *name;
} cpus[] = {{X86, "x86-64"}, {X86, "x86-64-v3"}, {X86, "x86-64-v4"}, {ARM, "generic"}};
enum { CPUS = sizeof(cpus) / sizeof(cpus[0]) };

typedef struct figures {
    int functions, instructions, loops, roots, divisions;
} figures;

static figures count(const object_code *code) {
    figures n = {.functions = code->count};
    for (int i = 0; i < code->count; i++) {
        const function_code *f = &code->functions[i];
        n.instructions += f->count;
        for (int k = 0; k < f->count; k++) {
            n.loops += branches_back(f, k, code->arm) >= 0;
            n.roots += strstr(f->items[k].opcode, "sqrt") != NULL;
            n.divisions += strstr(f->items[k].opcode, "div") && !strstr(f->items[k].opcode, "udiv");
        }
    }
    return n;
}

// A case's graph; `read`: with all of its results.
static graph *graph_of(arena *a, const struct code_case *c, bool read, diag *d) {
    const char *results = "", *outputs = "  output out.0 = %y\n";
    for (int i = 1; read && i <= c->results; i++) {
        results = arena_printf(a, "%s  %%r%d = result %%y {index = %d}\n", results, i, i);
        outputs = arena_printf(a, "%s  output out.%d = %%r%d\n", outputs, i, i);
    }
    const char *text = arena_printf(a, "%s%s%s}\n", c->text, results, outputs);
    graph *g = graph_parse(a, "case", text, strlen(text), d);
    diag_print(d, stderr);
    ck_assert(g != NULL);
    return g;
}

// The functions of its kernels.
static figures compiled(const struct code_case *c, const target *t, bool read) {
    arena *a = arena_new();
    diag d;
    emit e;
    diag_init(&d);
    graph *g = graph_of(a, c, read, &d);
    pass_context p = {.target = t, .diag = &d, .verify = true};
    ck_assert(passes_run(g, "assign_layouts,pack_weights", &p) && passes_add_variant(g, 64, 1, &p) == 0);
    artefact x = {.module = module_alone(a, g), .targets = t, .target_count = 1};
    const kernel **kernels = ARENA_ARRAY(a, const kernel *, g->count);
    build_begin(&e, a, &d);
    ck_assert(codegen_kernels(&e, &x, kernels));
    for (value v = 0; v < g->count; v++)
        for (int i = 0; kernels[v] && i < kernels[v]->phase_count[0]; i++)
            LLVMSetLinkage(kernels[v]->phases[0][i].function, LLVMExternalLinkage);
    LLVMTargetMachineRef machine = codegen_machine(t, 2, &d);
    ck_assert(machine && codegen_optimise(&e, machine, 2));
    object_code *code = ARENA_NEW(a, object_code);
    read_functions(codegen_emit(&e, machine, LLVMObjectFile), t, c->function, a, code);
    figures n = count(code);
    LLVMDisposeTargetMachine(machine);
    build_end(&e);
    diag_free(&d);
    arena_free(a);
    return n;
}

// Has this LLVM code for it?
static bool has_code(const target *t) {
    diag d;
    diag_init(&d);
    LLVMTargetMachineRef machine = codegen_machine(t, 2, &d);
    if (machine) LLVMDisposeTargetMachine(machine);
    diag_free(&d);
    return machine != NULL;
}

static target target_of(const struct cpu *cpu) {
    target t;
    diag d;
    diag_init(&d);
    ck_assert(target_init(&t, cpu->triple, cpu->name, PRECISION_F32, &d));
    diag_free(&d);
    return t;
}

START_TEST(further_results) {
    const struct code_case *c = &cases[_i / CPUS];
    const struct cpu *cpu = &cpus[_i % CPUS];
    target t = target_of(cpu);
    if (!has_code(&t)) SKIP("neon", "this LLVM has no code for %s", cpu->triple);
    figures one = compiled(c, &t, false), all = compiled(c, &t, true);
    ck_assert_int_gt(one.functions, 0);
    ck_assert_int_eq(one.functions, all.functions);
    ck_assert_msg(one.loops == all.loops && one.roots == all.roots,
                  "%s on %s: %d loops and %d roots, with its results %d and %d", c->function, cpu->name,
                  one.loops, one.roots, all.loops, all.roots);
    ck_assert_int_gt(all.instructions, one.instructions);
}
END_TEST

START_TEST(quantised_rows) {
    const struct code_case *c = &quantised[_i / CPUS];
    const struct cpu *cpu = &cpus[_i % CPUS];
    target t = target_of(cpu);
    if (!has_code(&t)) SKIP("neon", "this LLVM has no code for %s", cpu->triple);
    figures one = compiled(c, &t, false), all = compiled(c, &t, true);
    ck_assert_int_gt(one.functions, 0);
    ck_assert_msg(all.loops == one.loops + 1 && all.divisions == one.divisions + 2,
                  "%s on %s: %d loops and %d divisions, quantised %d and %d", c->function, cpu->name,
                  one.loops, one.divisions, all.loops, all.divisions);
}
END_TEST

int main(void) {
    Suite *s = suite_create("results_code");
    TCase *t = tcase_create("results_code");
    tcase_add_loop_test(t, further_results, 0, CASES * CPUS);
    tcase_add_loop_test(t, quantised_rows, 0, QUANTISED_CASES * CPUS);
    suite_add_tcase(s, t);
    return suite_status(s);
}
