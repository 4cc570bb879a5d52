// --keep: names or patterns of parts that stay f32. A part has several names: of its kernel, of its weight, and of
// the tensors of that weight.
#include <fnmatch.h>
#include <string.h>

#include "ir/words.h"
#include "passes/lower/lower.h"

static bool fits(const char *pattern, const char *name) {
    return name && fnmatch(pattern, name, 0) == 0;
}

// spread_outliers gives what it changes a longer name, and a gradient has that of its value behind `gradient.`;
// the one before stays good.
static bool name_fits(const char *pattern, const char *name) {
    static const char gradient[] = "gradient.";
    if (fits(pattern, name)) return true;
    if (name && !strncmp(name, gradient, strlen(gradient))) return fits(pattern, name + strlen(gradient));
    size_t n = name ? strlen(name) : 0, end = strlen(LOWER_SPREAD);
    char before[256];
    if (n <= end || n - end >= sizeof before || strcmp(name + n - end, LOWER_SPREAD) != 0) return false;
    memcpy(before, name, n - end);
    before[n - end] = 0;
    return fits(pattern, before);
}

static bool recipe_fits_name(const recipe *r, const char *pattern) {
    if (r->kind == RECIPE_TENSOR && fits(pattern, r->tensor)) return true;
    for (int i = 0; i < r->part_count; i++)
        if (recipe_fits_name(r->parts[i], pattern)) return true;
    return false;
}

// What is turned round is the weight still.
static bool node_fits(const graph *g, value v, const char *pattern) {
    while (op_is(g, v, OP_transpose)) v = graph_node(g, v)->inputs[0];
    const node *n = graph_node(g, v);
    const attr *r = node_is_constant(n) ? node_attr(n, ATTR_recipe) : NULL;
    return name_fits(pattern, n->name) || (r && recipe_fits_name(r->u.recipe, pattern));
}

bool keep_holds(const lower *l, value v, value w) {
    const graph *g = rewriter_graph(l->r);
    for (int i = 0; i < l->keep_count; i++)
        if (node_fits(g, v, l->keeps[i].pattern) || (w != VALUE_NONE && node_fits(g, w, l->keeps[i].pattern)))
            return true;
    return false;
}

// --- Names that nothing has

#define NEAR_MOST 3

// The names of the graph that are nearest, best first; how many.
static int nearest(arena *scratch, const graph *g, const char *pattern, const char *near[NEAR_MOST]) {
    size_t cost[NEAR_MOST + 1];
    int count = 0;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!n->name || n->op == OP_input) continue;
        size_t c = 0;
        if (!strstr(n->name, pattern)) {
            size_t *row = ARENA_ARRAY(scratch, size_t, strlen(n->name) + 1);
            c = word_distance(pattern, strlen(pattern), n->name, row);
        }
        int at = count;
        while (at > 0 && cost[at - 1] > c) at--;
        if (at == NEAR_MOST) continue;
        if (count < NEAR_MOST) count++;
        for (int k = count - 1; k > at; k--) cost[k] = cost[k - 1], near[k] = near[k - 1];
        cost[at] = c;
        near[at] = n->name;
    }
    return count;
}

static bool unknown(const lower *l, const char *pattern) {
    const char *near[NEAR_MOST];
    char list[400] = "";
    int count = nearest(l->scratch, rewriter_graph(l->r), pattern, near);
    for (int i = 0, n = 0; i < count && n < (int)sizeof list; i++)
        n += snprintf(list + n, sizeof list - (size_t)n, "%s%s", i ? ", " : "", near[i]);
    return diag_error(l->p->c->diag, "--keep", "nothing is called '%s'%s%s", pattern,
                      count ? "; there are, for example, " : "", list);
}

bool keep_open(lower *l) {
    const graph *g = rewriter_graph(l->r);
    const char *at = l->p->c->keep;
    if (!at) return true;
    int most = 1;
    for (const char *c = at; *c; c++) most += *c == ',';
    l->keeps = ARENA_ARRAY(l->scratch, lower_keep, most);
    for (;; at++) {
        size_t n = strcspn(at, ",");
        lower_keep *k = &l->keeps[l->keep_count++];
        k->pattern = arena_strndup(l->scratch, at, n);
        for (value v = 0; v < g->count && !k->found; v++) k->found = node_fits(g, v, k->pattern);
        if (!k->found) return unknown(l, k->pattern);
        at += n;
        if (!*at) return true;
    }
}
