// links:
// How comments in the sources are laid out: a pass opens with its contract and a drawing, before above after and
// narrow enough to be read; a comment behind a field is one line, and stands above it where it is longer.
#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <string.h>

#include "file.h"
#include "main.h"

#define DRAWING_COLUMNS 100

static int faults;

static void fault(const char *path, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n", path + strlen(BERTC_TESTS "/../"), line, what);
    faults++;
}

// Is `line` a comment alone, with `word` as its first word?
static bool begins_with(const char *line, const char *word) {
    line += strspn(line, " ");
    if (strncmp(line, "//", 2)) return false;
    line += 2;
    line += strspn(line, " ");
    size_t n = strlen(word);
    return !strncmp(line, word, n) && strchr(" ,\n", line[n]);
}

static bool is_comment(const char *line) {
    line += strspn(line, " ");
    return !strncmp(line, "//", 2);
}

// The column of a comment behind code; -1: there is none, or the line holds a string that might look like
// one.
static int trailing_comment(const char *line) {
    const char *at = strstr(line, " // "), *quote = strchr(line, '"');
    if (is_comment(line) || !at || (quote && quote < at)) return -1;
    return (int)(at + 1 - line);
}

// Is `line` a type alone? The formatter parts it from its field where a comment behind that is long.
static bool is_type(const char *line) {
    size_t blank = strspn(line, " "), n = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_ ");
    return n > blank && !line[n];
}

// The lines of one comment, from lines[first] to lines[end].
static void check_block(const char *path, char **lines, int first, int end) {
    bool drawn = false;
    for (int i = first; i < end; i++) {
        drawn |= begins_with(lines[i], "before");
        if (begins_with(lines[i], "before") && strstr(lines[i], "  after"))
            fault(path, i + 1, "a drawing has `after` beside `before`: put it below");
        if (drawn && strlen(lines[i]) > DRAWING_COLUMNS)
            fault(path, i + 1, "a line of a drawing has more than 100 columns");
    }
}

static int split_lines(char *text, char ***lines) {
    int count = 1, n = 0;
    for (const char *p = text; *p; p++) count += *p == '\n';
    *lines = calloc((size_t)count + 1, sizeof **lines);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) (*lines)[n++] = line;
    return n;
}

// strtok drops empty lines, and with them the numbers of lines: each gets a blank first.
static char *padded_text(const char *path) {
    char *text = file_text(path, NULL), *out = calloc(2 * strlen(text) + 2, 1), *to = out;
    for (const char *p = text; *p; p++) {
        if (*p == '\n' && (p == text || p[-1] == '\n')) *to++ = ' ';
        *to++ = *p;
    }
    free(text);
    return out;
}

static int check_file(const char *path, const struct stat *s, int kind, struct FTW *f) {
    (void)s, (void)f;
    const char *dot = strrchr(path, '.');
    if (kind != FTW_F || !dot || (strcmp(dot, ".c") && strcmp(dot, ".h"))) return 0;
    char *text = padded_text(path), **lines;
    int n = split_lines(text, &lines);
    for (int i = 0; i < n; i++) {
        int first = i, column = trailing_comment(lines[i]);
        if (column >= 0 && i + 1 < n && is_comment(lines[i + 1]) && (int)strspn(lines[i + 1], " ") == column)
            fault(path, i + 1, "a comment behind code goes on in the next line: put it above");
        if (is_type(lines[i]) && i + 1 < n && trailing_comment(lines[i + 1]) >= 0)
            fault(path, i + 2, "a comment behind a field parts it from its type: put it above");
        while (i < n && is_comment(lines[i])) i++;
        if (i > first) check_block(path, lines, first, i--);
    }
    free(lines);
    free(text);
    return 0;
}

START_TEST(layout) {
    static const char *const folders[] = {"ir", "passes", "backend", "runtime", "frontend", "examples"};
    faults = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/../%s", BERTC_TESTS, folders[i]);
        ck_assert_int_eq(nftw(path, check_file, 16, FTW_PHYS), 0);
    }
    ck_assert_msg(faults == 0, "%d comments, named above", faults);
}
END_TEST

// --- Passes

static const char *pass_name;
static bool found;

static int check_pass(const char *path, const struct stat *s, int kind, struct FTW *f) {
    (void)s, (void)f;
    size_t n = strlen(path);
    if (kind != FTW_F || strcmp(path + n - 2, ".c")) return 0;
    char *text = padded_text(path), **lines, first[80];
    int count = split_lines(text, &lines);
    snprintf(first, sizeof first, "// %s: ", pass_name);
    if (count && !strncmp(lines[0], first, strlen(first))) {
        bool
            requires
        = false, before = false, after = false;
        for (int i = 0; i < count && is_comment(lines[i]); i++) {
            requires |= begins_with(lines[i], "requires") && strstr(lines[i], "produces");
            after |= before && begins_with(lines[i], "after");
            before |= begins_with(lines[i], "before");
        }
        found = true;
        ck_assert_msg(requires, "%s: no line `requires ... produces ...`", path);
        ck_assert_msg(before && after, "%s: no drawing, before and after", path);
    }
    free(lines);
    free(text);
    return 0;
}

START_TEST(passes) {
    static const char *const names[] = {
#define PASS(name, ...) #name,
#include "passes/passes.def"
#undef PASS
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pass_name = names[i];
        found = false;
        ck_assert_int_eq(nftw(BERTC_TESTS "/../passes", check_pass, 16, FTW_PHYS), 0);
        ck_assert_msg(found, "no file of passes/ opens with `// %s: `", pass_name);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("comments");
    TCase *t = tcase_create("comments");
    tcase_add_test(t, layout);
    tcase_add_test(t, passes);
    suite_add_tcase(s, t);
    return suite_status(s);
}
