// links: cli llvm
// Which kernels of the conformance cases (models/case_list.h) are left to the loop nest, op by op, in each precision and
// arithmetic class, whatever CPU this is: small ones without a product, a norm, rows looked up or narrowed, and no more than in
// float32. An argument, or BERTC_CASE, picks the cases whose name begins so.
#include <check.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/codegen.h"
#include "frontend/cli/cli.h"
#include "main.h"
#include "models/case_list.h"

static case_list cases;

static const struct form {
    const char *dtype, *level;
} forms[] = {{"f32", "avx512"}, {"bf16", "amx"},  {"bf16", "avx2"},
             {"int8", "amx"},   {"int8", "avx2"}, {"int8w", "avx512"}};
enum { FORMS = sizeof forms / sizeof *forms };

// Does the graph hold an op that a fast family must compute?
static bool is_work(const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->body && is_work(n->body)) return true;
        if (n->op == OP_matmul || n->op == OP_softmax || n->op == OP_layer_norm || n->op == OP_rms_norm ||
            n->op == OP_scales || n->op == OP_quantize || n->op == OP_dequantize)
            return true;
    }
    return false;
}

// What float32 leaves to it as well: ConvBERT's softmax over 9 taps, and FNet's mixing for the rows that a head reads.
static bool is_known(const char *what, const char *name) {
    bool taps = name && fnmatch("layer.*.attention.convolved", name, 0) == 0;
    return taps || fnmatch("fnet-*", what, 0) == 0;
}

// How many kernels of the build the loop nest emits. *work: those of them that must not be its own, each printed.
static int count_slow(const build *b, const char *what, int *work, diag *d) {
    arena *a = arena_new();
    emit e;
    int slow = 0;
    const graph *g = b->artefact.module->graphs[0];
    const kernel **kernels = ARENA_ARRAY(a, const kernel *, (int)codegen_sites(b->artefact.module));
    build_begin(&e, a, d);
    ck_assert(codegen_kernels(&e, &b->artefact, kernels));
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!kernels[v] || strcmp(kernels[v]->family, "loop_nest") != 0) continue;
        slow++;
        if (n->op != OP_fuse && !(n->body && is_work(n->body)) && n->op != OP_gather && n->op != OP_matmul)
            continue;
        if (n->op == OP_gather && n->type.e == ELEM_I32) continue;
        if (is_known(what, n->name)) continue;
        printf("%s: %%%d %s (%s)\n", what, v, n->name ? n->name : "", op_name(n->op));
        fflush(stdout);
        (*work)++;
    }
    build_end(&e);
    arena_free(a);
    return slow;
}

START_TEST(loop_nest_gets_none) {
    const char *name = cases.names[_i];
    char folder[1024], what[256];
    int slow = 0, work = 0;
    if (!case_home(name)) SKIP("shared", "%s", name);
    snprintf(folder, sizeof folder, "%s", case_home(name));
    for (int i = 0; i < FORMS; i++) {
        build b;
        diag d;
        diag_init(&d);
        snprintf(what, sizeof what, "%s, %s, %s", name, forms[i].dtype, forms[i].level);
        build_options o = {.batch = 1,
                           .dtype = forms[i].dtype,
                           .mcpu = forms[i].level,
                           .lengths = {1, {8}},
                           .hub = {.model = folder}};
        ck_assert(build_open(&b, &o, &d));
        int n = count_slow(&b, what, &work, &d);
        if (i) ck_assert_msg(n <= slow, "%s: %d kernels are left to the loop nest, %d in f32", what, n, slow);
        slow = i ? slow : n;
        build_close(&b);
        diag_free(&d);
    }
    ck_assert_int_eq(work, 0);
}
END_TEST

int main(int argc, char **argv) {
    return case_main("families", argc, argv, &cases, loop_nest_gets_none, 1, NULL);
}
