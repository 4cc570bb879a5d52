// links: passes ir
// Golden files of passes: tests/passes/*.ir. A file names what runs, then holds IR text, the report, and the
// text that comes out:
//
//   // passes: fuse_norm                     a list, as --passes takes it
//   // variant: avx512 32 2                  optional: a variant to add (target, length, batch)
//   // dtype: int8 0.05                      optional: the precision to lower to, and how far answers may be off
//   // keep: layer.0.*                       optional: what stays f32
//   // calibration: norm 3 0.5 40            optional: what the channels of a value reached over texts
//   graph @g(...) { ... }
//   // ---- report
//   ...
//   // ---- after
//   ...
//
// BLESS=1 writes what follows the text anew. Whatever the file says, the graph must answer as before: both
// texts are evaluated.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "file.h"
#include "golden.h"
#include "passes/passes.h"

#define TOLERANCE 1e-5

#define REPORT "// ---- report\n"
#define AFTER  "// ---- after\n"

static const target targets[] = {TARGET_AVX512};

// What stands behind "// KEY: " at the start of a line, into `out`; false where there is none.
static bool header(const char *text, const char *key, char *out, size_t size) {
    const char *at = strstr(text, key);
    if (!at) return false;
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

// The precision, and the bound on how far answers may be off.
static double read_precision(const char *text, pass_context *c) {
    char words[64], name[16];
    double bound;
    if (!header(text, "// dtype: ", words, sizeof(words))) return TOLERANCE;
    ck_assert_int_eq(sscanf(words, "%15s %lf", name, &bound), 2);
    ck_assert(precision_find(name, &c->precision));
    return bound;
}

static bool add_variant(graph *g, const char *words, pass_context *c) {
    char isa[16];
    long long length, batch;
    ck_assert_int_eq(sscanf(words, "%15s %lld %lld", isa, &length, &batch), 3);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        if (!strcmp(targets[i].isa, isa)) c->target = &targets[i];
    return passes_add_variant(g, length, batch, c) >= 0;
}

// "norm 3 0.5 40"
static void read_calibration(const char *text, arena *a, calibration *out) {
    char words[256], name[64];
    int at = 0, used = 0;
    *out = (calibration){0};
    if (!header(text, "// calibration: ", words, sizeof(words))) return;
    float *largest = ARENA_ARRAY(a, float, 64);
    channel_range *range = ARENA_NEW(a, channel_range);
    ck_assert_int_eq(sscanf(words, "%63s%n", name, &at), 1);
    *range = (channel_range){.name = arena_strdup(a, name), .largest = largest};
    for (; sscanf(words + at, "%f%n", &largest[range->n], &used) == 1; at += used) range->n++;
    *out = (calibration){1, range};
}

// The report and the text after the passes, in the form of the files.
static char *run(const char *file, const char *text, size_t size) {
    char list[256], words[64], keep[64], *result = NULL;
    size_t n = 0;
    ck_assert_msg(header(text, "// passes: ", list, sizeof(list)), "%s names no passes", file);
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    FILE *out = open_memstream(&result, &n);
    pass_context c = {.diag = &d, .report = out, .verify = true};
    double bound = read_precision(text, &c);
    if (header(text, "// keep: ", keep, sizeof(keep))) c.keep = keep;
    calibration ranges;
    read_calibration(text, a, &ranges);
    c.calibration = &ranges;
    graph *g = graph_parse(a, file, text, size, &d);
    int outputs = 0; // differentiate adds more, and optimize takes them
    while (g && outputs < g->output_count && strncmp(g->outputs[outputs].name, "gradient.", 9)) outputs++;
    const tensor *before = g ? answers(graph_clone(a, g), a) : NULL;
    fputs(REPORT, out);
    bool ok = g && passes_run(g, list, &c);
    if (ok && header(text, "// variant: ", words, sizeof(words))) ok = add_variant(g, words, &c);
    fputs(AFTER, out);
    if (ok) graph_print(g, NULL, out);
    double difference = ok ? answers_apart(outputs, before, answers(g, a)) : 0;
    ck_assert_msg(difference <= bound, "%s: the answers are off by %g", file, difference);
    for (int i = 0; i < d.count; i++) fprintf(out, "%s\n", d.items[i].text);
    fclose(out);
    diag_free(&d);
    arena_free(a);
    return result;
}

START_TEST(golden) {
    const char *path = golden_files.gl_pathv[_i], *base = strrchr(path, '/') + 1;
    char *text = file_text(path, NULL);
    const char *marker = strstr(text, REPORT);
    size_t input = marker ? (size_t)(marker - text) : strlen(text);
    char *got = run(base, text, input);
    if (getenv("BLESS")) {
        FILE *out = fopen(path, "wb");
        ck_assert_ptr_nonnull(out);
        fwrite(text, 1, input, out);
        fputs(got, out);
        fclose(out);
    } else {
        ck_assert_msg(marker && !strcmp(marker, got), "%s: expected\n%s\ngot\n%s", base, marker ? marker : "",
                      got);
    }
    free(got);
    free(text);
}
END_TEST

int main(void) {
    return golden_main("passes", BERTC_TESTS "/passes/*.ir", golden);
}
