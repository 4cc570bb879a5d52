// links: cli
// Question answering on SQuAD's dev set, in windows of 384 tokens that share 128; answers end with their
// tokens. As a test every tenth question; with --all, all 10570 (minutes). Held against what this program has
// counted, so that a change shows; Transformers, with the same weights, has 6210 exact and F1 0.7071 on all.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quality.h"

#define QUESTIONS   10570
#define ALL_EXACT   6218
#define ALL_F1      0.7081
#define TENTH_EXACT 645
#define TENTH_F1    0.7285

static bool all;

START_TEST(squad) {
    const bertc_text_options options = {
        .max_answer_tokens = 30, .answer_as_tokens = true, .max_tokens = 384, .windows = true, .stride = 128};
    quality q;
    cJSON *o;
    int n = 0, asked = 0, exact = 0, step = all ? 1 : 10;
    double f1 = 0;
    quality_open(&q, "small-qa", "squad", 384);
    for (; (o = quality_next(&q)); cJSON_Delete(o), n++) {
        if (n % step) continue;
        const char *question = quality_string(o, "question"), *context = quality_string(o, "context");
        const bertc_text text = {question, strlen(question), context, strlen(context)};
        bertc_answer a = quality_answer(&q, &text, &options).answer;
        ck_assert(a.found);
        squad_score s = squad_compare(context + a.byte_start, a.byte_end - a.byte_start,
                                      cJSON_GetObjectItemCaseSensitive(o, "answers"));
        exact += s.exact > 0;
        f1 += s.f1;
        asked++;
    }
    quality_close(&q);
    ck_assert_int_eq(n, QUESTIONS);
    f1 /= asked;
    int want = all ? ALL_EXACT : TENTH_EXACT;
    double want_f1 = all ? ALL_F1 : TENTH_F1;
    printf("SQuAD: %d exact of %d (wanted %d), F1 %.4f (wanted %.4f)\n", exact, asked, want, f1, want_f1);
    fflush(stdout);
    ck_assert_msg(abs(exact - want) <= 3, "%d exact, not within 3 of %d", exact, want);
    ck_assert_double_eq_tol(f1, want_f1, 3.0 / asked);
}
END_TEST

int main(int argc, char **argv) {
    all = argc > 1 && !strcmp(argv[1], "--all");
    if (!quality_there("small-qa", "squad")) return 77;
    Suite *suite = suite_create("quality");
    TCase *t = tcase_create("squad");
    tcase_set_timeout(t, all ? 7200 : 900);
    tcase_add_test(t, squad);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
