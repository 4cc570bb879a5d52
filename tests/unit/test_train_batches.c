// links: cli hub runtime ir
// What `bertc train` makes of texts for masked language models, and of examples that go together: masks, pieces, pairs, batches.
#include "main.h"
#include "unit/train_case.h"

// --- Masks

START_TEST(masks) {
    enum { N = 20000 };
    mask_rule rule = {.seed = 1, .share = 0.15, .mask_id = 103, .vocabulary = 8000};
    int32_t *v = calloc(6 * N, sizeof *v), *ids = v, *labels = v + N, *rows = v + 2 * N, *words = v + 3 * N,
            *was = v + 4 * N;
    for (int i = 0; i < N; i++) {
        was[i] = ids[i] = 1000 + i % 5000;
        words[i] = i % 10 ? i / 3 : -1;
    }
    int64_t n = mask_tokens(&rule, 2, 7, words, N, ids, labels, rows), masked = 0, kept = 0, seen = 0;
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(rows[i], labels[i] != FEATURE_IGNORED);
        if (!rows[i]) {
            ck_assert_int_eq(ids[i], was[i]);
            continue;
        }
        seen++;
        ck_assert(labels[i] == was[i] && words[i] >= 0);
        masked += ids[i] == 103;
        kept += ids[i] == was[i];
    }
    ck_assert_int_eq(seen, n);
    ck_assert_double_eq_tol((double)n / (0.9 * (double)N), 0.15, 0.01);
    ck_assert_double_eq_tol((double)masked / (double)n, 0.8, 0.03);
    ck_assert_double_eq_tol((double)kept / (double)n, 0.1, 0.02);
    memcpy(v + 5 * N, ids, N * sizeof *v);
    memcpy(ids, was, N * sizeof *v);
    mask_tokens(&rule, 2, 7, words, N, ids, labels, rows);
    ck_assert_mem_eq(ids, v + 5 * N, N * sizeof *v);
    memcpy(ids, was, N * sizeof *v);
    mask_tokens(&rule, 3, 7, words, N, ids, labels, rows);
    ck_assert_mem_ne(ids, v + 5 * N, N * sizeof *v);
    rule.whole_words = true;
    memcpy(ids, was, N * sizeof *v);
    mask_tokens(&rule, 2, 7, words, N, ids, labels, rows);
    for (int i = 1; i < N; i++)
        if (words[i] >= 0 && words[i] == words[i - 1]) ck_assert_int_eq(rows[i], rows[i - 1]);
    // One at least, where there is a token.
    rule.share = 1e-9;
    for (int i = 0; i < 50; i++) ck_assert_int_ge(mask_tokens(&rule, i, 7, words, 5, ids, labels, rows), 1);
    ck_assert_int_eq(mask_tokens(&rule, 0, 7, words, 1, ids, labels, rows), 0);
    free(v);
}
END_TEST

START_TEST(pieces) {
    feature_rule rule = rule_of(TRAIN_MLM, DATA_TEXT, NULL, 6);
    train_set s;
    ck_assert(opens(&s, &rule, file("a.txt", "one two three four five six seven eight nine\n\nten\n"), NULL,
                    false));
    static const char *const texts[] = {"[CLS] one two three four [SEP]", "[CLS] five six seven eight [SEP]",
                                        "[CLS] nine [SEP]", "[CLS] ten [SEP]"};
    ck_assert_int_eq(s.count, 4);
    for (int i = 0; i < 4; i++) {
        feature f = feature_at(&s, i);
        ck_assert_str_eq(tokens_of(f.ids, f.tokens), texts[i]);
    }
    set_close(&s);
}
END_TEST

// --- Pairs

static const char *const documents = "one two three\nfour five\nsix seven\n\n"
                                     "one two three four five six seven eight nine ten one two three four\n"
                                     "\nunaffordability\neight\n";

START_TEST(pairs) {
    pair_template t;
    bertc_error e;
    ck_assert(pair_template_of(tokenizer, &t, &e));
    ck_assert(t.prefix == 1 && t.middle == 1 && t.suffix == 1 && t.second_type == 1 && t.types[2] == 1);
    feature_rule rule = rule_of(TRAIN_PRETRAIN, DATA_TEXT, NULL, 11);
    rule.pair_room = 11 - pair_template_tokens(&t);
    train_set s;
    ck_assert(opens(&s, &rule, file("a.txt", documents), NULL, false));
    // Three lines of seven tokens together; a line of 14 in pieces of 8 and 6; a long word and another.
    ck_assert_int_eq(s.count, 4);
    ck_assert(s.entries[0].lines == 3 && s.lengths[0] == 10 && s.lengths[1] == 11 && s.lengths[2] == 9);
    ck_assert_int_eq(s.longest, 11);
    int next = 0, other = 0, at_line = 0;
    for (int64_t epoch = 0; epoch < 100; epoch++)
        for (int64_t i = 0; i < s.count; i++) {
            feature f;
            ck_assert(pair_read(&s, i, &t, 5, epoch, &f, memory, &d));
            ck_assert_int_le(f.tokens, s.lengths[i]);
            if (!f.label) ck_assert_int_eq(f.tokens, s.lengths[i]);
            next += !f.label;
            other += f.label;
            const char *text = tokens_of(f.ids, f.tokens);
            ck_assert(!strncmp(text, "[CLS] ", 6) && !strcmp(text + strlen(text) - 6, " [SEP]"));
            if (i || f.label) continue;
            ck_assert(!strcmp(text, "[CLS] one two three [SEP] four five six seven [SEP]") ||
                      !strcmp(text, "[CLS] one two three four five [SEP] six seven [SEP]"));
            at_line++;
        }
    ck_assert(next > 150 && other > 150 && at_line > 30);
    set_close(&s);
    // A word is not cut, and one passage alone is followed by itself.
    ck_assert(opens(&s, &rule, file("b.txt", "unaffordability\n"), NULL, false));
    feature f;
    for (int64_t epoch = 0; epoch < 20; epoch++) {
        ck_assert(pair_read(&s, 0, &t, 5, epoch, &f, memory, &d));
        ck_assert(!f.label && f.words[f.tokens - 2] < 0); // the second text is empty
    }
    set_close(&s);
}
END_TEST

// --- Batches

START_TEST(batches) {
    const data_labels *labels = labels_of("negative", "positive", NULL);
    feature_rule rule = rule_of(TRAIN_CLASSIFY, DATA_LABEL, labels, 0);
    train_set s;
    ck_assert(opens(&s, &rule, file("a.tsv", "text\tlabel\none\t1\ntwo three\t0\nfour five six\t1\n"), NULL,
                    false));
    order o;
    order_make(&o, &(order_rule){false, 0, 2, 0}, s.lengths, s.count, 0);
    train_batch b;
    order_part part = order_batch(&o, 0);
    ck_assert(batch_make(&b, &(batch_rule){0}, &s, &part, 0, memory, &d));
    ck_assert(b.texts == 2 && b.tokens == 7 && b.labels == 2 && b.bounds[1] == 3 && b.bounds[2] == 7);
    ck_assert_str_eq(tokens_of(b.ids, b.tokens), "[CLS] one [SEP] [CLS] two three [SEP]");
    ck_assert(b.text_labels[0] == 1 && b.text_labels[1] == 0 && !b.token_labels && !b.rows && !b.values);
    ck_assert_str_eq(batch_lines(&s, &part, memory), "lines 2, 3");
    part = order_batch(&o, 1);
    ck_assert(batch_make(&b, &(batch_rule){0}, &s, &part, 0, memory, &d));
    ck_assert(b.texts == 1 && b.labels == 1);
    ck_assert_str_eq(batch_lines(&s, &part, memory), "line 4");
    part.count = 0; // the share of one process too many
    ck_assert(batch_make(&b, &(batch_rule){0}, &s, &part, 0, memory, &d));
    ck_assert(b.texts == 0 && b.tokens == 0 && b.labels == 0);
    order_free(&o);
    set_close(&s);
    rule = rule_of(TRAIN_MLM, DATA_TEXT, NULL, 8);
    ck_assert(opens(&s, &rule, file("a.txt", "one two three four five\nsix seven\n"), NULL, false));
    order_make(&o, &(order_rule){false, 0, 8, 0}, s.lengths, s.count, 0);
    mask_rule mask = {.seed = 3, .share = 0.5, .mask_id = 5, .vocabulary = 100};
    part = order_batch(&o, 0);
    ck_assert(batch_make(&b, &(batch_rule){.mask = &mask}, &s, &part, 0, memory, &d));
    int64_t n = 0;
    for (int64_t i = 0; i < b.tokens; i++) n += b.rows[i];
    ck_assert(b.texts == 2 && n == b.labels && n >= 2 && !b.rows[0] && !b.text_labels);
    order_free(&o);
    set_close(&s);
}
END_TEST

int main(void) {
    Suite *s = suite_create("train_batches");
    TCase *c = tcase_create("train_batches");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, masks);
    tcase_add_test(c, pieces);
    tcase_add_test(c, pairs);
    tcase_add_test(c, batches);
    suite_add_tcase(s, c);
    return suite_status(s);
}
