// Makes weights and tables in bf16 and i8: recipes over those in f32.
#include <string.h>

#include "passes/constants.h"
#include "passes/lower/lower.h"

#define WEIGHT_LIMIT 127
// The most columns of a table's row that share a scale, and what divides their number: one vector of 16 numbers.
#define TABLE_GROUP 64
#define GROUP_STEP  16

static recipe *recipe_of(const graph *g, value c) {
    return (recipe *)(uintptr_t)node_attr(graph_node(g, c), ATTR_recipe)->u.recipe;
}

static const char *matrix_stays(const type *t) {
    if (t->e != ELEM_F32 || t->layout != LAYOUT_ROW || t->rank != 2)
        return "its weight is no row-major matrix of f32";
    if (t->d[1].n < LOWER_LEAST) return "its weight has fewer than 16 columns";
    if (t->d[0].n < LOWER_LEAST) return "its weight has fewer than 16 rows";
    return NULL;
}

const char *weight_stays(const graph *g, value w) {
    const node *n = graph_node(g, w);
    if (!node_is_constant(n)) return "its right operand is no weight";
    if (node_is_state(n)) return "its weight is a state";
    if (!node_attr(n, ATTR_recipe)) return "its weight is a literal";
    return matrix_stays(&n->type);
}

// A f32 matrix [K,N] that a call makes, or a state.
static bool changes(const node *n) {
    const type *t = &n->type;
    if (node_is_constant(n) ? !node_is_state(n) : n->op == OP_input) return false;
    return t->rank == 2 && t->d[0].s == SYM_NONE && t->d[1].s == SYM_NONE;
}

const char *right_stays(const lower *l, value w) {
    const graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, w);
    if (l->weight != ELEM_BF16 || !changes(n)) return weight_stays(g, w);
    return matrix_stays(&n->type);
}

static value made_of(lower *l, value old, const recipe *r, const char *ending) {
    value made = constant_of_recipe(rewriter_graph(l->r), r);
    for (const lower_name *n = l->names; n; n = n->next)
        if (n->made == made) return made;
    lower_name *n = ARENA_NEW(l->scratch, lower_name);
    *n = (lower_name){old, made, ending, l->names};
    l->names = n;
    return made;
}

static recipe *columns(lower *l, recipe_kind kind, value w) {
    graph *g = rewriter_graph(l->r);
    return recipe_quantized(g->arena, kind, recipe_of(g, w), WEIGHT_LIMIT);
}

value weight_narrow(lower *l, value w) {
    graph *g = rewriter_graph(l->r);
    bool bf16 = l->weight == ELEM_BF16;
    const recipe *r =
        bf16 ? recipe_cast(g->arena, recipe_of(g, w), ELEM_BF16) : columns(l, RECIPE_QUANTIZE_COLUMNS, w);
    return made_of(l, w, r, bf16 ? "bf16" : "i8");
}

value right_narrow(lower *l, value w) {
    return changes(graph_node(rewriter_graph(l->r), w)) ? rows_cast(l, w) : weight_narrow(l, w);
}

bool weight_has_blocks(const lower *l, value w) {
    int64_t parts, blocks;
    return recipe_blocks(recipe_of(rewriter_graph(l->r), w), &parts, &blocks);
}

value weight_scales(lower *l, value w) {
    return made_of(l, w, columns(l, RECIPE_COLUMN_SCALES, w), "scales");
}

value weight_sums(lower *l, value w, int64_t group) {
    recipe *q = columns(l, RECIPE_QUANTIZE_COLUMNS, w);
    return made_of(l, w, recipe_column_sums(rewriter_graph(l->r)->arena, q, group, -(l->limit + 1)), "sums");
}

value table_bf16(lower *l, value table) {
    return made_of(
        l, table, recipe_cast(rewriter_graph(l->r)->arena, recipe_of(rewriter_graph(l->r), table), ELEM_BF16),
        "bf16");
}

bool table_is_tied(const lower *l, value table) {
    const graph *g = rewriter_graph(l->r);
    const recipe *own = recipe_before_casts(recipe_of(g, table));
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        bool reads = n->op == OP_matmul || n->op == OP_fuse;
        for (int i = 0; i < n->input_count && reads; i++) {
            value w = n->inputs[i];
            if (weight_stays(g, w) || keep_holds(l, v, w)) continue;
            const recipe *turned = recipe_turned(recipe_of(g, w));
            if (turned && recipe_eq(turned, own)) return true;
        }
    }
    return false;
}

// How many columns of a table's row share a scale. A tied one has the elements of its decoder's weight, whose columns
// have one.
static int64_t table_group(const lower *l, value table) {
    int64_t n = graph_type(rewriter_graph(l->r), table)->d[1].n;
    for (int64_t group = TABLE_GROUP; group >= GROUP_STEP && !table_is_tied(l, table); group -= GROUP_STEP)
        if (n % group == 0) return group;
    return n;
}

// Quantises the matrix r [V,H] by groups of its rows: rows [V H/group,group] on the way.
static recipe *by_groups(lower *l, recipe_kind kind, recipe *r, int64_t group, int64_t columns) {
    arena *a = rewriter_graph(l->r)->arena;
    int64_t rows = r->type.d[0].n, width = r->type.d[1].n;
    if (group == width) return recipe_quantized(a, kind, r, WEIGHT_LIMIT);
    recipe *cut = recipe_reshape(a, r, 2, (int64_t[]){rows * (width / group), group});
    return recipe_reshape(a, recipe_quantized(a, kind, cut, WEIGHT_LIMIT), 2, (int64_t[]){rows, columns});
}

value table_narrow(lower *l, value table, value *scales) {
    graph *g = rewriter_graph(l->r);
    recipe *r = recipe_of(g, table);
    if (l->weight == ELEM_BF16) return made_of(l, table, recipe_cast(g->arena, r, ELEM_BF16), "bf16");
    if (r->type.e != ELEM_F32) r = recipe_cast(g->arena, r, ELEM_F32);
    int64_t width = r->type.d[1].n, group = table_group(l, table);
    *scales = made_of(l, table, by_groups(l, RECIPE_ROW_SCALES, r, group, width / group), "scales");
    return made_of(l, table, by_groups(l, RECIPE_QUANTIZE_ROWS, r, group, width), "i8");
}

// The narrow one takes the name of one that nobody reads; what belongs to it has an ending.
void weights_name(lower *l) {
    graph *g = rewriter_graph(l->r);
    for (const lower_name *n = l->names; n; n = n->next) {
        const char *name = graph_node(g, n->old)->name;
        if (!name) continue;
        bool part = !strcmp(n->ending, "scales") || !strcmp(n->ending, "sums");
        if (part || use_count(l->r, n->old))
            name_if_free(g, n->made, arena_printf(g->arena, "%s.%s", name, n->ending));
    }
    for (const lower_name *n = l->names; n; n = n->next) {
        const char *name = graph_node(g, n->old)->name;
        if (!name || use_count(l->r, n->old) || graph_node(g, n->made)->name) continue;
        graph_name(g, n->old, NULL);
        graph_name(g, n->made, name);
    }
}
