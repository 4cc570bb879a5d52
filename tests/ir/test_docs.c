// links: ir
// docs/ir.md against ops.def and attrs.def: a row an op, with its operands and attributes, a row an
// attribute, with its kind; a place in the recipes and in the grammar for each recipe; and its examples print as they stand.
// All pages: the files that they name are there, and their links lead to a file and a heading.
#include <check.h>
#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "ir/ir.h"
#include "main.h"

static char *page;

static const char *row_of(const char *name, char *row, size_t size) {
    char start[64];
    snprintf(start, sizeof(start), "\n| `%s` |", name);
    const char *at = strstr(page, start);
    ck_assert_msg(at != NULL, "docs/ir.md has no row for %s", name);
    snprintf(row, size, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    return row;
}

START_TEST(ops) {
    for (op o = 0; o < OP_COUNT; o++) {
        char row[512], operands[64];
        int least = op_least_inputs(o), most = op_most_inputs(o);
        row_of(op_name(o), row, sizeof(row));
        snprintf(operands, sizeof(operands), most < 0 ? "` | %d or more | " : "` | %d | ", least);
        ck_assert_msg(strstr(row, operands) != NULL, "%s: not%s", row, operands);
        ck_assert(most < 0 || most == least);
        for (attr_id id = 0; id < ATTR_COUNT; id++) {
            bool required = false, takes = op_takes(o, id, &required);
            char mention[64];
            snprintf(mention, sizeof(mention), required ? "`%s`" : "`%s?`", attr_name(id));
            char *attributes = strstr(row, operands) + strlen(operands);
            size_t cell = strcspn(attributes, "|");
            const char *found = strstr(attributes, mention);
            ck_assert_msg((found && found < attributes + cell) == takes, "%s: %s", row, mention);
        }
    }
}
END_TEST

START_TEST(attributes) {
    static const char *const kinds[] = {"INT",  "FLOAT",   "INTS",   "DIMS", "NAME",
                                        "ELEM", "LITERAL", "RECIPE", "HASH", "FLAG"};
    for (attr_id id = 0; id < ATTR_COUNT; id++) {
        char row[512], start[64];
        row_of(attr_name(id), row, sizeof(row));
        snprintf(start, sizeof(start), "| `%s` | %s |", attr_name(id), kinds[attr_kind_of(id)]);
        ck_assert_msg(!strncmp(row, start, strlen(start)), "%s: not %s", row, start);
    }
}
END_TEST

START_TEST(types) {
    char word[32];
    for (elem e = 0; e < ELEM_COUNT; e++) {
        snprintf(word, sizeof(word), "\"%s\"", elem_name(e));
        ck_assert_msg(strstr(page, word) != NULL, "%s", word);
    }
    for (sym s = SYM_NONE + 1; s < SYM_COUNT; s++) {
        char row[512];
        row_of(sym_name(s), row, sizeof(row));
    }
}
END_TEST

START_TEST(recipes) {
    const char *section = strstr(page, "\n## Recipes\n"), *grammar = strstr(page, "\n## Grammar\n");
    ck_assert(section && grammar);
    for (int kind = 0; recipe_word((recipe_kind)kind); kind++) {
        const char *name = recipe_word((recipe_kind)kind);
        char row[64], terminal[64];
        snprintf(row, sizeof(row), "`%s", name);
        snprintf(terminal, sizeof(terminal), "\"%s\"", name);
        const char *at = strstr(section, row);
        ck_assert_msg(at && at < strstr(section + 1, "\n## "), "docs/ir.md does not say what %s makes", name);
        ck_assert_msg(strstr(grammar, terminal) != NULL, "the grammar of docs/ir.md lacks %s", name);
    }
}
END_TEST

static void mark(const graph *g, bool *seen) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        seen[n->op] = true;
        if (n->body) mark(n->body, seen);
    }
}

START_TEST(every_op_is_used) {
    const char *file = BERTC_TESTS "/ir/every_op.ir";
    bool seen[OP_COUNT] = {0};
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    size_t size;
    char *text = file_text(file, &size);
    const graph *g = graph_parse(a, file, text, size, &d);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : file);
    mark(g, seen);
    for (op o = 0; o < OP_COUNT; o++) ck_assert_msg(seen[o], "%s does not use %s", file, op_name(o));
    free(text);
    diag_free(&d);
    arena_free(a);
}
END_TEST

START_TEST(examples) {
    int count = 0;
    for (const char *at = page; (at = strstr(at, "```ir\n")); count++) {
        at += strlen("```ir\n");
        size_t n = (size_t)(strstr(at, "```") - at);
        arena *a = arena_new();
        diag d;
        diag_init(&d);
        const module *m = module_parse(a, "docs/ir.md", at, n, &d);
        ck_assert_msg(m != NULL, "example %d: %s", count, d.count ? d.items[0].text : "");
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        module_print(m, NULL, out);
        fclose(out);
        ck_assert_msg(size == n && !memcmp(text, at, n), "example %d prints as\n%s", count, text);
        free(text);
        diag_free(&d);
        arena_free(a);
    }
    ck_assert_int_ge(count, 4);
}
END_TEST

// --- Paths

static bool ends_in(const char *word, const char *end) {
    size_t n = strlen(word), m = strlen(end);
    return n > m && !strcmp(word + n - m, end);
}

// Does a page's word in backticks name a file of the tree: backend/emit/view.c?
static bool names_source(const char *word) {
    static const char *const folders[] = {"ir/",       "passes/", "backend/",  "runtime/",
                                          "frontend/", "tests/",  "examples/", "cmake/"};
    if (!strpbrk(word, "/") || strpbrk(word, " *%$<>{}") || strstr(word, "NAME")) return false;
    if (!ends_in(word, ".c") && !ends_in(word, ".h") && !ends_in(word, ".def") && !ends_in(word, ".cmake"))
        return false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (!strncmp(word, folders[i], strlen(folders[i]))) return true;
    return false;
}

static int check_paths(const char *path) {
    char *text = file_text(path, NULL), word[256], file[1024];
    int count = 0;
    for (const char *p = strchr(text, '`'); p; p = strchr(p + 1, '`')) {
        size_t n = strcspn(p + 1, "`\n");
        if (p[n + 1] != '`' || n >= sizeof word) continue;
        snprintf(word, sizeof word, "%.*s", (int)n, p + 1);
        if (!names_source(word)) continue;
        snprintf(file, sizeof file, "%s/../%s", BERTC_TESTS, word);
        ck_assert_msg(!access(file, R_OK), "%s names %s, which is not there", path, word);
        count++;
    }
    free(text);
    return count;
}

// --- Links

// Is the heading's anchor `anchor`? As GitHub makes it: small letters, digits, - and _, with - for blanks.
static bool heading_is(const char *heading, const char *anchor) {
    for (; *heading && *heading != '\n'; heading++) {
        unsigned char c = (unsigned char)*heading;
        bool letter = c >= 0x80 || isalnum(c) || c == '-' || c == '_';
        if (!letter && c != ' ') continue;
        if (*anchor++ != (c == ' ' ? '-' : (char)tolower(c))) return false;
    }
    return !*anchor;
}

static bool has_heading(const char *path, const char *anchor) {
    char *text = file_text(path, NULL);
    bool code = false, found = false;
    for (const char *line = text; line && !found; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (!strncmp(line, "```", 3)) code = !code;
        size_t level = strspn(line, "#");
        found = !code && level && line[level] == ' ' && heading_is(line + level + 1, anchor);
    }
    free(text);
    return found;
}

static int check_links(const char *path) {
    char *text = file_text(path, NULL), link[512], file[1024];
    int count = 0;
    for (const char *p = strstr(text, "]("); p; p = strstr(p + 2, "](")) {
        size_t n = strcspn(p + 2, ")\n");
        if (p[2 + n] != ')' || n >= sizeof link) continue;
        snprintf(link, sizeof link, "%.*s", (int)n, p + 2);
        if (strstr(link, "://")) continue;
        char *anchor = strchr(link, '#');
        if (anchor) *anchor++ = 0;
        if (*link)
            snprintf(file, sizeof file, "%.*s/%s", (int)(strrchr(path, '/') - path), path, link);
        else
            snprintf(file, sizeof file, "%s", path);
        ck_assert_msg(!access(file, R_OK), "%s links to %s, which is not there", path, link);
        ck_assert_msg(!anchor || has_heading(file, anchor), "%s links to %s#%s: there is no such heading",
                      path, link, anchor ? anchor : "");
        count++;
    }
    free(text);
    return count;
}

static int on_all_pages(int (*check)(const char *path)) {
    glob_t pages;
    ck_assert_int_eq(glob(BERTC_TESTS "/../docs/*.md", 0, NULL, &pages), 0);
    ck_assert_int_eq(glob(BERTC_TESTS "/../README.md", GLOB_APPEND, NULL, &pages), 0);
    ck_assert_int_eq(glob(BERTC_TESTS "/README.md", GLOB_APPEND, NULL, &pages), 0);
    int count = 0;
    for (size_t i = 0; i < pages.gl_pathc; i++) count += check(pages.gl_pathv[i]);
    globfree(&pages);
    return count;
}

START_TEST(paths) {
    ck_assert_int_ge(on_all_pages(check_paths), 30);
}
END_TEST

START_TEST(links) {
    ck_assert_int_ge(on_all_pages(check_links), 60);
}
END_TEST

static void read_page(void) {
    FILE *in = fopen(BERTC_TESTS "/../docs/ir.md", "rb");
    ck_assert_ptr_nonnull(in);
    page = calloc(1, 1 << 20);
    ck_assert(page && fread(page, 1, (1 << 20) - 1, in) > 0);
    fclose(in);
}
static void free_page(void) {
    free(page);
}

int main(void) {
    Suite *s = suite_create("docs");
    TCase *c = tcase_create("docs/ir.md");
    tcase_add_checked_fixture(c, read_page, free_page);
    tcase_add_test(c, ops);
    tcase_add_test(c, attributes);
    tcase_add_test(c, types);
    tcase_add_test(c, recipes);
    tcase_add_test(c, every_op_is_used);
    tcase_add_test(c, examples);
    suite_add_tcase(s, c);
    TCase *all = tcase_create("all pages");
    tcase_add_test(all, paths);
    tcase_add_test(all, links);
    suite_add_tcase(s, all);
    return suite_status(s);
}
