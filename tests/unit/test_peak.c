// links: cli
// The loops that measure what a CPU multiplies at most: each level gets the one of its own instruction, and those that
// this machine has run.
#include <check.h>
#include <math.h>

#include "frontend/cli/bench/peak_loops.h"
#include "host.h"
#include "main.h"

static const struct {
    const char *level;
    bool bf16, int8; // has it an instruction of its own?
} levels[] = {{"generic", false, false}, {"avx2", false, true},       {"avxvnni", false, true},
              {"avx512", false, true},   {"avx512vnni", false, true}, {"avx512bf16", true, true},
              {"amx", true, true}};
enum { LEVELS = sizeof levels / sizeof *levels };

#if defined(__x86_64__)
START_TEST(each_level_has_its_loop) {
    const char *level = levels[_i].level;
    const peak_loop *f32 = peak_loop_find(PEAK_F32, level), *bf16 = peak_loop_find(PEAK_BF16, level),
                    *int8 = peak_loop_find(PEAK_INT8, level);
    ck_assert(f32->type == PEAK_F32);
    ck_assert((bf16->type == PEAK_BF16) == levels[_i].bf16 && (bf16 == f32) == !levels[_i].bf16);
    ck_assert((int8->type == PEAK_INT8) == levels[_i].int8 && (int8 == f32) == !levels[_i].int8);
    char list[64];
    snprintf(list, sizeof list, "%s,avx2", level);
    ck_assert_ptr_eq(peak_loop_find(PEAK_INT8, list), int8);
    if (levels[_i].int8) ck_assert_double_ge(int8->operations, 4 * f32->operations);
}
END_TEST
#endif

START_TEST(runs) {
    const bool wide = levels[_i].int8; // the precision in which a level has code of its own
    if (!host_runs_precision(levels[_i].level, wide ? PRECISION_INT8 : PRECISION_F32))
        SKIP(levels[_i].level, "its loops");
    for (int k = PEAK_F32; k <= PEAK_INT8; k++)
        for (int threads = 1; threads <= 2; threads++) {
            double gops = peak_gops((peak_type)k, levels[_i].level, threads, 0.005);
            ck_assert_msg(isfinite(gops) && gops > 0.1, "%s, type %d: %g", levels[_i].level, k, gops);
        }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("peak");
    TCase *c = tcase_create("loops");
#if defined(__x86_64__)
    tcase_add_loop_test(c, each_level_has_its_loop, 0, LEVELS);
#endif
    tcase_add_loop_test(c, runs, 0, LEVELS);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
