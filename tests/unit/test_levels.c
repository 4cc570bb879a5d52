// links: runtime
// Which level of an artefact's code is run: the first, by rank, that the CPU has, or the one that BERTC_ISA names.
#include <check.h>
#include <signal.h>

#include "loader_case.h"
#include "main.h"
#include "runtime/load/levels.h"

// No machine has the last of these bits; every one has `none`.
static const uint64_t none = 0, strange = UINT64_C(1) << 63;

// An artefact with these levels, and two variants of each.
typedef struct level {
    const char *isa;
    uint32_t rank;
    uint64_t features;
    const char *class_name;
} level;
static blob with_levels(const level *levels, int count) {
    toy_variant v[8];
    for (int i = 0; i < 2 * count; i++)
        v[i] = (toy_variant){.name = i % 2 ? "long" : "short",
                             .features = levels[i / 2].features,
                             .length = i % 2 ? 32 : 8,
                             .tokens = i % 2 ? 32 : 8,
                             .isa = levels[i / 2].isa,
                             .class_name = levels[i / 2].class_name,
                             .rank = levels[i / 2].rank};
    return elf_toy((toy_options){.variants = v, .variant_count = 2 * count});
}

static const level usual[] = {{"best", 70, strange}, {"good", 40, none}, {"plain", 0, none}};

static bertc_model *open_levels(const level *levels, int count) {
    bertc_error error = {""};
    blob b = with_levels(levels, count);
    write_file(b.data, b.size);
    bertc_model *m = bertc_load(path, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    free(b.data);
    return m;
}

static const char *lack_of(const bertc_model *m, int i) {
    const char *lack;
    bertc_level(m, i, NULL, &lack);
    return lack;
}

START_TEST(by_rank) {
    bertc_model *m = open_levels(usual, 3);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m, &info, NULL);
    ck_assert_str_eq(info.isa_names, "good,plain");
    ck_assert_int_eq(info.variant_count, 2);
    ck_assert_int_eq(info.max_length, 32);
    int rank = 0;
    const char *lack;
    ck_assert_str_eq(bertc_level(m, 0, &rank, &lack), "best");
    ck_assert_int_eq(rank, 70);
    ck_assert_str_eq(lack, "number 63, which this version does not know");
    ck_assert_str_eq(bertc_level(m, 2, NULL, NULL), "plain");
    ck_assert_ptr_null(lack_of(m, 1));
    ck_assert_ptr_null(lack_of(m, 2));
    ck_assert_ptr_null(bertc_level(m, 3, &rank, &lack));
    ck_assert_ptr_null(bertc_level(m, -1, NULL, NULL));
    ck_assert_ptr_null(bertc_level(NULL, 0, NULL, NULL));
    bertc_unload(m);
}
END_TEST

START_TEST(asked_for) {
    setenv("BERTC_ISA", "plain", 1);
    bertc_model *m = open_levels(usual, 3);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m, &info, NULL);
    ck_assert_str_eq(info.isa_names, "plain");
    ck_assert_str_eq(lack_of(m, 0), "number 63, which this version does not know");
    ck_assert_str_eq(lack_of(m, 1), "BERTC_ISA asks for plain");
    ck_assert_ptr_null(lack_of(m, 2));
    bertc_unload(m);
    setenv("BERTC_ISA", "", 1); // as if it were not there
    bertc_unload(open_levels(usual, 3));
}
END_TEST

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

START_TEST(not_to_be_had) {
    blob b = with_levels(usual, 3);
    setenv("BERTC_ISA", "better", 1);
    ck_assert_str_eq(load(b.data, b.size), "BERTC_ISA=better: it has code for best, good, plain");
    setenv("BERTC_ISA", "goo", 1);
    ck_assert_str_eq(load(b.data, b.size), "BERTC_ISA=goo: it has code for best, good, plain");
    setenv("BERTC_ISA", "best", 1);
    ck_assert_str_eq(load(b.data, b.size),
                     "BERTC_ISA=best: it needs the CPU feature number 63, which this version does not know");
    free(b.data);
    unsetenv("BERTC_ISA");
    b = with_levels(usual, 1);
    ck_assert(
        begins(load(b.data, b.size), "it needs the CPU feature number 63, which this version does not know"));
    free(b.data);
#if defined(__x86_64__)
    const uint64_t other = BERTC_FEATURE_SVE2;
    const char *says =
        "it needs the CPU feature sve2, which this machine lacks (bertc compile --mcpu generic makes "
        "float32 code for any x86-64 CPU)";
#else
    const uint64_t other = BERTC_FEATURE_AVX2;
    const char *says = "it needs the CPU feature avx2, which this machine lacks";
#endif
    b = with_levels(&(level){"other", 1, other}, 1);
    ck_assert_str_eq(load(b.data, b.size), says);
    free(b.data);
}
END_TEST

// A CPU with AMX whose system does not let this process use it: the level below runs, and it is said why. One that has
// no AVX2 either has no level.
START_TEST(refused) {
    const uint64_t amx = BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8;
    const level levels[] = {
        {"amx", 70, BERTC_FEATURE_AVX2 | amx}, {"avx2", 20, BERTC_FEATURE_AVX2}, {"none", 0, 0}};
    const bertc_cpu allows = {.has = BERTC_FEATURE_AVX2 | amx},
                    refuses = {.has = BERTC_FEATURE_AVX2 | amx, .refused = amx}, small = {0};
    bertc_error error = {""};
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model *m = open_levels(levels, 3);
    ck_assert(levels_choose_on(m, &allows, NULL, &error));
    ck_assert_str_eq(m->isa_names, "amx,avx2,none");
    ck_assert_ptr_null(lack_of(m, 0));
    ck_assert(levels_choose_on(m, &refuses, NULL, &error));
    ck_assert_str_eq(lack_of(m, 0), "amx-tile, which the system refuses this process");
    ck_assert_str_eq(m->isa_names, "avx2,none");
    ck_assert_int_eq(m->variants->rank, 20);
    bertc_model_describe(m, &info, NULL);
    ck_assert_int_eq(info.variant_count, 2);
    ck_assert(!levels_choose_on(m, &refuses, "amx", &error));
    ck_assert_str_eq(
        error.message,
        "BERTC_ISA=amx: it needs the CPU feature amx-tile, which the system refuses this process");
    ck_assert(levels_choose_on(m, &small, NULL, &error));
    ck_assert_str_eq(m->isa_names, "none");
    bertc_unload(m);
}
END_TEST

#if defined(__x86_64__)
// The kernel refuses AMX to a process with a thread whose alternative signal stack is too small for the tiles.
START_TEST(refused_by_the_kernel) {
    static char stack[8192];
    const stack_t small = {.ss_sp = stack, .ss_size = sizeof stack};
    if (!(bertc_cpu_read(0).has & BERTC_FEATURE_AMX_TILE)) SKIP("amx", "a kernel that could refuse it");
    ck_assert_int_eq(sigaltstack(&small, NULL), 0);
    const bertc_cpu cpu = bertc_cpu_read(BERTC_FEATURE_AMX_TILE);
    ck_assert(cpu.refused & BERTC_FEATURE_AMX_TILE);
}
END_TEST
#endif

// The order is what the loader goes by, so it is checked.
START_TEST(order) {
    static const struct {
        level levels[2];
        const char *says;
    } cases[] = {
        {{{"a", 1, 0}, {"b", 2, 0}}, "its rank is higher than that of the one before it"},
        {{{"a", 2, 0}, {"b", 2, 0}}, "another of its rank is not of its level"},
        {{{"a", 2, 0}, {"a", 2, 1}}, "another of its rank is not of its level"},
        {{{"a", 2, 0, "f32"}, {"a", 2, 0, "vnni"}}, "another of its rank is of another class"},
        {{{"a", 2, 0, "f32"}, {"a", 2, 0}}, "another of its rank is of another class"},
        {{{"a", 2, 0}, {"a", 2, 0}}, "it takes fewer tokens than the one before it"},
    };
    char want[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob b = with_levels(cases[i].levels, 2);
        snprintf(want, sizeof want, "broken descriptor: variant short: %s", cases[i].says);
        ck_assert_str_eq(load(b.data, b.size), want);
        free(b.data);
    }
}
END_TEST

int main(void) {
    name_file();
    unsetenv("BERTC_ISA");
    Suite *s = suite_create("levels");
    TCase *t = tcase_create("levels");
    tcase_add_test(t, by_rank);
    tcase_add_test(t, asked_for);
    tcase_add_test(t, not_to_be_had);
    tcase_add_test(t, refused);
#if defined(__x86_64__)
    tcase_add_test(t, refused_by_the_kernel);
#endif
    tcase_add_test(t, order);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    unlink(path);
    return status;
}
