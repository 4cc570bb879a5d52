// links: backend ir
// Targets: names, levels, triples, the host; and names that are none.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/target/level.h"
#include "main.h"

static target target_of(const char *triple, const char *mcpu, precision p) {
    diag d;
    target t;
    diag_init(&d);
    bool ok = target_init(&t, triple, mcpu, p, &d);
    diag_print(&d, stderr);
    ck_assert(ok);
    diag_free(&d);
    return t;
}

static target target_for(const char *triple, const char *mcpu) {
    return target_of(triple, mcpu, PRECISION_F32);
}

START_TEST(levels) {
    static const char avx2[] = "+avx,+avx2,+fma,+f16c,+sse4.2",
                      avx512[] =
                          "+avx,+avx2,+fma,+f16c,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,+sse4.2";
    static const struct {
        const char *triple, *mcpu, *isa, *level, *features;
        int rank, floats, registers;
        bool fma;
    } cases[] = {
        {"x86_64-linux-gnu", "generic", "generic", "generic", "", 0, 4, 16, false},
        {"x86_64-unknown-linux-gnu", "x86-64", "generic", "generic", "", 0, 4, 16, false},
        {"x86_64-pc-linux-gnu", "x86-64-v2", "generic", "generic", "", 0, 4, 16, false},
        {"x86_64-linux-gnu", "x86-64-v3", "avx2", "avx2", avx2, 20, 8, 16, true},
        {"x86_64-linux-musl", "znver3", "avx2", "avx2", avx2, 20, 8, 16, true},
        {"x86_64-linux-gnu", "alderlake", "avx2", "avxvnni", avx2, 20, 8, 16, true},
        {"x86_64-linux-gnu", "avxvnni", "avx2", "avxvnni", avx2, 20, 8, 16, true},
        {"x86_64-linux-gnu", "x86-64-v4", "avx512", "avx512", avx512, 40, 16, 32, true},
        {"x86_64-linux-gnu", "avx512vnni", "avx512", "avx512vnni", avx512, 40, 16, 32, true},
        {"x86_64-linux-gnu", "znver4", "avx512", "avx512bf16", avx512, 40, 16, 32, true},
        {"x86_64-linux-gnu", "sapphirerapids", "avx512", "amx", avx512, 40, 16, 32, true},
        {"aarch64-linux-gnu", NULL, "neon", "neon", "+neon", 0, 4, 32, true},
        {"aarch64-linux-gnu", "neoverse-n1", "neon", "dotprod", "+neon", 0, 4, 32, true},
        {"aarch64-linux-gnu", "i8mm", "neon", "i8mm", "+neon", 0, 4, 32, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        target t = target_for(cases[i].triple, cases[i].mcpu);
        ck_assert_str_eq(t.isa, cases[i].isa);
        ck_assert_str_eq(t.level, cases[i].level);
        ck_assert_int_eq(t.rank, cases[i].rank);
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

// Of each level: the class of a precision, and the level whose code is emitted.
START_TEST(precisions) {
    static const struct {
        const char *mcpu, *forms[PRECISION_COUNT][2];
    } cases[] = {
        {"avx2", {{"f32", "avx2"}, {"f32", "avx2"}, {"avx2", "avx2"}, {"f32", "avx2"}}},
        {"avxvnni", {{"f32", "avx2"}, {"f32", "avx2"}, {"vnni", "avxvnni"}, {"f32", "avx2"}}},
        {"avx512", {{"f32", "avx512"}, {"f32", "avx512"}, {"avx2", "avx512"}, {"f32", "avx512"}}},
        {"avx512vnni", {{"f32", "avx512"}, {"f32", "avx512"}, {"vnni", "avx512vnni"}, {"f32", "avx512"}}},
        {"avx512bf16",
         {{"f32", "avx512"}, {"bf16", "avx512bf16"}, {"vnni", "avx512bf16"}, {"f32", "avx512"}}},
        {"amx", {{"f32", "avx512"}, {"bf16", "amx"}, {"vnni", "amx"}, {"f32", "avx512"}}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (precision p = 0; p < PRECISION_COUNT; p++) {
            target t = target_of("x86_64-linux-gnu", cases[i].mcpu, p);
            ck_assert_str_eq(t.class, cases[i].forms[p][0]);
            ck_assert_str_eq(t.isa, cases[i].forms[p][1]);
            // Products in f32 stay whatever else a level has.
            ck_assert(target_product_find(&t, ELEM_F32, ELEM_F32));
        }
    }
}
END_TEST

START_TEST(precision_names) {
    precision p;
    for (precision i = 0; i < PRECISION_COUNT; i++)
        ck_assert(precision_find(precision_name(i), &p) && p == i);
    ck_assert(!precision_find("int4", &p));
    ck_assert(!precision_find("", &p));
}
END_TEST

// A level without a precision says which it has.
START_TEST(lacking) {
    static const struct {
        const char *triple, *mcpu, *text;
    } cases[] = {
        {"x86_64-linux-gnu", "x86-64-v2",
         "--dtype: x86-64-v2 has no code for int8 (level generic): it has f32"},
        {"aarch64-linux-gnu", "i8mm", "--dtype: i8mm has no code for int8 (level i8mm): it has f32"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        diag d;
        target t;
        diag_init(&d);
        ck_assert(!target_init(&t, cases[i].triple, cases[i].mcpu, PRECISION_INT8, &d));
        ck_assert_str_eq(d.items[0].text, cases[i].text);
        diag_free(&d);
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

// The table of CPUID against the compiler's own.
START_TEST(features) {
    bertc_cpu cpu = bertc_cpu_read(0);
    ck_assert_uint_eq(cpu.refused, 0);
#if defined(__x86_64__)
    __builtin_cpu_init();
#define SAME(name, text)                                                                                     \
    ck_assert_msg(!(cpu.has & BERTC_FEATURE_##name) == !__builtin_cpu_supports(text), "%s", text)
    SAME(SSE4_2, "sse4.2");
    SAME(AVX, "avx");
    SAME(AVX2, "avx2");
    SAME(FMA, "fma");
    SAME(AVX512F, "avx512f");
    SAME(AVX512BW, "avx512bw");
    SAME(AVX512CD, "avx512cd");
    SAME(AVX512DQ, "avx512dq");
    SAME(AVX512VL, "avx512vl");
    SAME(AVX512VBMI, "avx512vbmi");
    SAME(AVX512VNNI, "avx512vnni");
    SAME(AVX512BF16, "avx512bf16");
#else
    ck_assert_uint_ne(cpu.has, 0);
#endif
}
END_TEST

// Every bit has one name, and what a machine has not is said by name.
START_TEST(feature_names) {
    uint64_t seen = 0;
#define X(name, text)                                                                                        \
    ck_assert_uint_eq(seen &BERTC_FEATURE_##name, 0);                                                        \
    ck_assert_str_eq(bertc_feature_name(BERTC_FEATURE_##name), text);                                        \
    seen |= BERTC_FEATURE_##name;
    BERTC_FEATURE_LIST(X)
#undef X
    ck_assert_ptr_null(bertc_feature_name(BERTC_BIT(63)));
    const bertc_cpu cpu = {.has = BERTC_FEATURE_AVX2 | BERTC_FEATURES_AMX, .refused = BERTC_FEATURES_AMX};
    char lack[96] = "";
    ck_assert_int_eq(bertc_cpu_lack(&cpu, BERTC_FEATURE_AVX2, lack, sizeof lack), 0);
    ck_assert_int_gt(bertc_cpu_lack(&cpu, BERTC_FEATURE_SME | BERTC_FEATURE_AMX_TILE, lack, sizeof lack), 0);
    ck_assert_str_eq(lack, "sme, which this machine lacks");
    ck_assert_int_gt(bertc_cpu_lack(&cpu, BERTC_FEATURE_AVX2 | BERTC_FEATURE_AMX_INT8, lack, sizeof lack), 0);
    ck_assert_str_eq(lack, "amx-int8, which the system refuses this process");
    ck_assert_int_gt(bertc_cpu_lack(&cpu, BERTC_BIT(40), lack, sizeof lack), 0);
    ck_assert_str_eq(lack, "number 40, which this version does not know");
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
        ck_assert(!target_init(&t, cases[i][0], cases[i][1], PRECISION_F32, &d));
        ck_assert_int_eq(d.errors, 1);
        ck_assert_msg(strncmp(d.items[0].text, cases[i][2], strlen(cases[i][2])) == 0, "%s", d.items[0].text);
        diag_free(&d);
    }
}
END_TEST

// Every name that is listed is taken, and is what the list says. Levels stand by falling rank.
START_TEST(list) {
    char *text = NULL, triple[64] = "", word[64], its[64], code[64], here[16];
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    target_list(f);
    fclose(f);
    int cpus = 0, listed = 0, rank, last = 0;
    bool of_levels = false;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (line[0] != ' ') {
            snprintf(triple, sizeof(triple), "%s", line);
            last = 1000;
        } else if (strstr(line, " code")) {
            of_levels = strstr(line, " rank");
        } else if (of_levels) {
            ck_assert_int_eq(sscanf(line, "%63s %d %63s %15s", its, &rank, code, here), 4);
            target t = target_for(triple, its);
            ck_assert_str_eq(t.level, its);
            ck_assert_str_eq(t.isa, code);
            ck_assert(strcmp(code, its) || t.rank == rank);
            ck_assert_int_lt(rank, last);
            ck_assert(!strcmp(here, "yes") || !strcmp(here, "no:"));
            last = rank;
            listed++;
        } else {
            ck_assert_int_eq(sscanf(line, "%63s %63s %63s", word, its, code), 3);
            target t = target_for(triple, word);
            ck_assert_str_eq(t.level, its);
            ck_assert_str_eq(t.isa, code);
            cpus++;
        }
    }
    ck_assert_int_gt(cpus, 20);
    ck_assert_int_eq(listed, 10);
    free(text);
}
END_TEST

START_TEST(level_names) {
    ck_assert(target_is_level(target_for(NULL, "native").isa));
    ck_assert(!target_is_level("znver4"));
    ck_assert(!target_is_level(""));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("target");
    TCase *t = tcase_create("target");
    tcase_add_test(t, levels);
    tcase_add_test(t, precisions);
    tcase_add_test(t, precision_names);
    tcase_add_test(t, lacking);
    tcase_add_test(t, names);
    tcase_add_test(t, native);
    tcase_add_test(t, features);
    tcase_add_test(t, feature_names);
    tcase_add_test(t, unknown);
    tcase_add_test(t, list);
    tcase_add_test(t, level_names);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
