// links: ir
// IR text of any bytes: refused with a diagnostic, or a graph that prints and parses to itself, survives
// copying and rewriting, and, where it is small, can be evaluated.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define SMALL 3000 // elements of all values together that are worth evaluating

static char *print(const module *m) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    module_print(m, NULL, out);
    fclose(out);
    return text;
}

// --- A checkpoint that has whatever is asked for, as long as it is small: zeros.

static const unsigned char zeros[SMALL * 8];

static const recipe *tensor_called(const recipe *r, const char *name) {
    if (r->kind == RECIPE_TENSOR) return strcmp(r->tensor, name) ? NULL : r;
    const recipe *found = NULL;
    for (int i = 0; i < r->part_count && !found; i++) found = tensor_called(r->parts[i], name);
    return found;
}

static bool find_in(const graph *g, const char *name, tensor_view *out) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->body && find_in(n->body, name, out)) return true;
        const attr *recipe_attr = node_attr(n, ATTR_recipe);
        const recipe *r = recipe_attr ? tensor_called(recipe_attr->u.recipe, name) : NULL;
        if (!r) continue;
        *out = (tensor_view){.e = r->type.e, .rank = r->type.rank, .data = zeros};
        for (int i = 0; i < r->type.rank; i++) out->shape[i] = r->type.d[i].n;
        return true;
    }
    return false;
}

static bool find(void *context, const char *name, tensor_view *out) {
    return find_in(context, name, out);
}

// --- Evaluation of three texts, two of which read rows.

static const bindings lengths = {
    .v = {[SYM_T] = 6, [SYM_S] = 3, [SYM_R] = 2, [SYM_L] = 3, [SYM_Q] = 2, [SYM_M] = 3}};

// Elements of all values, bodies included; more than SMALL where there are too many.
static int64_t elements(const graph *g) {
    int64_t sum = 0;
    for (value v = 0; v < g->count && sum <= SMALL; v++) {
        const type *t = graph_type(g, v);
        int64_t n = 1;
        for (int i = 0; i < t->rank; i++) {
            int64_t length = dim_value(t->d[i], &lengths);
            if (length < 0 || length > SMALL || (n *= length) > SMALL) return SMALL + 1;
        }
        sum += n * (t->layout == LAYOUT_PACKED ? PANEL_COLUMNS : 1);
        if (g->nodes[v].body) sum += elements(g->nodes[v].body);
    }
    return sum;
}

static void evaluate(const graph *g, arena *a) {
    eval_input *inputs = ARENA_ARRAY(a, eval_input, g->count + 1);
    eval_options o = {.inputs = inputs, .source = &(tensor_source){(void *)(uintptr_t)g, find}};
    static const int32_t bounds[] = {0, 2, 3, 6}, row_bounds[] = {0, 1, 1, 2};
    if (elements(g) > SMALL) return;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_input) continue;
        eval_input *in = &inputs[o.input_count++];
        *in = (eval_input){n->name, {.e = n->type.e, .rank = n->type.rank}};
        for (int i = 0; i < n->type.rank; i++) in->value.shape[i] = dim_value(n->type.d[i], &lengths);
        bool is_bounds = n->type.e == ELEM_I32 && n->type.rank == 1 && in->value.shape[0] == 4;
        const void *data = is_bounds ? (strchr(n->name, 'r') ? row_bounds : bounds) : (const void *)zeros;
        in->value.data = (void *)(uintptr_t)data;
    }
    diag d;
    diag_init(&d);
    tensor *results = ARENA_ARRAY(a, tensor, g->output_count);
    if (graph_eval(g, &o, a, results, &d) == diag_failed(&d)) abort();
    diag_free(&d);
}

static void must_be(const char *text, const char *same) {
    if (strcmp(text, same)) abort();
}

static void use_module(const module *m, arena *a) {
    char *text = print(m), *again;
    diag d;
    diag_init(&d);
    const module *copy = module_parse(a, "printed", text, strlen(text), &d);
    if (!copy) abort();
    again = print(copy);
    must_be(text, again);
    free(again);
    module *clones = module_new(a);
    for (int i = 0; i < m->graph_count; i++) module_add(clones, graph_clone(a, m->graphs[i]));
    again = print(clones);
    must_be(text, again);
    free(again);
    for (int i = 0; i < m->graph_count; i++) rewriter_end(rewriter_begin(clones->graphs[i]));
    if (!module_verify(clones, "rewritten", &d)) abort();
    for (int i = 0; i < m->graph_count; i++) evaluate(m->graphs[i], a);
    diag_free(&d);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    const module *m = module_parse(a, "fuzz", (const char *)bytes, size, &d);
    if ((m == NULL) != diag_failed(&d)) abort();
    if (m) use_module(m, a);
    diag_free(&d);
    arena_free(a);
    return 0;
}
