// links: cli
// Right answers of the trained checkpoints on whole dev sets, against what Transformers has with the same
// weights, each within 3 answers: SST-2, entities, and the correlation of STS-B. (SQuAD:
// test_quality_squad.c.)
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "main.h"
#include "quality_tasks.h"

static void within(const char *what, int got, int want) {
    printf("%s: %d, Transformers %d\n", what, got, want);
    ck_assert_msg(abs(got - want) <= 3, "%s: %d, not within 3 of %d", what, got, want);
}

START_TEST(sst2) {
    QUALITY_NEEDS("mini-sst2", "sst2");
    quality q;
    quality_open(&q, "mini-sst2", "sst2", QUALITY_LENGTH);
    quality_counts c = quality_sst2(&q, 1);
    quality_close(&q);
    ck_assert_int_eq(c.asked, 872);
    within("SST-2 right of 872", c.right, 735);
}
END_TEST

START_TEST(entities) {
    QUALITY_NEEDS("small-ner", "ner");
    quality q;
    quality_open(&q, "small-ner", "ner", QUALITY_LENGTH);
    quality_counts c = quality_entities(&q, 1);
    quality_close(&q);
    printf("entities: F1 %.4f\n", 2.0 * c.right / (2.0 * c.right + c.wrong + c.missed));
    within("entities right", c.right, 3537);
    within("entities wrong", c.wrong, 857);
    within("entities missed", c.missed, 821);
}
END_TEST

START_TEST(similarity) {
    QUALITY_NEEDS("small-sts", "sts");
    quality q;
    quality_open(&q, "small-sts", "sts", QUALITY_LENGTH);
    quality_counts c = quality_similarity(&q, 1);
    quality_close(&q);
    ck_assert_int_eq(c.asked, 1500);
    printf("STS-B Spearman: %.5f, Transformers 0.77669\n", c.correlation);
    ck_assert_double_eq_tol(c.correlation, 0.77669, 5e-5);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("quality");
    TCase *t = tcase_create("dev sets");
    tcase_set_timeout(t, 900);
    tcase_add_test(t, sst2);
    tcase_add_test(t, entities);
    tcase_add_test(t, similarity);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
