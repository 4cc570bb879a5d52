// links: cli
// Where sentences are: each case is a text whose sentences stand between bars.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "runtime/answer/sentences.h"

static const char *const cases[] = {
    "One. |Two! |Three?",
    "No end",
    "A line\nof two. |And more",
    "A title\n\n|Its text. |More.",
    "\"Go!\" |He left. |(All of them.) |And?! |Yes...",
    "Wait... what? |Nothing... |Then it came.",
    "Dr. Smith and J. R. Hall met Mrs. Figg. |They spoke, i.e. they talked, vs. walked.",
    "It is 3.5 km, e.g. at 12.30 p.m. on www.example.org/a.b today.",
    "1. First of all. |2. Then the second.",
    "In 2010. |Then in 2011.",
    "Er kam am 3. mai, z.B. nachts. |Sie nicht.",
    "\xe4\xbb\x8a\xe6\x97\xa5\xe3\x80\x82|\xe6\x98\x8e\xe6\x97\xa5\xef\xbc\x9f|\xe6\x98\xa8",
    "\xe0\xa4\xb0\xe0\xa4\xbe\xe0\xa4\xae\xe0\xa5\xa4 |\xe0\xa4\xb8\xe0\xa5\x80\xe0\xa4\xa4\xe0\xa4\xbe",
    "\xd9\x87\xd9\x84\xd8\x9f |\xd9\x86\xd8\xb9\xd9\x85.",
    "Caf\xc3\xa9 \xe2\x80\x9cgut.\xe2\x80\x9d |\xc3\x84rger!",
    "a\xff. |B\xfe",
    "...",
    "!!! |A",
    "."};

START_TEST(as_marked) {
    const char *marked = cases[_i];
    char *text = calloc(strlen(marked) + 1, 1);
    size_t size = 0, count, at = 0;
    sentence *found;
    for (const char *c = marked; *c; c++)
        if (*c != '|') text[size++] = *c;
    ck_assert(sentences_find(text, size, &found, &count));
    for (const char *c = marked; *c; at++) {
        size_t n = strcspn(c, "|"), whole = n;
        while (n && strchr(" \n", c[n - 1])) n--;
        ck_assert_msg(at < count, "%s: %zu sentences", marked, count);
        ck_assert_msg(found[at].end - found[at].start == n && !memcmp(text + found[at].start, c, n),
                      "%s: %.*s", marked, (int)(found[at].end - found[at].start), text + found[at].start);
        c += whole + (c[whole] == '|');
    }
    ck_assert_uint_eq(at, count);
    free(found);
    free(text);
}
END_TEST

START_TEST(characters) {
    static const char text[] = " \xc3\x84rger! \xe4\xbb\x8a\xe3\x80\x82x\xf0\x9f\x98\x80";
    sentence *found;
    size_t count;
    ck_assert(sentences_find(text, sizeof text - 1, &found, &count));
    ck_assert_uint_eq(count, 3);
    const int64_t want[][2] = {{1, 7}, {8, 10}, {10, 12}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(found[i].char_start, want[i][0]);
        ck_assert_int_eq(found[i].char_end, want[i][1]);
    }
    free(found);
}
END_TEST

// Nothing of a long text is read again and again: these would take hours.
START_TEST(long_ones) {
    static const char *const units[] = {" ", ".", ". ", ".a", "a.", "\n ", "\"", "(.", "A. ", "\xff"};
    const char *unit = units[_i];
    size_t n = strlen(unit), size = 4000000, count;
    char *text = malloc(size);
    sentence *found;
    for (size_t i = 0; i < size; i++) text[i] = unit[i % n];
    ck_assert(sentences_find(text, size, &found, &count));
    text[0] = 'A';
    text[size - 1] = 'z';
    free(found);
    ck_assert(sentences_find(text, size, &found, &count));
    ck_assert_uint_ge(count, 1);
    free(found);
    free(text);
}
END_TEST

int main(void) {
    Suite *s = suite_create("sentences");
    TCase *t = tcase_create("sentences");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, as_marked, 0, sizeof cases / sizeof *cases);
    tcase_add_test(t, characters);
    tcase_add_loop_test(t, long_ones, 0, 10);
    suite_add_tcase(s, t);
    return suite_status(s);
}
