// links: backend ir
// Targets: names, levels, triples, the host; and names that are none.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/matmul/products.h"
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

#define AVX2   "+avx,+avx2,+fma,+f16c,"
#define AVX512 AVX2 "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,"

START_TEST(levels) {
    static const struct {
        const char *triple, *mcpu, *level, *features;
        int rank, floats, registers;
        bool fma;
    } cases[] = {
        {"x86_64-linux-gnu", "generic", "generic", "", 0, 4, 16, false},
        {"x86_64-unknown-linux-gnu", "x86-64", "generic", "", 0, 4, 16, false},
        {"x86_64-pc-linux-gnu", "x86-64-v2", "generic", "", 0, 4, 16, false},
        {"x86_64-linux-gnu", "x86-64-v3", "avx2", AVX2 "+sse4.2", 20, 8, 16, true},
        {"x86_64-linux-musl", "znver3", "avx2", AVX2 "+sse4.2", 20, 8, 16, true},
        {"x86_64-linux-gnu", "alderlake", "avxvnni", AVX2 "+sse4.2,+avxvnni", 30, 8, 16, true},
        {"x86_64-linux-gnu", "avxvnni", "avxvnni", AVX2 "+sse4.2,+avxvnni", 30, 8, 16, true},
        {"x86_64-linux-gnu", "x86-64-v4", "avx512", AVX512 "+sse4.2", 40, 16, 32, true},
        {"x86_64-linux-gnu", "avx512vnni", "avx512vnni", AVX512 "+avx512vnni,+sse4.2", 50, 16, 32, true},
        {"x86_64-linux-gnu", "znver4", "avx512bf16", AVX512 "+avx512vnni,+avx512bf16,+sse4.2", 60, 16, 32,
         true},
        {"x86_64-linux-gnu", "sapphirerapids", "amx",
         AVX512 "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16,+sse4.2", 70, 16, 32, true},
        {"aarch64-linux-gnu", NULL, "neon", "+neon", 0, 4, 32, true},
        {"aarch64-linux-gnu", "neoverse-n1", "dotprod", "+neon,+dotprod", 10, 4, 32, true},
        {"aarch64-linux-gnu", "i8mm", "i8mm", "+neon,+dotprod,+i8mm", 20, 4, 32, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        target t = target_for(cases[i].triple, cases[i].mcpu);
        ck_assert_str_eq(t.isa, cases[i].level);
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

// Of each level the class of a precision.
START_TEST(precisions) {
    static const struct {
        const char *mcpu, *classes[PRECISION_COUNT];
    } cases[] = {
        {"avx2", {"f32", "f32", "avx2", "f32"}},        {"avxvnni", {"f32", "f32", "vnni", "f32"}},
        {"avx512", {"f32", "f32", "avx2", "f32"}},      {"avx512vnni", {"f32", "f32", "vnni", "f32"}},
        {"avx512bf16", {"f32", "bf16", "vnni", "f32"}}, {"amx", {"f32", "bf16", "vnni", "f32"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (precision p = 0; p < PRECISION_COUNT; p++) {
            target t = target_of("x86_64-linux-gnu", cases[i].mcpu, p);
            ck_assert_str_eq(t.class, cases[i].classes[p]);
            ck_assert_int_eq(t.precision, p);
            // Products in f32 stay whatever else a level has.
            ck_assert(target_product_find(&t, ELEM_F32, ELEM_F32));
        }
    }
}
END_TEST

// --- Levels whose code is equal

static value cast(graph *g, value v, elem to) {
    attr a = attr_elem(ATTR_to, to);
    return graph_append(g, OP_cast, 1, &v, 1, &a);
}

// A graph with a product of rows `left` and weights `right`, which are cast to `as` where that is not `right`; the
// result is cast to `result`.
static graph *product_graph(arena *a, elem left, elem right, elem as, elem result) {
    graph *g = graph_new(a, "g");
    value x = graph_input(g, "x", type_make(left, 2, (dim[]){dim_sym(SYM_T), dim_num(32)}));
    value w = graph_constant_recipe(g, "w", recipe_tensor(a, "w", right, 2, (int64_t[]){32, 16}));
    if (as != right) w = cast(g, w, as);
    value y = graph_op2(g, OP_matmul, x, w);
    if (result != graph_type(g, y)->e) y = cast(g, y, result);
    graph_output_add(g, "y", y);
    return g;
}

static void expect_settled(const char *mcpu, precision p, const graph *g, const char *isa) {
    target t = target_of("x86_64-linux-gnu", mcpu, p), before = t;
    target_settle(&t, g);
    ck_assert_str_eq(t.isa, isa);
    ck_assert_str_eq(t.level, before.level);
    ck_assert_str_eq(t.class, before.class);
    ck_assert_str_eq(t.cpu, before.cpu);
    ck_assert_int_eq(t.prefetch_streams, before.prefetch_streams);
    ck_assert_uint_eq(t.feature_bits & ~before.feature_bits, 0);
    target lowest = target_of("x86_64-linux-gnu", isa, p);
    ck_assert_str_eq(t.features, lowest.features);
    ck_assert_int_eq(t.rank, lowest.rank);
    ck_assert_int_eq(t.product_count, lowest.product_count);
}

START_TEST(settled) {
    arena *a = arena_new();
    const graph *f32 = product_graph(a, ELEM_F32, ELEM_F32, ELEM_F32, ELEM_F32),
                *rounds = product_graph(a, ELEM_F32, ELEM_F32, ELEM_F32, ELEM_BF16);
    static const char *const cases[][2] = {
        {"generic", "generic"},   {"avx2", "avx2"},         {"avxvnni", "avx2"}, {"avx512", "avx512"},
        {"avx512vnni", "avx512"}, {"avx512bf16", "avx512"}, {"amx", "avx512"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_settled(cases[i][0], PRECISION_F32, f32, cases[i][1]);
    // An instruction that rounds to bf16.
    expect_settled("avx512vnni", PRECISION_F32, rounds, "avx512");
    expect_settled("avx512bf16", PRECISION_F32, rounds, "avx512bf16");
    expect_settled("amx", PRECISION_F32, rounds, "avx512bf16");
    // Classes stay what they are.
    expect_settled("avxvnni", PRECISION_INT8, f32, "avxvnni");
    expect_settled("avx512bf16", PRECISION_INT8, f32, "avx512vnni");
    expect_settled("avx512bf16", PRECISION_BF16, f32, "avx512bf16");
    arena_free(a);
}
END_TEST

// A product of kernels.def is a level's own where the level below has none, or another, of its element types.
START_TEST(settled_by_products) {
    arena *a = arena_new();
    for (product_id i = 0; i < PRODUCT_COUNT; i++) {
        const product_row *row = product_row_of(i);
        const target_product *p = &row->product;
        bool widened = p->left != p->right && p->left == ELEM_F32;
        if (!level_find(ARCH_X86_64, row->isa)) continue;
        const graph *g = product_graph(a, p->left, p->right, widened ? ELEM_F32 : p->right, p->sum);
        expect_settled(row->isa, PRECISION_F32, g, row->isa);
    }
    arena_free(a);
}
END_TEST

// The levels of `--mcpu portable` for each precision.
START_TEST(portable) {
    static const struct {
        const char *triple;
        precision p;
        const char *names;
    } cases[] = {
        {"x86_64-linux-gnu", PRECISION_F32, "avx2 avxvnni avx512 avx512vnni avx512bf16 amx "},
        {"x86_64-linux-gnu", PRECISION_INT8, "avx2 avxvnni avx512 avx512vnni avx512bf16 amx "},
        {"aarch64-linux-gnu", PRECISION_F32, "neon dotprod i8mm "},
        {"aarch64-linux-gnu", PRECISION_INT8, "neon "}, // which lacks it
        {"riscv64-linux-gnu", PRECISION_F32, "generic "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *names[TARGET_MOST_LEVELS];
        char text[128] = "";
        int n = target_portable(cases[i].triple, cases[i].p, names);
        for (int k = 0; k < n; k++) strcat(strcat(text, names[k]), " ");
        ck_assert_str_eq(text, cases[i].names);
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
    ck_assert(avx512 ? t.vector_floats == 16 : avx2 ? t.vector_floats == 8 : !strcmp(t.isa, "generic"));
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
    char *text = NULL, triple[64] = "", word[64], its[64], bf16[16], int8[16], here[16];
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
        } else if (!strncmp(line, "  level ", 8) || !strncmp(line, "  CPU ", 6)) {
            of_levels = line[2] == 'l';
        } else if (of_levels) {
            ck_assert_int_eq(sscanf(line, "%63s %d %15s %15s %15s", its, &rank, bf16, int8, here), 5);
            target t = target_for(triple, its);
            ck_assert_str_eq(t.level, its);
            ck_assert_int_eq(t.rank, rank);
            ck_assert_int_lt(rank, last);
            if (*bf16 != '-') ck_assert_str_eq(target_of(triple, its, PRECISION_BF16).class, bf16);
            if (*int8 != '-') ck_assert_str_eq(target_of(triple, its, PRECISION_INT8).class, int8);
            ck_assert(!strcmp(here, "yes") || !strcmp(here, "no:"));
            last = rank;
            listed++;
        } else {
            ck_assert_int_eq(sscanf(line, "%63s %63s", word, its), 2);
            ck_assert_str_eq(target_for(triple, word).level, its);
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
    tcase_add_test(t, settled);
    tcase_add_test(t, settled_by_products);
    tcase_add_test(t, portable);
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
