// links: ir
// Golden files of the text form: tests/ir/*.ir. A file holds the text that is parsed, then, behind a line
// `// ---- prints` or `// ---- fails`, what printing it gives, or the diagnostics. Without such a line it
// prints as it stands (less the comments it opens with). What was printed must parse and print to itself.
// BLESS=1 writes the second part anew.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "golden.h"
#include "ir/ir.h"

#define PRINTS "// ---- prints\n"
#define FAILS  "// ---- fails\n"

// What the parser and printer make of `text`: the text form (*ok), or the diagnostics.
static char *round_trip(const char *file, const char *text, size_t size, bool *ok) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    char *result = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&result, &n);
    module *m = module_parse(a, file, text, size, &d);
    *ok = m != NULL;
    ck_assert(*ok != diag_failed(&d));
    if (m) module_print(m, NULL, out);
    for (int i = 0; i < d.count; i++) fprintf(out, "%s\n", d.items[i].text);
    fclose(out);
    diag_free(&d);
    arena_free(a);
    return result;
}

static const char *after_comments(const char *text) {
    while (!strncmp(text, "//", 2)) text = strchr(text, '\n') + 1;
    return text;
}

static void bless(const char *path, const char *text, size_t input, bool ok, const char *got) {
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    fwrite(text, 1, input, out);
    bool as_it_stands = ok && strlen(after_comments(text)) >= strlen(got) &&
                        !strncmp(after_comments(text), got, strlen(got)) &&
                        after_comments(text) + strlen(got) == text + input;
    if (!as_it_stands) fprintf(out, "%s%s", ok ? PRINTS : FAILS, got);
    fclose(out);
}

START_TEST(golden) {
    const char *path = golden_files.gl_pathv[_i], *base = strrchr(path, '/') + 1;
    char *text = file_text(path, NULL);
    const char *prints = strstr(text, PRINTS), *fails = strstr(text, FAILS);
    const char *marker = prints ? prints : fails;
    size_t input = marker ? (size_t)(marker - text) : strlen(text);
    bool ok, again;
    char *got = round_trip(base, text, input, &ok);
    if (ok) {
        char *twice = round_trip("printed", got, strlen(got), &again);
        ck_assert_str_eq(twice, got);
        free(twice);
    }
    if (getenv("BLESS")) {
        bless(path, text, input, ok, got);
    } else {
        const char *want = prints  ? prints + strlen(PRINTS)
                           : fails ? fails + strlen(FAILS)
                                   : after_comments(text);
        ck_assert_msg(ok == !fails, "%s: %s", base, got);
        ck_assert_msg(!strcmp(got, want), "%s: expected\n%s\ngot\n%s", base, want, got);
    }
    free(got);
    free(text);
}
END_TEST

int main(void) {
    return golden_main("text", BERTC_TESTS "/ir/*.ir", golden);
}
