// links: backend passes wide ir llvm
// The gradients of every *.ir of this folder: a number is made of each graph's outputs, and differentiated by each
// f32 input and each constant that is f32. Central differences hold the gradients, all in double; then they are
// compiled, kernel by kernel, as every graph here is.
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "harness_parts.h"
#include "ir/recipe_parts.h"
#include "made_loss.h"
#include "main.h"
#include "passes/differentiate/differentiate.h"
#include "wide.h"

#define STEP      1e-5
#define TOLERANCE 1e-6 // relative to the largest element of a gradient
#define ELEMENTS  8    // of each gradient that are held

static glob_t files;

static bool is_wanted(const node *n) {
    bool given = n->op == OP_input || (n->op == OP_constant && node_attr(n, ATTR_recipe));
    return given && n->type.e == ELEM_F32 && n->type.layout == LAYOUT_ROW;
}

// g with its gradients as outputs, named by numbers; gradients[v] is that of v. False: an op has none.
static bool differentiated(graph *g, value loss, value *gradients) {
    diag d;
    diag_init(&d);
    pass_context c = {.diag = &d, .verify = true};
    pass p = {.c = &c, .name = "differentiate"};
    int count = g->count;
    bool *wanted = ARENA_ARRAY(g->arena, bool, count);
    for (value v = 0; v < count; v++) wanted[v] = is_wanted(graph_node(g, v));
    bool ok = differentiate(g, &p, loss, wanted, gradients);
    ck_assert_msg(ok || strstr(d.items[0].text, "has no gradient"), "%s", ok ? "" : d.items[0].text);
    for (value v = 0; ok && v < count; v++)
        if (gradients[v] != VALUE_NONE) graph_output_add(g, arena_printf(g->arena, "%d", v), gradients[v]);
    if (ok) rewriter_end(rewriter_begin(g)); // who reads a state stands before its assign
    ck_assert_msg(!ok || graph_verify(g, "differentiated", &d), "%s", d.count ? d.items[0].text : "");
    diag_free(&d);
    return ok;
}

// --- Differences

// An op whose result is a step function of an f32 operand: differences say nothing of it.
static bool rounds(const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        bool narrows =
            n->op == OP_cast && n->type.e != ELEM_F32 && graph_type(g, n->inputs[0])->e == ELEM_F32;
        if (narrows || n->op == OP_quantize || n->op == OP_scales || (n->body && rounds(n->body)))
            return true;
    }
    return false;
}

// Constants that are wanted become inputs, of the numbers that their recipes give.
static void open_constants(graph *g, run *r) {
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        if (!node_is_constant(n) || !is_wanted(n)) continue;
        const recipe *made = node_attr(n, ATTR_recipe)->u.recipe;
        eval_input *in = &r->inputs[r->input_count++];
        *in = (eval_input){arena_printf(r->a, "constant.%d", v), harness_tensor_new(r->a, &n->type, &r->b)};
        ck_assert(recipe_run_elements(made, &r->source, in->value.data, &r->d));
        n->op = OP_input;
        n->attr_count = 0;
        n->name = in->name;
    }
}

static void widen(run *r) {
    for (int i = 0; i < r->input_count; i++) {
        tensor *t = &r->inputs[i].value;
        if (t->e != ELEM_F32) continue;
        const float *from = t->data;
        double *to = ARENA_ARRAY(r->a, double, tensor_count(t) + 1);
        for (int64_t k = 0; k < tensor_count(t); k++) to[k] = (double)from[k];
        t->data = to;
    }
}

static tensor *evaluated(run *r, const graph *g) {
    tensor *results = ARENA_ARRAY(r->a, tensor, g->output_count);
    eval_options o = {
        .source = &r->source, .input_count = r->input_count, .inputs = r->inputs, .length = r->h->length};
    bool ok = graph_eval_wide(g, &o, r->a, results, &r->d);
    ck_assert_msg(ok, "%s", r->d.count ? r->d.items[0].text : "no diagnostic");
    return results;
}

static double loss_of(run *r, const graph *forward) {
    return *(const double *)evaluated(r, forward)[0].data;
}

static eval_input *input_of(run *r, const graph *g, value v) {
    for (int i = 0; i < r->input_count; i++)
        if (!strcmp(r->inputs[i].name, graph_node(g, v)->name)) return &r->inputs[i];
    ck_abort_msg("no input %s", graph_node(g, v)->name);
}

static void hold_gradient(run *r, const graph *forward, value v, const tensor *gradient) {
    eval_input *in = input_of(r, forward, v);
    double *x = in->value.data, most = 1e-3;
    const double *g = gradient->data;
    int64_t count = tensor_count(gradient);
    rng random = rng_of(in->name);
    ck_assert_int_eq(count, tensor_count(&in->value));
    for (int64_t i = 0; i < count; i++) most = fmax(most, fabs(g[i]));
    for (int k = 0; k < ELEMENTS && k < count; k++) {
        int64_t i = count <= ELEMENTS ? k : rng_below(&random, count);
        double had = x[i], step = STEP;
        x[i] = had + step;
        double above = loss_of(r, forward);
        x[i] = had - step;
        double slope = (above - loss_of(r, forward)) / (2 * step);
        x[i] = had;
        ck_assert_msg(fabs(slope - g[i]) <= TOLERANCE * most, "%s[%ld]: gradient %.12g, by differences %.12g",
                      in->name, (long)i, g[i], slope);
    }
}

static void open_run(run *r, harness *h, harness_weights *w, const char *path) {
    if (h->texts == 0) {
        h->texts = 3;
        memcpy(h->lengths, (int64_t[]){5, 1, 9}, 3 * sizeof(int64_t));
    }
    for (int i = 0; i < h->texts; i++) h->length = h->lengths[i] > h->length ? h->lengths[i] : h->length;
    w->a = r->a;
    harness_weights_of(r->g, w, h);
    h->weights = w;
    r->h = h;
    r->source = (tensor_source){w, harness_find};
    snprintf(r->target.class, sizeof(r->target.class), "f32");
    r->cpu = path;
    diag_init(&r->d);
}

START_TEST(by_differences) {
    const char *path = files.gl_pathv[_i];
    run r = {.a = arena_new()};
    harness h = {0};
    harness_weights w = {0};
    r.g = graph_clone(r.a, harness_parse(r.a, path, &h));
    open_run(&r, &h, &w, path);
    value loss = made_loss(r.g);
    if (loss != VALUE_NONE && !rounds(r.g) && !graph_has_effect(r.g)) { // states become inputs
        int32_t bounds[HARNESS_TEXTS + 1] = {0}, row_bounds[HARNESS_TEXTS + 1] = {0};
        harness_bind(&r, bounds, row_bounds);
        r.b.v[SYM_M] = h.length;
        harness_inputs(&r);
        open_constants(r.g, &r);
        widen(&r);
        const graph *forward = graph_clone(r.a, r.g);
        value *gradients = ARENA_ARRAY(r.a, value, r.g->count);
        if (differentiated(r.g, loss, gradients)) {
            const tensor *results = evaluated(&r, r.g);
            int next = 1; // behind the loss
            for (value v = 0; v < forward->count; v++)
                if (gradients[v] != VALUE_NONE) hold_gradient(&r, forward, v, &results[next++]);
        }
    }
    diag_free(&r.d);
    arena_free(r.a);
}
END_TEST

// --- Compiled

START_TEST(compiled) {
    arena *a = arena_new();
    harness h = {0};
    harness_weights w = {.a = a};
    graph *g = graph_clone(a, harness_parse(a, files.gl_pathv[_i], &h));
    harness_weights_of(g, &w, &h);
    h.weights = &w;
    h.only = "native";
    h.family = h.dtypes = h.passes = NULL;
    h.plain = _i % 3 != 0; // the ops and kernels of a gradient are optimised in tests of their own
    value loss = made_loss(g), *gradients = ARENA_ARRAY(a, value, g->count);
    if (loss != VALUE_NONE && !rounds(g) && differentiated(g, loss, gradients)) {
        h.tolerance = 3e-4;
        harness_check(g, &h);
    }
    arena_free(a);
}
END_TEST

int main(int argc, char **argv) {
    const char *pattern = argc > 1 ? argv[1] : "*";
    char path[4096];
    snprintf(path, sizeof(path), "%s/ops/%s.ir", BERTC_TESTS, pattern);
    if (glob(path, 0, NULL, &files) != 0) {
        fprintf(stderr, "no file %s\n", path);
        return 1;
    }
    Suite *s = suite_create("gradients");
    suite_add_files(s, &files, by_differences);
    suite_add_files(s, &files, compiled);
    int status = suite_status(s);
    globfree(&files);
    return status;
}
