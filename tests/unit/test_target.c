// links: backend runtime ir
// Targets: names, levels, triples, the host; and names that are none.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/target/target.h"
#include "main.h"
#include "runtime/load/cpu.h"

static target target_for(const char *triple, const char *mcpu) {
    diag d;
    target t;
    diag_init(&d);
    bool ok = target_init(&t, triple, mcpu, &d);
    diag_print(&d, stderr);
    ck_assert(ok);
    diag_free(&d);
    return t;
}

START_TEST(levels) {
    static const struct {
        const char *triple, *mcpu, *isa, *features;
        int floats, registers;
        bool fma;
    } cases[] = {
        {"x86_64-linux-gnu", "generic", "generic", "", 4, 16, false},
        {"x86_64-unknown-linux-gnu", "x86-64", "generic", "", 4, 16, false},
        {"x86_64-pc-linux-gnu", "x86-64-v2", "generic", "+sse4.2", 4, 16, false},
        {"x86_64-linux-gnu", "x86-64-v3", "avx2", "+avx,+avx2,+fma,+f16c,+sse4.2", 8, 16, true},
        {"x86_64-linux-musl", "znver3", "avx2", "+avx,+avx2,+fma,+f16c,+sse4.2", 8, 16, true},
        {"x86_64-linux-gnu", "x86-64-v4", "avx512",
         "+avx,+avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,+sse4.2", 16, 32, true},
        {"x86_64-linux-gnu", "sapphirerapids", "avx512",
         "+avx,+avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,+sse4.2", 16, 32, true},
        {"aarch64-linux-gnu", NULL, "neon", "+neon", 4, 32, true},
        {"aarch64-linux-gnu", "neoverse-n1", "neon", "+neon", 4, 32, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        target t = target_for(cases[i].triple, cases[i].mcpu);
        ck_assert_str_eq(t.isa, cases[i].isa);
        ck_assert_str_eq(t.features, cases[i].features);
        ck_assert_int_eq(t.vector_floats, cases[i].floats);
        ck_assert_int_eq(t.vector_registers, cases[i].registers);
        ck_assert_int_eq(t.fma, cases[i].fma);
        ck_assert(t.l1_bytes > 0 && t.l2_bytes >= t.l1_bytes && t.l3_bytes >= t.l2_bytes);
        const target_product *f32 = target_product_find(&t, ELEM_F32, ELEM_F32);
        ck_assert(f32 && f32->sum == ELEM_F32 && f32->peak_gflops > 0 && t.memory_gbs > 0);
    }
}
END_TEST

START_TEST(names) {
    ck_assert_str_eq(target_for("x86_64-linux-gnu", "generic").cpu, "x86-64");
    ck_assert_str_eq(target_for("x86_64-linux-gnu", "znver4").cpu, "znver4");
    ck_assert_str_eq(target_for("aarch64-linux-gnu", NULL).triple, "aarch64-unknown-linux-gnu");
    ck_assert_int_gt(target_for("x86_64-linux-gnu", "sapphirerapids").prefetch_streams,
                     target_for("x86_64-linux-gnu", "znver4").prefetch_streams);
}
END_TEST

// What the host is said to have, the compiler that built this finds too.
START_TEST(native) {
    target t = target_for(NULL, "native"), again = target_for(NULL, NULL);
    ck_assert_mem_eq(&t, &again, sizeof(t));
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    ck_assert_str_eq(t.isa, avx512 ? "avx512" : avx2 ? "avx2" : "generic");
#endif
    ck_assert_ptr_null(strstr(t.features, "avx10"));
    ck_assert_ptr_null(strstr(t.features, "evex512"));
    ck_assert_int_ge(t.l1_bytes, 8 << 10);
    ck_assert_int_le(t.l1_bytes, 1 << 20);
    ck_assert_int_ge(t.l2_bytes, t.l1_bytes);
}
END_TEST

// The compiler and the runtime each read CPUID: what code is made for here, the loader takes here. (AMX, which
// the runtime asks the kernel for, may be refused.)
START_TEST(compiler_and_runtime_agree) {
    target_host host;
    target_host_read(&host);
    const uint64_t amx = BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8 | BERTC_FEATURE_AMX_BF16;
    ck_assert_uint_eq(cpu_features(~amx) & ~amx, host.features & ~amx);
    ck_assert_uint_eq(cpu_features(~UINT64_C(0)) & ~host.features, 0);
    ck_assert_uint_ne(host.features, 0);
}
END_TEST

START_TEST(unknown) {
    static const char *const cases[][3] = {
        {NULL, "pentium-9000", "pentium-9000: "},
        {"x86_64-linux-gnu", "neoverse-n1", "neoverse-n1: "}, // of another architecture
        {"riscv64-linux-gnu", NULL, "riscv64-linux-gnu: "},
        {"x86_64-w64-mingw32", NULL, "x86_64-w64-mingw32: "},
        {"x86_64", NULL, "x86_64: "},
        {"", NULL, ": "},
#if defined(__x86_64__)
        {"aarch64-linux-gnu", "native", "native: "},
#endif
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        diag d;
        target t;
        diag_init(&d);
        ck_assert(!target_init(&t, cases[i][0], cases[i][1], &d));
        ck_assert_int_eq(d.errors, 1);
        ck_assert_msg(strncmp(d.items[0].text, cases[i][2], strlen(cases[i][2])) == 0, "%s", d.items[0].text);
        diag_free(&d);
    }
}
END_TEST

// Every name that is listed is taken.
START_TEST(list) {
    char *text = NULL, triple[64] = "", word[64], isa[64];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    target_list(f);
    fclose(f);
    int cpus = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] != ' ') {
            snprintf(triple, sizeof(triple), "%s", line);
            continue;
        }
        ck_assert_int_eq(sscanf(line, "%63s %63s", word, isa), 2);
        target t = target_for(triple, word);
        if (strcmp(word, "native")) ck_assert_str_eq(t.isa, isa);
        cpus++;
    }
    ck_assert_int_gt(cpus, 20);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("target");
    TCase *t = tcase_create("target");
    tcase_add_test(t, levels);
    tcase_add_test(t, names);
    tcase_add_test(t, native);
    tcase_add_test(t, compiler_and_runtime_agree);
    tcase_add_test(t, unknown);
    tcase_add_test(t, list);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
