// links: backend passes runtime ir
// What the loader refuses (runtime/abi.h) the compiler does not make: it says which node is too large.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "main.h"
#include "passes/passes.h"
#include "runtime/abi.h"
#include "runtime/bertc.h"

// The message of compiling the graph for these lengths, from `length` on; "" where it is made, and then it loads too.
static const char *made(const char *text, int64_t length, int count) {
    static char message[256];
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    target t;
    graph *g = graph_parse(a, "limits.ir", text, strlen(text), &d);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    ck_assert(target_init(&t, NULL, "native", PRECISION_F32, &d));
    pass_context c = {.target = &t, .diag = &d, .verify = true};
    ck_assert(passes_run(g, "assign_layouts,pack_weights", &c));
    for (int i = 0; i < count; i++) ck_assert_int_eq(passes_add_variant(g, length + i, 1, &c), i);
    artefact whole = {.module = module_alone(g->arena, g),
                      .targets = &t,
                      .target_count = 1,
                      .vocab_size = 8,
                      .type_vocab_size = 1,
                      .position_count = length};
    jit *j = backend_jit(&whole, 0, NULL, &d);
    ck_assert_int_eq(d.errors, j ? 0 : 1);
    snprintf(message, sizeof message, "%s", j ? "" : d.items[0].text);
    if (j) {
        bertc_error error = {""};
        bertc_model *m = bertc_load_memory(jit_descriptor(j), jit_weights(j), &error);
        ck_assert_msg(m != NULL, "%s", error.message);
        bertc_unload(m);
        jit_free(j);
    }
    diag_free(&d);
    arena_free(a);
    return message;
}

// A concatenation of n values; `outputs` of it.
static const char *concat_of(int n, int outputs, char *out, size_t size) {
    size_t at = (size_t)snprintf(out, size,
                                 "graph @many(%%ids: i32[T]) {\n  %%1 = cast %%ids -> f32[T] {to = f32}\n"
                                 "  %%2 = reshape %%1 -> f32[T,1] {shape = [T,1]}\n  %%wide = concat %%2");
    for (int i = 1; i < n; i++) at += (size_t)snprintf(out + at, size - at, ", %%2");
    at += (size_t)snprintf(out + at, size - at, " -> f32[T,%d] {axis = 1}\n", n);
    for (int i = 0; i < outputs; i++)
        at += (size_t)snprintf(out + at, size - at, "  output o%d = %%wide\n", i);
    snprintf(out + at, size - at, "}\n");
    return out;
}

START_TEST(arguments) {
    char text[2048];
    ck_assert_str_eq(made(concat_of(BERTC_ARGS_MAX - 1, 1, text, sizeof text), 8, 1), "");
    ck_assert_str_eq(made(concat_of(BERTC_ARGS_MAX, 1, text, sizeof text), 8, 1),
                     "wide: it has 65 operands and results: a kernel takes at most 64");
}
END_TEST

// All heads' scores of a text lie in scratch memory.
START_TEST(scratch) {
    static const char text[] = "graph @scores(%ids: i32[T], %bounds: i32[S+1]) {\n"
                               "  %2 = cast %ids -> f32[T] {to = f32}\n"
                               "  %3 = reshape %2 -> f32[T,1] {shape = [T,1]}\n"
                               "  %scores = per_sequence (%bounds; %k = %3) -> f32[T,1] {\n"
                               "    %1 = reduce_sum %k -> f32[1,1] {axes = [0,1]}\n"
                               "    %2 = reshape %1 -> f32[1,1,1] {shape = [1,1,1]}\n"
                               "    %3 = broadcast %2 -> f32[12,L,L] {shape = [12,L,L]}\n"
                               "    %4 = exp %3 -> f32[12,L,L]\n"
                               "    %5 = reduce_max %4 -> f32[1,1,1] {axes = [0,1,2]}\n"
                               "    %6 = reshape %5 -> f32[1,1] {shape = [1,1]}\n"
                               "    yield add %k, %6\n"
                               "  }\n"
                               "  output y = %scores\n"
                               "}\n";
    ck_assert_str_eq(made(text, 1 << 14, 1), "");
    const char *message = made(text, 1 << 16, 1);
    ck_assert_msg(strncmp(message, "scores: its kernel needs ", 25) == 0 &&
                      strstr(message,
                             "bytes of scratch memory a thread, more than 17179869184: use a smaller "
                             "length than 65536"),
                  "%s", message);
}
END_TEST

START_TEST(counts) {
    size_t size = (size_t)(BERTC_OUTPUTS_MAX + 1) * 32 + 2048;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    ck_assert_str_eq(made(concat_of(2, BERTC_OUTPUTS_MAX + 1, text, size), 8, 1),
                     "many: 4097 outputs, at most 4096");
    ck_assert_str_eq(made(concat_of(2, 1, text, size), 8, BERTC_VARIANTS_MAX + 1),
                     "many: 257 variants (lengths, for each level), at most 256");
    free(text);
}
END_TEST

int main(void) {
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");
    tcase_add_test(t, arguments);
    tcase_add_test(t, scratch);
    tcase_add_test(t, counts);
    suite_add_tcase(s, t);
    return suite_status(s);
}
