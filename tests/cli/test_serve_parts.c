// links: cli
// Parts of `bertc serve` that need no server: how long texts wait for others, and ids back to text.
#include "frontend/cli/serve/decode.h"
#include "frontend/cli/serve/pace.h"
#include "main.h"

// Few texts, or texts that found no queue: nobody waits.
START_TEST(alone) {
    pace p = {0};
    ck_assert_double_eq(pace_wait(&p, 0, 50), 0);
    for (int i = 0; i < 40; i++) pace_note(&p, i * 0.1, i % 2 ? 1 : 0, 0.05, 50, 50);
    ck_assert_double_eq(pace_wait(&p, 4, 50), 0);
    p = (pace){0};
    for (int i = 0; i < 400; i++) pace_note(&p, i * 0.1, 0, 0.05, 50, 50);
    ck_assert_double_eq(pace_wait(&p, 40, 50), 0);
}
END_TEST

// Texts of 10 ms, two of a hundred of which stood 90 ms behind others: a text may wait until it took 1 / 2.2 of 100 ms.
START_TEST(queues) {
    pace p = {0};
    for (int i = 0; i < 500; i++) pace_note(&p, i * 0.01, i % 50 ? 0 : 0.09, 0.01, 100, 100);
    ck_assert_double_eq_tol(pace_wait(&p, 5, 100), 0.1 / 2.2 - 0.01, 1e-9);
    ck_assert_double_eq_tol(pace_wait(&p, 5, 300), 0.1 / 2.2 - 0.03, 1e-9);
    ck_assert_double_eq(pace_wait(&p, 5, 1000), 0);  // its own call takes that long
    ck_assert_double_eq(pace_wait(&p, 500, 100), 0); // the last minute is over
    // However slow some were: eight texts' time, and half a second.
    for (int i = 0; i < 500; i++) pace_note(&p, 500 + i * 0.01, i % 50 ? 0 : 30, 0.01, 100, 100);
    ck_assert_double_eq_tol(pace_wait(&p, 505, 100), 0.08, 1e-9);
    for (int i = 0; i < 500; i++) pace_note(&p, 600 + i * 0.01, i % 50 ? 0 : 30, 1, 100, 100);
    ck_assert_double_eq_tol(pace_wait(&p, 605, 100), 0.5, 1e-9);
}
END_TEST

static const struct {
    decode_kind kind;
    const char *tokens[8], *text;
} texts[] = {
    {DECODE_WORDPIECE,
     {"un", "##believ", "##able", ",", "is", "##n", "'t", "..."},
     "unbelievable, isn 't..."},
    {DECODE_WORDPIECE, {"##s", "n't", "'s"}, "##sn't's"},
    {DECODE_BYTES,
     {"It", "\xc4\xa0is", "\xc4\xa0", "\xc3\xa9", "."},
     "It is \xef\xbf\xbd."},                                                      // the byte e9 alone
    {DECODE_BYTES, {"\xc3\x83\xc2\xa9", "\xe6\x9d\xb1"}, "\xc3\xa9\xe6\x9d\xb1"}, // bytes, and an added token
    {DECODE_METASPACE, {"\xe2\x96\x81It", "\xe2\x96\x81is", "n", "<0xC3>", "<0xA9>"}, "It isn\xc3\xa9"},
    {DECODE_METASPACE,
     {"<0xE6>", "a"},
     "\xef\xbf\xbd"
     "a"},
    {DECODE_SUFFIX, {"un", "like</w>", "it</w>"}, "unlike it"},
    {DECODE_WORDS, {"a", "b"}, "a b"},
    {DECODE_WORDS, {NULL}, ""},
};

START_TEST(tokens) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        out o = {0};
        size_t n = 0;
        while (n < 8 && texts[i].tokens[n]) n++;
        decode_tokens(&o, texts[i].kind, texts[i].tokens, n);
        out_bytes(&o, "", 1);
        ck_assert(!o.bad);
        ck_assert_str_eq(o.text, texts[i].text);
        out_free(&o);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("serve_parts");
    TCase *c = tcase_create("parts");
    tcase_add_test(c, alone);
    tcase_add_test(c, queues);
    tcase_add_test(c, tokens);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
