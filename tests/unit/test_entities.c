// links: runtime hub ir
// Entities by each strategy, on a model by hand (toy_task.h) whose labels follow from the words.
#include <check.h>
#include <math.h>

#include "main.h"
#include "toy_task.h"

// Behind toy_task.h, whose names are those of types in it.
#include "runtime/answer/words.h"

static bertc_error error;

// The label of each word and how sure the model is of it: its logit; the others' is 0.
static struct {
    int label;
    float logit;
} table[HEAD_VOCAB];

static float table_logit(int o, int32_t id, int64_t c) {
    (void)o;
    return c == table[id].label ? table[id].logit : 0;
}

static void say(int word, int label, float logit) {
    table[word].label = label;
    table[word].logit = logit;
}

typedef struct tagger {
    head_model head;
    bertc_session *session;
} tagger;

static tagger tagger_open(const char *const *labels) {
    int n = 0;
    while (labels[n]) n++;
    toy_logit = table_logit;
    tagger t = {.head = head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, n}, (head_output){0},
                                  labels)};
    t.session = bertc_open(t.head.model, NULL, &error);
    ck_assert_msg(t.session != NULL, "%s", error.message);
    for (int i = 0; i < HEAD_VOCAB; i++) say(i, 0, 5);
    return t;
}

static void tagger_close(tagger *t) {
    bertc_close(t->session);
    head_close(&t->head);
}

static bertc_result answer(const tagger *t, bertc_text text, const bertc_text_options *o) {
    bertc_result r = BERTC_RESULT_INIT;
    ck_assert_msg(bertc_answer_texts(t->session, &text, 1, o, &r, &error), "%s", error.message);
    return r;
}

// The entities as "PER 0-4, LOC 9-14".
static void expect_by(const tagger *t, bertc_aggregation how, const char *words, const char *want) {
    char got[512] = "";
    bertc_result r = answer(t, head_text(words, NULL),
                            &(bertc_text_options){BERTC_SIZED(bertc_text_options), .aggregation = how});
    for (int i = 0; i < r.entity_count; i++)
        sprintf(got + strlen(got), "%s%s %u-%u", i ? ", " : "", r.entities[i].type, r.entities[i].char_start,
                r.entities[i].char_end);
    ck_assert_str_eq(got, want);
}

static void expect(const tagger *t, const char *words, const char *want) {
    expect_by(t, BERTC_AGGREGATE_WORDS, words, want);
}

static double sure(double logit, int labels) {
    return exp(logit) / (exp(logit) + labels - 1);
}

static const char *const tags[] = {"O", "B-PER", "I-PER", "B-LOC", NULL};

// "Bobs" is bob and ##s.
START_TEST(strategies) {
    tagger t = tagger_open(tags);
    say(BOB, 1, 2);
    say(S_SUFFIX, 3, 3);
    say(ALICE, 2, 4);
    expect(&t, "Bobs Alice lives.", "PER 0-10");
    expect_by(&t, BERTC_AGGREGATE_FIRST, "Bobs Alice lives.", "PER 0-10");
    expect_by(&t, BERTC_AGGREGATE_SIMPLE, "Bobs Alice lives.", "PER 0-3, LOC 3-4, PER 5-10");
    expect_by(&t, BERTC_AGGREGATE_MAX, "Bobs Alice lives.", "LOC 0-4, PER 5-10");
    expect_by(&t, BERTC_AGGREGATE_AVERAGE, "Bobs Alice lives.", "LOC 0-4, PER 5-10");
    expect_by(&t, BERTC_AGGREGATE_NONE, "Bobs Alice lives.", "B-PER 0-3, B-LOC 3-4, I-PER 5-10");
    say(S_SUFFIX, 0, 1);
    expect(&t, "Bobs lives", "PER 0-4");
    expect_by(&t, BERTC_AGGREGATE_SIMPLE, "Bobs lives", "PER 0-3");
    expect_by(&t, BERTC_AGGREGATE_AVERAGE, "Bobs lives", "PER 0-4");
    say(S_SUFFIX, 0, 9);
    expect_by(&t, BERTC_AGGREGATE_AVERAGE, "Bobs lives", "");
    expect_by(&t, BERTC_AGGREGATE_MAX, "Bobs lives", "");
    tagger_close(&t);
}
END_TEST

static float score_of(const tagger *t, bertc_aggregation how, bool raw) {
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .aggregation = how, .raw_scores = raw};
    bertc_result r = answer(t, head_text("Bobs Alice", NULL), &o);
    ck_assert(r.entity_count == 1 && r.raw_scores == raw);
    return r.entities[0].score;
}

START_TEST(scores) {
    tagger t = tagger_open(tags);
    say(BOB, 1, 2);
    say(S_SUFFIX, 2, 1);
    say(ALICE, 2, 4);
    double bob = sure(2, 4), s = sure(1, 4), alice = sure(4, 4), rest = 1 / (exp(1) + 3);
    static const bertc_aggregation same[] = {BERTC_AGGREGATE_WORDS, BERTC_AGGREGATE_FIRST,
                                             BERTC_AGGREGATE_MAX};
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(score_of(&t, same[i], false), (bob + alice) / 2, 1e-6);
        ck_assert_double_eq_tol(score_of(&t, same[i], true), 3, 1e-6);
    }
    ck_assert_double_eq_tol(score_of(&t, BERTC_AGGREGATE_SIMPLE, false), (bob + s + alice) / 3, 1e-6);
    ck_assert_double_eq_tol(score_of(&t, BERTC_AGGREGATE_SIMPLE, true), 7.0 / 3, 1e-6);
    ck_assert_double_eq_tol(score_of(&t, BERTC_AGGREGATE_AVERAGE, false), ((bob + rest) / 2 + alice) / 2,
                            1e-6);
    ck_assert_double_eq_tol(score_of(&t, BERTC_AGGREGATE_AVERAGE, true), (1 + 4) / 2.0, 1e-6);
    tagger_close(&t);
}
END_TEST

START_TEST(tokens_as_json) {
    tagger t = tagger_open(tags);
    say(BOB, 1, 5);
    say(S_SUFFIX, 2, 5);
    say(UNK, 3, 5);
    const bertc_text text = head_text("the Bobs Xyz", NULL);
    bertc_result r =
        answer(&t, text,
               &(bertc_text_options){BERTC_SIZED(bertc_text_options), .aggregation = BERTC_AGGREGATE_NONE});
    char json[1024];
    bertc_result_json(&r, &text, json, sizeof json);
    ck_assert_str_eq(json,
                     "{\"entities\": [{\"entity\": \"B-PER\", \"score\": 0.98018664, \"index\": 2, \"word\": "
                     "\"bob\", \"start\": 4, \"end\": 7}, {\"entity\": \"I-PER\", \"score\": 0.98018664, "
                     "\"index\": 3, \"word\": \"##s\", \"start\": 7, \"end\": 8}, {\"entity\": \"B-LOC\", "
                     "\"score\": 0.98018664, \"index\": 4, \"word\": \"Xyz\", \"start\": 9, \"end\": 12}]}");
    tagger_close(&t);
}
END_TEST

// --- Words

static bertc_token piece(uint32_t from, uint32_t to, int word) {
    return (bertc_token){.id = GOOD, .byte_start = from, .byte_end = to, .word = word};
}

static bool join(const char *text, uint32_t from, uint32_t at, uint32_t to) {
    const bertc_text t = head_text(text, NULL);
    const bertc_token a = piece(from, at, 0), b = piece(at, to, 0), other = piece(at, to, 1);
    ck_assert(!words_join(&t, &a, &other));
    return words_join(&t, &a, &b);
}

START_TEST(word_ends) {
    ck_assert(join("Merkel, Nov2018", 0, 3, 6) && join("Merkel, Nov2018", 8, 11, 15));
    ck_assert(!join("Merkel, Nov2018", 3, 6, 7) && !join("Merkel, Nov2018", 6, 7, 11));
    ck_assert(!join("Frankfurt-am", 0, 9, 12) && !join("Frankfurt-am", 9, 10, 12));
    ck_assert(join("Caf\xc3\xa9s", 0, 3, 5) && join("Caf\xc3\xa9s", 3, 5, 6));
    ck_assert(!join("Caf\xc3\xa9\xe5\x85\xa8\xe5\xad\xa6", 0, 5, 8)); // two characters of Han
    ck_assert(!join("Caf\xc3\xa9\xe5\x85\xa8\xe5\xad\xa6", 5, 8, 11));
    ck_assert(!join("\xe0\xb8\x81\xe0\xb8\xa3", 0, 3, 6)); // of Thai
    ck_assert(!join("a\xff"
                    "b",
                    0, 2, 3));
    const bertc_text t = head_text("Caf\xc3\xa9", NULL);
    const bertc_token a = piece(3, 5, 0), b = piece(3, 5, 0), far = piece(4, 5, 0), start = piece(0, 3, 0);
    ck_assert(words_join(&t, &a, &b)); // bytes of one character
    ck_assert(!words_join(&t, &start, &far));
}
END_TEST

// Of a tokenizer without a prefix of continuing pieces.
START_TEST(word_ends_of_transformers) {
    const bertc_tokenizer plain = {.unk_id = UNK};
    const bertc_model m = {.tokenizer = {.table = &plain}};
    const bertc_text t = head_text("New York, the", NULL);
    bertc_token york = piece(4, 8, 1), comma = piece(8, 9, 2), spaced = piece(9, 13, 3),
                first = piece(0, 3, 0);
    ck_assert(!words_join_as_transformers(&m, &t, &first) && !words_join_as_transformers(&m, &t, &york));
    ck_assert(words_join_as_transformers(&m, &t, &comma) && !words_join_as_transformers(&m, &t, &spaced));
    comma.id = UNK;
    ck_assert(!words_join_as_transformers(&m, &t, &comma));
}
END_TEST

// --- What labels say

START_TEST(other_schemes) {
    static const char *const bioes[] = {"O", "B-PER", "I-PER", "E-PER", "S-PER", "S-LOC", "B-O", NULL};
    tagger t = tagger_open(bioes);
    say(ALICE, 1, 5), say(BOB, 2, 5), say(PARIS, 3, 5), say(LIVES, 4, 5), say(IN, 5, 5), say(GOOD, 6, 5);
    expect(&t, "alice bob paris", "PER 0-15");
    expect(&t, "alice paris alice paris", "PER 0-11, PER 12-23");
    expect(&t, "paris bob paris", "PER 0-5, PER 6-15");
    expect(&t, "lives lives in in bob", "PER 0-5, PER 6-11, LOC 12-14, LOC 15-17, PER 18-21");
    expect(&t, "alice lives paris", "PER 0-5, PER 6-11, PER 12-17");
    expect(&t, "good the good", "O 0-4, O 9-13");
    expect_by(&t, BERTC_AGGREGATE_FIRST, "lives lives good", "PER 0-11");
    expect_by(&t, BERTC_AGGREGATE_NONE, "lives good the", "S-PER 0-5, B-O 6-10");
    tagger_close(&t);
    static const char *const bilou[] = {"O", "B-PER", "I-PER", "L-PER", "U-PER", "M-PER", NULL};
    t = tagger_open(bilou);
    say(ALICE, 1, 5), say(BOB, 5, 5), say(PARIS, 3, 5), say(LIVES, 4, 5);
    expect(&t, "alice bob paris lives lives", "PER 0-15, PER 16-21, PER 22-27");
    tagger_close(&t);
    static const char *const small[] = {"o", "b-per", "i-per", "b-loc", NULL};
    t = tagger_open(small);
    say(ALICE, 1, 5), say(BOB, 2, 5), say(PARIS, 3, 5);
    expect(&t, "alice bob alice paris", "per 0-9, per 10-15, loc 16-21");
    expect_by(&t, BERTC_AGGREGATE_FIRST, "alice bob the", "per 0-5, per 6-9, o 10-13");
    tagger_close(&t);
}
END_TEST

START_TEST(labels_without_marks) {
    static const char *const plain[] = {"O", "non-toxic", "very-toxic", "S-bahn", "B-", NULL};
    tagger t = tagger_open(plain);
    say(ALICE, 1, 5), say(BOB, 2, 5), say(PARIS, 3, 5), say(LIVES, 4, 5);
    expect(&t, "alice alice bob the paris paris", "non-toxic 0-11, very-toxic 12-15, S-bahn 20-31");
    expect(&t, "lives alice", "B- 0-5, non-toxic 6-11");
    expect_by(&t, BERTC_AGGREGATE_FIRST, "alice alice bob", "toxic 0-11, toxic 12-15");
    expect_by(&t, BERTC_AGGREGATE_NONE, "alice bob", "non-toxic 0-5, very-toxic 6-9");
    tagger_close(&t);
    static const char *const marked[] = {"O", "B-non-toxic", "I-non-toxic", NULL};
    t = tagger_open(marked);
    say(ALICE, 1, 5), say(BOB, 2, 5);
    expect(&t, "alice bob", "non-toxic 0-9");
    tagger_close(&t);
}
END_TEST

// --- Windows, and words of the text's own

START_TEST(windows) {
    static const char words[] = "the Bobs Alice in Paris the Bobs Alice in Paris the Bobs Alice in Paris";
    tagger t = tagger_open(tags);
    say(BOB, 1, 2), say(S_SUFFIX, 3, 3), say(ALICE, 2, 4), say(PARIS, 3, 2);
    for (int how = BERTC_AGGREGATE_WORDS; how <= BERTC_AGGREGATE_NONE; how++) {
        bertc_text_options o = {BERTC_SIZED(bertc_text_options), .aggregation = (bertc_aggregation)how};
        bertc_result whole = answer(&t, head_text(words, NULL), &o);
        int n = whole.entity_count;
        bertc_entity *kept = malloc((size_t)n * sizeof *kept);
        memcpy(kept, whole.entities, (size_t)n * sizeof *kept);
        o.windows = true;
        o.max_tokens = 8;
        o.stride = 3;
        bertc_result parts = answer(&t, head_text(words, NULL), &o);
        ck_assert(parts.window_count > 1 && parts.entity_count == n && n >= 6);
        for (int i = 0; i < n; i++) {
            const bertc_entity *a = &kept[i], *b = &parts.entities[i];
            ck_assert(!strcmp(a->type, b->type) && a->score == b->score && a->index == b->index &&
                      a->char_start == b->char_start && a->byte_end == b->byte_end);
        }
        free(kept);
    }
    tagger_close(&t);
}
END_TEST

START_TEST(words_of_the_text) {
    static const bertc_word words[] = {{0, 4}, {5, 10}};
    tagger t = tagger_open(tags);
    say(BOB, 1, 2), say(S_SUFFIX, 3, 9), say(ALICE, 2, 4);
    bertc_text text = head_text("Bobs Alice", NULL);
    text.words = words;
    text.word_count = 2;
    for (int how = BERTC_AGGREGATE_WORDS; how <= BERTC_AGGREGATE_NONE; how++) {
        bertc_result r = answer(
            &t, text,
            &(bertc_text_options){BERTC_SIZED(bertc_text_options), .aggregation = (bertc_aggregation)how});
        ck_assert(r.word_count == 2 && r.words[0].id == 1 && r.words[1].id == 2 && r.entity_count == 1);
        ck_assert(r.entities[0].char_start == 0 && r.entities[0].char_end == 10);
    }
    tagger_close(&t);
}
END_TEST

int main(void) {
    Suite *s = suite_create("entities");
    TCase *t = tcase_create("entities");
    tcase_add_test(t, strategies);
    tcase_add_test(t, scores);
    tcase_add_test(t, tokens_as_json);
    tcase_add_test(t, word_ends);
    tcase_add_test(t, word_ends_of_transformers);
    tcase_add_test(t, other_schemes);
    tcase_add_test(t, labels_without_marks);
    tcase_add_test(t, windows);
    tcase_add_test(t, words_of_the_text);
    suite_add_tcase(s, t);
    return suite_status(s);
}
