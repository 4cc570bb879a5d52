// links: cli hub runtime ir
// What `bertc train` makes of its data: tokens and labels of each task, windows, answers of the dev file; and what it says of data that it
// can't use.
#include "frontend/cli/train/judge.h"
#include "main.h"
#include "unit/train_case.h"

// --- Tasks

START_TEST(classes) {
    const data_labels *labels = labels_of("negative", "positive", NULL);
    feature_rule rule = rule_of(TRAIN_CLASSIFY, DATA_LABEL, labels, 8);
    train_set s;
    ck_assert(
        opens(&s, &rule,
              file("a.jsonl", "{\"text\": \"good\", \"label\": 1}\n"
                              "{\"sentence1\": \"good\", \"sentence2\": \"bad\", \"label\": \"negative\"}\n"
                              "{\"text\": \"one two three four five six seven eight\", \"label\": 0}\n"),
              NULL, false));
    ck_assert_int_eq(s.count, 3);
    ck_assert_int_eq(s.longest, 8);
    feature f = feature_at(&s, 1); // in any order
    ck_assert_str_eq(tokens_of(f.ids, f.tokens), "[CLS] good [SEP] bad [SEP]");
    ck_assert(f.types[1] == 0 && f.types[3] == 1 && f.label == 0);
    f = feature_at(&s, 0);
    ck_assert_str_eq(tokens_of(f.ids, f.tokens), "[CLS] good [SEP]");
    ck_assert_int_eq(f.label, 1);
    f = feature_at(&s, 2);
    ck_assert_str_eq(tokens_of(f.ids, f.tokens), "[CLS] one two three four five six [SEP]");
    set_close(&s);
}
END_TEST

START_TEST(learnt_labels) {
    data_labels *labels = data_labels_new(memory);
    feature_rule rule = rule_of(TRAIN_CLASSIFY, DATA_LABEL, NULL, 0);
    train_set s;
    const char *why;
    ck_assert(opens(&s, &rule, file("a.csv", "text,label\nx,pear\ny,apple\nz,pear\n"), labels, false));
    ck_assert(data_labels_settle(labels, &why));
    ck_assert_str_eq(data_labels_name(labels, 0), "apple");
    rule.labels = labels;
    ck_assert_int_eq(feature_at(&s, 0).label, 1);
    ck_assert_int_eq(feature_at(&s, 1).label, 0);
    set_close(&s);
}
END_TEST

START_TEST(several_labels) {
    const data_labels *labels = labels_of("a", "b", "c");
    feature_rule rule = rule_of(TRAIN_CLASSIFY, DATA_LABELS, labels, 0);
    train_set s;
    ck_assert(opens(
        &s, &rule,
        file("a.jsonl", "{\"text\": \"x\", \"labels\": [\"c\", \"a\"]}\n{\"text\": \"y\", \"labels\": []}\n"),
        NULL, false));
    feature f = feature_at(&s, 0);
    ck_assert(f.numbers == 3 && f.values[0] == 1 && f.values[1] == 0 && f.values[2] == 1);
    f = feature_at(&s, 1);
    ck_assert(f.numbers == 3 && f.values[0] == 0 && f.values[2] == 0);
    set_close(&s);
}
END_TEST

START_TEST(tags) {
    const data_labels *labels = labels_of("O", "B-PER", NULL);
    feature_rule rule = rule_of(TRAIN_TAG, DATA_TAGS, labels, 0);
    const char *path = file(
        "a.jsonl", "{\"tokens\": [\"Unaffordability\", \"of\", \"it\"], \"ner_tags\": [1, 0, \"B-PER\"]}\n");
    train_set s;
    ck_assert(opens(&s, &rule, path, NULL, false));
    feature f = feature_at(&s, 0);
    int64_t n = f.tokens;
    ck_assert_int_gt(n, 6); // the first word is several pieces
    ck_assert(f.labels[0] == FEATURE_IGNORED && f.labels[n - 1] == FEATURE_IGNORED);
    ck_assert(f.labels[1] == 1 && f.labels[2] == FEATURE_IGNORED);
    ck_assert(f.labels[n - 3] == 0 && f.labels[n - 2] == 1);
    set_close(&s);
    rule.label_all = true;
    ck_assert(opens(&s, &rule, path, NULL, false));
    f = feature_at(&s, 0);
    ck_assert(f.labels[1] == 1 && f.labels[2] == 1 && f.labels[n - 4] == 1 && f.labels[0] == FEATURE_IGNORED);
    set_close(&s);
}
END_TEST

START_TEST(answers) {
    feature_rule rule = rule_of(TRAIN_ANSWER, DATA_ANSWER, NULL, 10);
    rule.stride = 2;
    train_set s;
    // Room for 10 - 5 = 5 tokens of the context, in steps of 3: one to five, four to eight, seven to ten.
    ck_assert(opens(
        &s, &rule,
        file("a.jsonl",
             "{\"question\": \"who am\", \"context\": \"one two three four five six seven eight nine ten\", "
             "\"answers\": {\"text\": [\"four five\"], \"answer_start\": [14]}}\n"
             "{\"question\": \"who\", \"context\": \"one two\", \"answers\": {\"text\": [], "
             "\"answer_start\": []}}\n"),
        NULL, false));
    ck_assert_int_eq(s.count, 4);
    static const char *const texts[] = {"[CLS] who am [SEP] one two three four five [SEP]",
                                        "[CLS] who am [SEP] four five six seven eight [SEP]",
                                        "[CLS] who am [SEP] seven eight nine ten [SEP]",
                                        "[CLS] who [SEP] one two [SEP]"};
    static const int32_t spans[][2] = {{7, 8}, {4, 5}, {0, 0}, {0, 0}};
    for (int i = 3; i >= 0; i--) {
        feature f = feature_at(&s, i);
        ck_assert_str_eq(tokens_of(f.ids, f.tokens), texts[i]);
        ck_assert(f.start == spans[i][0] && f.end == spans[i][1]);
        ck_assert(f.types[1] == 0 && f.types[f.tokens - 2] == 1);
    }
    set_close(&s);
    rule.stride = 5; // no step is left
    ck_assert(!opens(&s, &rule, arena_printf(memory, "%s/a.jsonl", folder), NULL, false));
    said(":1: has a question of 5 tokens, which leaves no room for windows that share 5");
    set_close(&s);
}
END_TEST

START_TEST(embeddings) {
    feature_rule rule = rule_of(TRAIN_EMBED, DATA_EMBED, NULL, 0);
    rule.score_scale = 5;
    train_set s;
    ck_assert(
        opens(&s, &rule,
              file("a.jsonl", "{\"sentence1\": \"one two\", \"sentence2\": \"three\", \"score\": 2.5}\n"),
              NULL, false));
    feature f = feature_at(&s, 0);
    ck_assert_str_eq(tokens_of(f.ids, f.tokens), "[CLS] one two [SEP] [CLS] three [SEP]");
    ck_assert(f.texts == 2 && f.bounds[1] == 4 && f.bounds[2] == 7 && f.numbers == 1 && f.values[0] == 0.5f);
    ck_assert_int_eq(s.longest, 4);
    set_close(&s);
    ck_assert(opens(&s, &rule, file("b.jsonl", "{\"anchor\": \"one\", \"positive\": \"two three\"}\n"), NULL,
                    false));
    f = feature_at(&s, 0);
    ck_assert(f.texts == 2 && f.numbers == 0 && f.bounds[1] == 3);
    set_close(&s);
    ck_assert(
        !opens(&s, &rule,
               file("c.jsonl", "{\"anchor\": \"one\", \"positive\": \"two three\"}\n"
                               "{\"sentence1\": \"one two\", \"sentence2\": \"three\", \"score\": 2.5}\n"),
               NULL, false));
    said(":2: has 1 numbers, and the first example 0");
    set_close(&s);
    ck_assert(!opens(&s, &rule,
                     file("d.jsonl", "{\"sentence1\": \"x\", \"sentence2\": \"y\", \"score\": 7}\n"), NULL,
                     false));
    said(":1: has the score 7: cosines lie");
    set_close(&s);
    diag_free(&d);
    diag_init(&d);
    // Two queries, the second one with a hard negative.
    ck_assert(
        opens(&s, &rule,
              file("e.jsonl", "{\"anchor\": \"one\", \"positive\": \"two\"}\n"
                              "{\"anchor\": \"three\", \"positive\": \"four\", \"negative\": \"five\"}\n"),
              NULL, false));
    order o;
    order_make(&o, &(order_rule){false, 0, 8, 0}, s.lengths, s.count, 0);
    train_batch b;
    order_part part = order_batch(&o, 0);
    ck_assert(batch_make(&b, &(batch_rule){0}, &s, &part, 0, memory, &d));
    ck_assert(b.texts == 5 && b.labels == 2 && b.tokens == 15);
    static const int32_t partners[] = {1, -100, 3, -100, -100}, candidates[] = {0, 1, 0, 1, 1};
    ck_assert_mem_eq(b.partners, partners, sizeof partners);
    ck_assert_mem_eq(b.candidates, candidates, sizeof candidates);
    order_free(&o);
    set_close(&s);
}
END_TEST

// --- Answers of the dev file

START_TEST(found_answers) {
    // A question and six tokens of the context, of four bytes each.
    float starts[10] = {1, 9, 0, 2, 0, 0, 0, 0, 5, 0}, ends[10] = {1, 9, 0, 0, 0, 3, 0, 4, 0, 0};
    uint32_t from[10] = {0}, to[10] = {0};
    for (int i = 3; i < 9; i++) from[i] = (uint32_t)(i - 3) * 4, to[i] = from[i] + 3;
    found_answer f = answer_find(starts, ends, from, to, 10);
    ck_assert(f.score == 6 && f.none == 2 && f.from == 0 &&
              f.to == 19); // not 8, whose end would stand before it
    // Windows of one example count together; a context without an answer is answered by nothing, where there are such.
    feature_rule rule = rule_of(TRAIN_ANSWER, DATA_ANSWER, NULL, 10);
    rule.stride = 2;
    train_set s;
    ck_assert(opens(
        &s, &rule,
        file("a.jsonl",
             "{\"question\": \"who am\", \"context\": \"one two three four five six seven eight nine ten\", "
             "\"answers\": {\"text\": [\"seven eight\"], \"answer_start\": [28]}}\n"
             "{\"question\": \"who\", \"context\": \"one two\", \"answers\": {\"text\": [], "
             "\"answer_start\": []}}\n"),
        NULL, false));
    ck_assert_int_eq(s.without, 1);
    found_answer windows[] = {{1, 3, 0, 3}, {5, 2, 28, 39}, {4, 4, 34, 39}, {1, 2, 0, 3}};
    answer_metrics m;
    ck_assert(answers_judge(&m, &s, windows, memory, &d));
    metric_list list = {0};
    answer_metrics_list(&m, &list);
    ck_assert(m.count == 2 && metric_find(&list, "exact_match") == 1 && metric_find(&list, "f1") == 1);
    windows[1].score = 1.5f; // then the third window's "eight" is found
    ck_assert(answers_judge(&m, &s, windows, memory, &d));
    list.count = 0;
    answer_metrics_list(&m, &list);
    ck_assert_double_eq(metric_find(&list, "exact_match"), 0.5);
    // The leads of none over the spans are 2 - 4 and 2 - 1: said above -2 alone, none is right once, and "eight" is wrong.
    ck_assert_double_eq(metric_find(&list, "best_exact"), 0.5);
    ck_assert_double_eq(metric_find(&list, "best_exact_thresh"), 0);
    ck_assert_double_eq(metric_find(&list, "best_f1"), (1 + 2.0 / 3) / 2);
    ck_assert_double_eq(metric_find(&list, "best_f1_thresh"), -2);
    set_close(&s);
}
END_TEST

// --- Data that can't be used

START_TEST(bad_data) {
    const data_labels *labels = labels_of("negative", "positive", NULL);
    feature_rule rule = rule_of(TRAIN_CLASSIFY, DATA_LABEL, labels, 0);
    train_set s;
    const char *path =
        file("a.jsonl",
             "{\"text\": \"x\", \"label\": \"great\"}\n{\"text\": \"x\", \"label\": 1}\n{\"text\": \"y\"}\n");
    ck_assert(!opens(&s, &rule, path, NULL, false));
    said("a.jsonl:1: 'great' is not one of the labels negative, positive");
    said("a.jsonl:3: ");
    said("a.jsonl: 2 lines are bad; --skip-bad-lines leaves them out");
    set_close(&s);
    ck_assert_int_eq(d.errors, 3);
    diag_free(&d);
    diag_init(&d);
    ck_assert(opens(&s, &rule, path, NULL, true));
    ck_assert_int_eq(d.errors, 0);
    said("a.jsonl:1: 'great' is not one");
    said("2 lines are bad, and left out");
    ck_assert_int_eq(s.count, 1);
    set_close(&s);
    ck_assert(!opens(&s, &rule, file("b.jsonl", ""), NULL, true));
    said("b.jsonl: holds no example");
    set_close(&s);
    // A file of another task is not read to its end.
    char *many = arena_alloc(memory, 100000);
    for (int i = 0; i < 300; i++) strcat(many, "{\"tokens\": [\"a\"], \"ner_tags\": [0]}\n");
    ck_assert(!opens(&s, &rule, file("c.jsonl", many), NULL, true));
    said("c.jsonl: the first 50 lines are bad: is it a file of another task?");
    set_close(&s);
    ck_assert(!opens(&s, &rule, arena_printf(memory, "%s/none.jsonl", folder), NULL, false));
    said("none.jsonl");
    set_close(&s);
}
END_TEST

START_TEST(changed_file) {
    feature_rule rule = rule_of(TRAIN_MLM, DATA_TEXT, NULL, 0);
    rule.max_tokens = 8;
    train_set s;
    ck_assert(opens(&s, &rule, file("a.txt", "one two\nthree\n"), NULL, false));
    FILE *f = fopen(arena_printf(memory, "%s/a.txt", folder), "r+");
    fputs("one    \n", f);
    fclose(f);
    feature out;
    ck_assert(!set_read(&s, 0, &out, memory, &d));
    said("a.txt:1: is not what it was when the run began");
    set_close(&s);
}
END_TEST

int main(void) {
    Suite *s = suite_create("train_data");
    TCase *c = tcase_create("train_data");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, classes);
    tcase_add_test(c, learnt_labels);
    tcase_add_test(c, several_labels);
    tcase_add_test(c, tags);
    tcase_add_test(c, answers);
    tcase_add_test(c, embeddings);
    tcase_add_test(c, found_answers);
    tcase_add_test(c, bad_data);
    tcase_add_test(c, changed_file);
    suite_add_tcase(s, c);
    return suite_status(s);
}
