#include "frontend/cli/options.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/manual.h"
#include "ir/words.h"

#define HELP_COLUMN 30
#define HELP_WIDTH  70

void options_add(option_table *t, option_row row) {
    assert(t->count < OPTION_ROWS_MAX);
    row.group = t->group;
    t->rows[t->count++] = row;
}

static int command_length(const option_table *t) { // "bertc run" of "bertc run MODEL TEXT..."
    const char *space = strchr(t->usage, ' ');
    space = space ? strchr(space + 1, ' ') : NULL;
    return space ? (int)(space - t->usage) : (int)strlen(t->usage);
}

int usage_error(const option_table *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%.*s: ", command_length(t), t->usage);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, " (%.*s --help)\n", command_length(t), t->usage);
    return EXIT_USAGE;
}

// A row's text, in lines of HELP_WIDTH columns below each other.
static void print_wrapped(const char *text) {
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + n > HELP_WIDTH) {
            printf("\n  %-*s ", HELP_COLUMN, "");
            column = 0;
        }
        column += (size_t)printf("%s%.*s", column ? " " : "", (int)n, text);
        text += n + strspn(text + n, " ");
    }
    putchar('\n');
}

static void print_row(const option_row *r) {
    char left[64], letter[8] = "    ";
    if (r->letter) snprintf(letter, sizeof(letter), "-%c, ", r->letter);
    const char *open = r->kind == OPTION_OPTIONAL ? "[=" : r->argument ? " " : "";
    snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, r->name, open, r->argument ? r->argument : "",
             r->kind == OPTION_OPTIONAL ? "]" : "");
    if (strlen(left) > HELP_COLUMN)
        printf("  %s\n  %-*s ", left, HELP_COLUMN, "");
    else
        printf("  %-*s ", HELP_COLUMN, left);
    print_wrapped(r->help);
}

static void print_help(const option_table *t) {
    const char *group = NULL;
    printf("usage: %s\n\n%s\n", t->usage, t->summary);
    if (t->count && !t->rows[0].group) printf("\n");
    for (int i = 0; i < t->count; i++) {
        if (t->rows[i].group && t->rows[i].group != group) printf("\n%s:\n", t->rows[i].group);
        group = t->rows[i].group;
        print_row(&t->rows[i]);
    }
    if (t->example) printf("\nexample: %s\n", t->example);
}

static bool parse_int(const char *text, size_t n, int64_t *out) {
    char digits[24], *end;
    if (n == 0 || n >= sizeof(digits)) return false;
    memcpy(digits, text, n);
    digits[n] = 0;
    errno = 0;
    long long v = strtoll(digits, &end, 10);
    if (errno || *end || digits[0] == ' ') return false;
    *out = v;
    return true;
}

// A number of the row's range: true, or false when a usage error has been said.
static bool number(const option_table *t, const option_row *r, const char *text, size_t n, int64_t *out) {
    int64_t most = r->most ? r->most : INT32_MAX;
    if (parse_int(text, n, out) && *out >= r->least && *out <= most) return true;
    usage_error(t, "--%s: '%.*s' is no number from %lld to %lld", r->name, (int)n, text, (long long)r->least,
                (long long)most);
    return false;
}

static int store_ints(const option_table *t, const option_row *r, const char *text) {
    int_list list = {0};
    for (const char *at = text;;) {
        size_t n = strcspn(at, ",");
        if (list.count == INT_LIST_MAX) {
            return usage_error(t, "--%s: more than %d numbers", r->name, INT_LIST_MAX);
        }
        if (!number(t, r, at, n, &list.v[list.count])) return EXIT_USAGE;
        list.count++;
        if (!at[n]) break;
        at += n + 1;
    }
    *(int_list *)r->out = list;
    return -1;
}

static int store_text(const option_table *t, const option_row *r, const char *text) {
    text_list *list = r->out;
    if (list->count == TEXT_LIST_MAX)
        return usage_error(t, "--%s: given more than %d times", r->name, TEXT_LIST_MAX);
    list->v[list->count++] = text;
    return -1;
}

// Decimal, as JSON writes numbers; no spaces, "nan" or "inf".
static int store_number(const option_table *t, const option_row *r, const char *text) {
    char *end;
    double ceiling = r->ceiling != 0 ? r->ceiling : DBL_MAX;
    bool plain = *text && strspn(text, "+-.0123456789eE") == strlen(text);
    double v = plain ? strtod(text, &end) : 0;
    if (plain && !*end && v >= r->floor && v <= ceiling) {
        *(double *)r->out = v;
        return -1;
    }
    if (ceiling < DBL_MAX)
        return usage_error(t, "--%s: '%s' is no number from %g to %g", r->name, text, r->floor, ceiling);
    return usage_error(t, "--%s: '%s' is no number from %g up", r->name, text, r->floor);
}

static int store(const option_table *t, const option_row *r, const char *text) {
    switch (r->kind) {
    case OPTION_FLAG: *(bool *)r->out = true; return -1;
    case OPTION_TEXT:
    case OPTION_OPTIONAL: *(const char **)r->out = text; return -1;
    case OPTION_INTS: return store_ints(t, r, text);
    case OPTION_TEXTS: return store_text(t, r, text);
    case OPTION_NUMBER: return store_number(t, r, text);
    case OPTION_INT: break;
    }
    int64_t v;
    if (!number(t, r, text, strlen(text), &v)) return EXIT_USAGE;
    *(int64_t *)r->out = v;
    return -1;
}

#define WORD_MOST 32

int word_edits(const char *word, size_t n, const char *other) {
    size_t row[WORD_MOST + 1];
    if (n > WORD_MOST || strlen(other) > WORD_MOST) return -1;
    size_t edits = word_distance(word, n, other, row);
    return edits * 3 <= n ? (int)edits : -1;
}

// As options are spelt here: `learning_rate` is learning-rate.
static size_t respell(char out[WORD_MOST + 1], const char *name, size_t n) {
    if (n > WORD_MOST) return 0;
    for (size_t i = 0; i < n; i++)
        out[i] = name[i] == '_' ? '-' : name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    out[n] = 0;
    return n;
}

// Does `whole` have the word as one or several of its own (batch-size, of per-device-train-batch-size), or begin with it?
static bool has_words(const char *whole, const char *word) {
    size_t n = strlen(word);
    if (n > 3 && !strncmp(whole, word, n)) return true;
    for (const char *at = whole; (at = strstr(at, word)); at++)
        if ((at == whole || at[-1] == '-') && (!at[n] || at[n] == '-')) return true;
    return false;
}

// The names that the word may have been meant for: the nearest one, else all that have it within, at most `most`.
static int find_near(const option_table *t, const char *word, size_t n, const char **near, int most) {
    int found = 0;
    for (int i = 0, best = WORD_MOST; i < t->count; i++) {
        int edits = word_edits(word, n, t->rows[i].name);
        if (edits < 0 || edits >= best) continue;
        best = edits;
        near[0] = t->rows[i].name;
        found = 1;
    }
    for (int i = 0, one = found; !one && n > 2 && i < t->count && found < most; i++)
        if (has_words(t->rows[i].name, word)) near[found++] = t->rows[i].name;
    return found;
}

static int unknown_option(const option_table *t, const char *word, const char *name, size_t n) {
    const char *near[3];
    char spelt[WORD_MOST + 1], list[3 * (WORD_MOST + 16)] = "";
    n = respell(spelt, name, n);
    int count = n ? find_near(t, spelt, n, near, 3) : 0;
    for (int i = 0, at = 0; i < count; i++)
        at += snprintf(list + at, sizeof list - (size_t)at, "%s--%s",
                       !i               ? ""
                       : i == count - 1 ? " or "
                                        : ", ",
                       near[i]);
    if (!count) return usage_error(t, "unknown option %s", word);
    return usage_error(t, "unknown option %s, did you mean %s?", word, list);
}

static const option_row *find_row(const option_table *t, const char *name, size_t n) {
    for (int i = 0; i < t->count; i++) {
        const option_row *r = &t->rows[i];
        bool is_letter = n == 1 && r->letter == name[0];
        if (is_letter || (strlen(r->name) == n && !memcmp(r->name, name, n))) return r;
    }
    return NULL;
}

// Of a value that appears twice the last one counts, as scripts that add to a line of options expect. `seen`: the row's value so far.
static int store_again(const option_table *t, const option_row *r, const char *text, const char **seen) {
    int status = store(t, r, text);
    bool one = r->kind != OPTION_FLAG && r->kind != OPTION_TEXTS;
    if (status < 0 && one && *seen && strcmp(*seen, text))
        fprintf(stderr, "bertc: note: --%s: is given twice, as %s and %s: the last one counts\n", r->name,
                *seen, text);
    *seen = text;
    return status;
}

// The option at argv[*i]; moves *i over an argument of its own.
static int parse_one(const option_table *t, int argc, char **argv, int *i, const char **seen) {
    const char *word = argv[*i];
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1), *equals = is_long ? strchr(name, '=') : NULL;
    size_t n = equals ? (size_t)(equals - name) : is_long ? strlen(name) : 1;
    const option_row *r = find_row(t, name, n);
    // "-task" is no list of letters: no option of a letter has another one behind it.
    if (!r && !is_long) n = strcspn(name, "=");
    if (!r || (is_long && n == 1)) return unknown_option(t, word, name, n);
    const char *attached = equals ? equals + 1 : name[n] ? name + n : NULL; // "--seq=32", "-O2"
    if (attached && r->kind == OPTION_FLAG) return usage_error(t, "--%s takes no argument", r->name);
    seen += r - t->rows;
    if (attached) return store_again(t, r, attached, seen);
    if (r->kind == OPTION_FLAG || r->kind == OPTION_OPTIONAL) return store_again(t, r, "", seen);
    if (*i + 1 >= argc) return usage_error(t, "--%s needs %s", r->name, r->argument);
    return store_again(t, r, argv[++*i], seen);
}

int options_parse(const option_table *t, int argc, char **argv, arguments *rest) {
    bool only_words = false;
    const char *seen[OPTION_ROWS_MAX] = {0};
    rest->count = 0;
    rest->v = argv + 1;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (only_words || word[0] != '-' || !word[1]) {
            rest->v[rest->count++] = word;
        } else if (!strcmp(word, "--")) {
            only_words = true;
        } else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
            print_help(t);
            return EXIT_OK;
        } else if (!strcmp(word, "--help=man")) {
            manual_page(t);
            return EXIT_OK;
        } else if (!strcmp(word, "--help=bash")) {
            manual_words(t);
            return EXIT_OK;
        } else {
            int status = parse_one(t, argc, argv, &i, seen);
            if (status >= 0) return status;
        }
    }
    return -1;
}
