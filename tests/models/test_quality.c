// links: cli
// Right answers of the trained checkpoints on whole dev sets, against what Transformers has with the same
// weights, each within 3 answers: SST-2, entities, and the correlation of STS-B. (SQuAD:
// test_quality_squad.c.)
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "quality.h"

#define LENGTH 128 // tokens at which the references were cut
static const bertc_text_options cut = {BERTC_SIZED(bertc_text_options),
                                       .truncation = BERTC_TRUNCATE_LONGEST_FIRST};

static void within(const char *what, int got, int want) {
    printf("%s: %d, Transformers %d\n", what, got, want);
    ck_assert_msg(abs(got - want) <= 3, "%s: %d, not within 3 of %d", what, got, want);
}

START_TEST(sst2) {
    QUALITY_NEEDS("mini-sst2", "sst2");
    quality q;
    cJSON *o;
    int right = 0, n = 0;
    quality_open(&q, "mini-sst2", "sst2", LENGTH);
    while ((o = quality_next(&q))) {
        const char *text = quality_string(o, "text");
        bertc_result r = quality_answer(&q, &(bertc_text){.text = text, .size = strlen(text)}, &cut);
        right += r.scores[0].id == (int)cJSON_GetObjectItemCaseSensitive(o, "label")->valuedouble;
        n++;
        cJSON_Delete(o);
    }
    quality_close(&q);
    ck_assert_int_eq(n, 872);
    within("SST-2 right of 872", right, 735);
}
END_TEST

// --- Entities

typedef struct sentence {
    char text[8192];
    bertc_word words[512];
    const char *tags[512];
    int count;
} sentence;

static void read_sentence(const cJSON *o, sentence *s) {
    size_t at = 0;
    const cJSON *word, *tag;
    s->count = 0;
    cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(o, "tokens")) {
        size_t n = strlen(word->valuestring);
        ck_assert(s->count < 512 && at + n + 1 < sizeof s->text);
        if (s->count) s->text[at++] = ' ';
        memcpy(s->text + at, word->valuestring, n);
        s->words[s->count++] = (bertc_word){(uint32_t)at, (uint32_t)(at + n)};
        at += n;
    }
    s->text[at] = 0;
    int i = 0;
    cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(o, "tags")) s->tags[i++] = tag->valuestring;
    ck_assert_int_eq(i, s->count);
}

// Where the span that begins at word i ends; i where none begins there.
static int span_end(const char *const *tags, int n, int i) {
    const char *t = tags[i];
    bool goes_on = t[0] == 'I' && i && tags[i - 1][0] != 'O' && !strcmp(tags[i - 1] + 1, t + 1);
    if (t[0] == 'O' || goes_on) return i;
    for (i++; i < n && tags[i][0] == 'I' && !strcmp(tags[i] + 1, t + 1);) i++;
    return i;
}

START_TEST(entities) {
    QUALITY_NEEDS("small-ner", "ner");
    static sentence s;
    static const char *found[512];
    quality q;
    cJSON *o;
    int right = 0, wrong = 0, missed = 0;
    quality_open(&q, "small-ner", "ner", LENGTH);
    while ((o = quality_next(&q))) {
        read_sentence(o, &s);
        const bertc_text text = {
            .text = s.text, .size = strlen(s.text), .words = s.words, .word_count = (size_t)s.count};
        bertc_result r = quality_answer(&q, &text, &cut);
        ck_assert_int_eq(r.word_count, s.count);
        while (s.count && !r.words[s.count - 1].label) s.count--; // cut off: not asked for
        for (int i = 0; i < s.count; i++) found[i] = r.words[i].label ? r.words[i].label : "O";
        for (int i = 0; i < s.count; i++) {
            int want = span_end(s.tags, s.count, i), got = span_end(found, s.count, i);
            bool same = want > i && got == want && !strcmp(s.tags[i] + 1, found[i] + 1);
            right += same;
            wrong += got > i && !same;
            missed += want > i && !same;
        }
        cJSON_Delete(o);
    }
    quality_close(&q);
    printf("entities: F1 %.4f\n", 2.0 * right / (2.0 * right + wrong + missed));
    within("entities right", right, 3537);
    within("entities wrong", wrong, 857);
    within("entities missed", missed, 821);
}
END_TEST

// --- Similarity

static void embed(quality *q, const char *text, float *out) {
    bertc_result r = quality_answer(q, &(bertc_text){.text = text, .size = strlen(text)}, &cut);
    ck_assert_int_eq(r.embedding_size, 384);
    memcpy(out, r.embedding, 384 * sizeof *out);
}

START_TEST(similarity) {
    QUALITY_NEEDS("small-sts", "sts");
    enum { PAIRS = 1500 };
    static double cosine[PAIRS], gold[PAIRS];
    float a[384], b[384];
    quality q;
    cJSON *o;
    int n = 0;
    quality_open(&q, "small-sts", "sts", LENGTH);
    for (; (o = quality_next(&q)); cJSON_Delete(o), n++) {
        ck_assert_int_lt(n, PAIRS);
        embed(&q, quality_string(o, "a"), a);
        embed(&q, quality_string(o, "b"), b);
        for (int i = 0; i < 384; i++) cosine[n] += (double)a[i] * (double)b[i];
        gold[n] = cJSON_GetObjectItemCaseSensitive(o, "score")->valuedouble;
    }
    quality_close(&q);
    ck_assert_int_eq(n, PAIRS);
    double r = spearman(cosine, gold, n);
    printf("STS-B Spearman: %.5f, Transformers 0.77669\n", r);
    ck_assert_double_eq_tol(r, 0.77669, 5e-5);
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
