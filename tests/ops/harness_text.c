// Differential tests as IR text (harness.h).
#include "file.h"
#include "harness_parts.h"

#include <stdlib.h>
#include <string.h>

// --- "// run: lengths = 5 1 9, rows = 2 0 3, low = -1, high = 1, tolerance = 1e-5, passes = a b, family =
// row"

static int read_sizes(const char *at, int64_t *out) {
    int n = 0;
    char *end;
    for (long x = strtol(at, &end, 10); end != at && n < HARNESS_TEXTS; x = strtol(at, &end, 10)) {
        out[n++] = x;
        at = end;
    }
    return n;
}

static void read_option(arena *a, const char *key, const char *text, harness *h) {
    if (!strcmp(key, "lengths"))
        h->texts = read_sizes(text, h->lengths);
    else if (!strcmp(key, "rows"))
        read_sizes(text, h->rows);
    else if (!strcmp(key, "low"))
        h->low = strtod(text, NULL);
    else if (!strcmp(key, "high"))
        h->high = strtod(text, NULL);
    else if (!strcmp(key, "tolerance"))
        h->tolerance = strtod(text, NULL);
    else if (!strcmp(key, "steps"))
        h->steps = strtod(text, NULL);
    else if (!strcmp(key, "family")) {
        h->family = arena_strdup(a, text);
    } else if (!strcmp(key, "dtypes")) {
        h->dtypes = arena_strdup(a, text);
    } else if (!strcmp(key, "class")) {
        h->class = arena_strdup(a, text);
    } else if (!strcmp(key, "passes")) {
        char *list = arena_strdup(a, text);
        for (char *c = list; *c; c++)
            if (*c == ' ') *c = ',';
        h->passes = list;
    } else {
        ck_abort_msg("no option is called %s", key);
    }
}

static void read_options(arena *a, const char *text, harness *h) {
    const char *at = strstr(text, "// run:");
    if (!at) return;
    at += strlen("// run:");
    char *line = arena_strndup(a, at, strcspn(at, "\n")), *rest = NULL;
    for (char *item = strtok_r(line, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        char key[32] = "";
        int used = 0;
        ck_assert_msg(sscanf(item, " %31[a-z] = %n", key, &used) == 1 && used > 0, "not an option: %s", item);
        read_option(a, key, item + used, h);
    }
}

// --- Weights: a random tensor for each that a recipe names

static void make_tensors(const recipe *r, harness_weights *w, const harness *h) {
    for (int i = 0; i < r->part_count; i++) make_tensors(r->parts[i], w, h);
    tensor_view there;
    if (r->kind != RECIPE_TENSOR || harness_find(w, r->tensor, &there)) return;
    int64_t shape[IR_MAX_RANK];
    for (int i = 0; i < r->type.rank; i++) shape[i] = r->type.d[i].n;
    bool given = h->low != 0 || h->high != 0;
    harness_tensor(w, r->tensor, r->type.e, r->type.rank, shape, given ? h->low : -1, given ? h->high : 1);
}

void harness_weights_of(const graph *g, harness_weights *w, const harness *h) {
    for (value v = 0; v < g->count; v++) {
        const attr *recipe_attr = node_attr(graph_node(g, v), ATTR_recipe);
        if (recipe_attr) make_tensors(recipe_attr->u.recipe, w, h);
    }
}

const graph *harness_parse(arena *a, const char *path, harness *h) {
    diag d;
    diag_init(&d);
    size_t size;
    char *text = file_text(path, &size);
    const graph *g = graph_parse(a, path, text, size, &d);
    diag_print(&d, stderr);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : path);
    read_options(a, text, h);
    free(text);
    diag_free(&d);
    return g;
}

void harness_file(const char *path) {
    arena *a = arena_new();
    harness h = {0};
    const graph *g = harness_parse(a, path, &h);
    harness_weights w = {.a = a};
    harness_weights_of(g, &w, &h);
    h.weights = &w;
    harness_check(g, &h);
    arena_free(a);
}
