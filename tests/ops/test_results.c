// links: backend passes ir llvm
// Which of a body's values are yielded, in which order and how often: drawn from a seed, for a body of each kernel family.
// Whatever family takes a draw, each result is what the evaluator gives.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "main.h"

#define CONSTANTS                                                                                            \
    "  %w = constant -> f32[20,40] {recipe = tensor(\"w\", f32[20,40])}\n"                                   \
    "  %w2 = constant -> f32[40,24] {recipe = scale(tensor(\"w2\", f32[40,24]), 0.3)}\n"                     \
    "  %b = constant -> f32[40] {recipe = tensor(\"b\", f32[40])}\n"                                         \
    "  %g = constant -> f32[40] {recipe = tensor(\"g\", f32[40])}\n"                                         \
    "  %table = constant -> f32[9,40] {recipe = tensor(\"table\", f32[9,40])}\n"

// A norm of %s, its numbers, and what follows from them.
#define NORM                                                                                                 \
    "    %n = layer_norm %s, %g, %b {eps = 1e-5}\n"                                                          \
    "    %mean = reduce_mean %s {axes = [1]}\n"                                                              \
    "    %d = sub %s, %mean\n"                                                                               \
    "    %d2 = mul %d, %d\n"                                                                                 \
    "    %variance = reduce_mean %d2 {axes = [1]}\n"                                                         \
    "    %eps = constant 1e-5\n"                                                                             \
    "    %shifted = add %variance, %eps\n"                                                                   \
    "    %rstd = rsqrt %shifted\n"                                                                           \
    "    %half = cast %n {to = bf16}\n"                                                                      \
    "    %most = reduce_max %n {axes = [1]}\n"                                                               \
    "    %gated = mul %n, %res\n"

// Rows of 96 columns, quantised in one group, in two and in three.
#define WIDE                                                                                                 \
    "  %u = constant -> f32[20,96] {recipe = tensor(\"u\", f32[20,96])}\n"                                   \
    "  %g = constant -> f32[96] {recipe = tensor(\"g\", f32[96])}\n"
#define SCALES                                                                                               \
    "    %n = rms_norm %s, %g {eps = 1e-5}\n"                                                                \
    "    %one = scales %n {group = 96, limit = 127}\n"                                                       \
    "    %q = quantize %n, %one {to = u8, group = 96, limit = 127}\n"                                        \
    "    %two = scales %s {group = 48, limit = 7}\n"                                                         \
    "    %r = quantize %s, %two {to = i4, group = 48, limit = 7}\n"                                          \
    "    %act = tanh %s\n"                                                                                   \
    "    %three = scales %act {group = 32, limit = 63}\n"                                                    \
    "    %p = quantize %act, %three {to = u8, group = 32, limit = 63}\n"                                     \
    "    %back = dequantize %p, %three {group = 32, limit = 63}\n"                                           \
    "    %half = cast %n {to = bf16}\n"                                                                      \
    "    %more = scales %act {group = 48, limit = 127}\n"

static const struct family {
    const char *name, *text; // up to the yields
    const char *values[12];  // what may be yielded
    bool boxed;              // a fuse in a per_sequence
} families[] = {
    {"matmul",
     CONSTANTS "  %y = fuse (%x, %w, %b, %g, %res) {\n"
               "    %dot = matmul %x, %w\n"
               "    %s = add %dot, %res\n"
               "    %act = gelu %s {approximation = tanh}\n" NORM,
     {"dot", "s", "act", "n", "mean", "variance", "rstd", "half", "most", "gated", "res"},
     false},
    {"mlp",
     CONSTANTS "  %y = fuse (%x, %w, %b, %w2, %small) {\n"
               "    %dot = matmul %x, %w\n"
               "    %s = add %dot, %b\n"
               "    %act = sigmoid %s\n"
               "    %out = matmul %act, %w2\n"
               "    %sum = add %out, %small\n"
               "    %p = softmax %sum\n"
               "    %most = reduce_max %sum {axes = [1]}\n"
               "    %half = cast %sum {to = f16}\n",
     {"dot", "s", "act", "out", "sum", "p", "most", "half", "small"},
     false},
    {"rowwise",
     CONSTANTS "  %y = fuse (%table, %ids, %b, %g, %res) {\n"
               "    %row = gather %table, %ids\n"
               "    %s = add %row, %res\n" NORM "    %positive = compare %s, %eps {predicate = gt}\n",
     {"row", "s", "n", "mean", "rstd", "half", "most", "gated", "positive", "d", "res"},
     false},
    {"quantised products",
     WIDE "  %y = fuse (%x, %u, %g, %wide) {\n"
          "    %dot = matmul %x, %u\n"
          "    %s = add %dot, %wide\n" SCALES,
     {"n", "one", "q", "two", "r", "act", "three", "p", "back", "half", "more", "s"},
     false},
    {"quantised rows",
     WIDE "  %y = fuse (%g, %wide) {\n"
          "    %s = mul %wide, %g\n" SCALES,
     {"n", "one", "q", "two", "r", "act", "three", "p", "back", "half", "more", "s"},
     false},
    {"attention",
     "  %y = per_sequence (%bounds; %q, %k) {\n"
     "    %box = fuse (%q, %k) {\n"
     "      %qh = reshape %q {shape = [L,2,8]}\n"
     "      %qt = transpose %qh {perm = [1,0,2]}\n"
     "      %kh = reshape %k {shape = [L,2,8]}\n"
     "      %kt = transpose %kh {perm = [1,2,0]}\n"
     "      %vt = transpose %kh {perm = [1,0,2]}\n"
     "      %s = matmul %qt, %kt\n"
     "      %p = softmax %s\n"
     "      %o = matmul %p, %vt\n"
     "      %ot = transpose %o {perm = [1,0,2]}\n"
     "      %context = reshape %ot {shape = [L,16]}\n"
     "      %most = reduce_max %s {axes = [2]}\n"
     "      %less = sub %s, %most\n"
     "      %e = exp %less\n"
     "      %sum = reduce_sum %e {axes = [2]}\n"
     "      %log = log %sum\n"
     "      %lse = add %most, %log\n"
     "      %lt = transpose %lse {perm = [1,0,2]}\n"
     "      %l = reshape %lt {shape = [L,2]}\n"
     "      %mt = transpose %most {perm = [1,0,2]}\n"
     "      %first = slice %k {begin = [0,0], end = [1,16]}\n",
     {"context", "lt", "l", "mt", "first", "context", "l"},
     true},
};
enum { FAMILIES = sizeof(families) / sizeof(families[0]), DRAWS = 16, MOST = 4 };

static uint32_t draw(uint64_t *seed, int n) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % (uint32_t)n;
}

// "a, b, c" of `count` names; `stem`: "box" gives box, box1, box2.
static void print_names(FILE *out, const char *stem, int count) {
    for (int i = 0; i < count; i++) {
        fprintf(out, i ? ", %%%s" : " %%%s", stem);
        if (i) fprintf(out, "%d", i);
    }
    fputc('\n', out);
}

static char *draw_text(const struct family *f, uint64_t seed, size_t *size) {
    char *text;
    FILE *out = open_memstream(&text, size);
    int known = 0, count = 1 + (int)draw(&seed, MOST);
    while (known < 12 && f->values[known]) known++;
    fprintf(out,
            "graph @results(%%x: f32[T,20], %%wide: f32[T,96], %%res: f32[T,40], %%small: f32[T,24], %%ids: "
            "i32[T], %%q: f32[T,16], "
            "%%k: f32[T,16], %%bounds: i32[S+1]) {\n%s    yield",
            f->text);
    for (int i = 0; i < count; i++) fprintf(out, "%s %%%s", i ? "," : "", f->values[draw(&seed, known)]);
    fprintf(out, "\n  }\n");
    if (f->boxed) {
        for (int i = 1; i < count; i++) fprintf(out, "    %%box%d = result %%box {index = %d}\n", i, i);
        fprintf(out, "    yield");
        print_names(out, "box", count);
        fprintf(out, "  }\n");
    }
    // some yields that nobody reads
    bool read[MOST] = {true};
    for (int i = 1; i < count; i++) read[i] = draw(&seed, 5) > 0;
    for (int i = 1; i < count; i++)
        if (read[i]) fprintf(out, "  %%y%d = result %%y {index = %d}\n", i, i);
    fprintf(out, "  output o0 = %%y\n");
    for (int i = 1; i < count; i++)
        if (read[i]) fprintf(out, "  output o%d = %%y%d\n", i, i);
    fprintf(out, "}\n");
    fclose(out);
    return text;
}

START_TEST(drawn_results) {
    const struct family *f = &families[_i / DRAWS];
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    size_t size;
    char *text = draw_text(f, (uint64_t)_i + 1, &size);
    const graph *g = graph_parse(a, f->name, text, size, &d);
    diag_print(&d, stderr);
    if (!g) fputs(text, stderr);
    ck_assert(g != NULL);
    harness_weights w = {.a = a};
    harness h = {.texts = 3, .lengths = {50, 1, 19}, .tolerance = 1e-5, .weights = &w};
    harness_weights_of(g, &w, &h);
    harness_check(g, &h);
    free(text);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("results");
    TCase *t = tcase_create("results");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, drawn_results, 0, FAMILIES * DRAWS);
    suite_add_tcase(s, t);
    return suite_status(s);
}
