// links: cli hub ir
// Columns of text on a terminal: East Asian characters, emoji, combining marks, and bytes that are no UTF-8.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/columns.h"
#include "ir/memory.h"
#include "main.h"

static const struct {
    const char *text;
    int columns;
} cases[] = {{"", 0},
             {"abc", 3},
             {"\xc3\xa9", 1},                 // e with an acute
             {"e\xcc\x81", 1},                // the same of two characters
             {"\xe4\xb8\xad\xe6\x96\x87", 4}, // Chinese
             {"\xed\x95\x9c", 2},             // Korean
             {"\xef\xbd\xb1", 1},             // a narrow katakana
             {"\xf0\x9f\x98\x80", 2},         // an emoji
             {"\xe0\xb8\x81\xe0\xb8\xb4", 1}, // Thai with a vowel above
             {"a\xe2\x80\x8b"
              "b",
              2},              // a space of no width
             {"\xff\xfe", 2},  // no UTF-8
             {"\xe4\xb8", 2}}; // the start of a character

START_TEST(widths) {
    ck_assert_int_eq(columns_of(cases[_i].text), cases[_i].columns);
    ck_assert_int_eq(columns_widest(3, cases[_i].text), cases[_i].columns > 3 ? cases[_i].columns : 3);
}
END_TEST

// What `put` writes; the caller's.
static char *written(void (*put)(FILE *, const char *, int), const char *text, int width) {
    char *out;
    size_t size;
    FILE *f = memory_stream(&out, &size);
    ck_assert_ptr_nonnull(f);
    put(f, text, width);
    ck_assert(memory_stream_end(f, &out));
    return out;
}

static void cut_left(FILE *f, const char *text, int width) {
    columns_cut(f, text, width, true);
}

static void cut_right(FILE *f, const char *text, int width) {
    columns_cut(f, text, width, false);
}

START_TEST(padded) {
    void (*const all[])(FILE *, const char *, int) = {columns_left, columns_right, cut_left, cut_right};
    for (int width = 0; width < 8; width++)
        for (int i = 0; i < 4; i++) {
            char *out = written(all[i], cases[_i].text, width);
            int least = cases[_i].columns > width && i < 2 ? cases[_i].columns : width;
            ck_assert_int_eq(columns_of(out), least);
            free(out);
        }
}
END_TEST

static void is(char *out, const char *want) {
    ck_assert_str_eq(out, want);
    free(out);
}

START_TEST(sides) {
    is(written(columns_left, "\xe4\xb8\xad", 4), "\xe4\xb8\xad  ");
    is(written(columns_right, "\xe4\xb8\xad", 4), "  \xe4\xb8\xad");
    is(written(columns_left, "abc", 2), "abc");
    is(written(cut_left, "abc", 2), "ab");
    // Half of a wide character is none of it; marks stay with their character.
    is(written(cut_left, "a\xe4\xb8\xad", 2), "a ");
    is(written(cut_right, "a\xe4\xb8\xad", 2), " a");
    is(written(cut_left, "e\xcc\x81x", 1), "e\xcc\x81");
}
END_TEST

int main(void) {
    Suite *s = suite_create("columns");
    TCase *t = tcase_create("columns");
    int n = (int)(sizeof cases / sizeof *cases);
    tcase_add_loop_test(t, widths, 0, n);
    tcase_add_loop_test(t, padded, 0, n);
    tcase_add_test(t, sides);
    suite_add_tcase(s, t);
    return suite_status(s);
}
