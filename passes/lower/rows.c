// Rows that products read, narrowed once.
#include "passes/lower/lower.h"

#include "passes/constants.h"

// The widest and the narrowest group of columns that share a scale where no task owns whole rows, and what divides
// a group: the rows of a tile.
#define WIDEST_GROUP 768
#define LEAST_GROUP  256
#define GROUP_STEP   64

static const lower_rows *find(const lower *l, value x, bool quantized) {
    for (const lower_rows *m = l->made; m; m = m->next)
        if (m->x == x && (m->scale != VALUE_NONE) == quantized) return m;
    return NULL;
}

static const lower_rows *keep(lower *l, lower_rows rows) {
    lower_rows *m = ARENA_NEW(l->scratch, lower_rows);
    *m = rows;
    m->next = l->made;
    return l->made = m;
}

static void name_after(graph *g, value made, value x, const char *ending) {
    const char *name = graph_node(g, x)->name;
    if (name) name_if_free(g, made, arena_printf(g->arena, "%s.%s", name, ending));
}

value rows_cast(lower *l, value x) {
    graph *g = rewriter_graph(l->r);
    const lower_rows *m = find(l, x, false);
    if (m) return m->narrow;
    attr to = attr_elem(ATTR_to, ELEM_BF16);
    value narrow = graph_append(g, OP_cast, 1, &x, 1, &to);
    name_after(g, narrow, x, "bf16");
    return keep(l, (lower_rows){.x = x, .narrow = narrow, .scale = VALUE_NONE})->narrow;
}

// A norm, a softmax or another op that needs whole rows. (The sum of groups is none of a row.)
static bool needs_rows(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return (op_flag_bits(n->op) & REDUCES) && n->type.rank == 2;
}

// Are the rows of v made by a product without a norm, in columns?
static bool rows_are_wide(const graph *g, value v) {
    if (op_is(g, v, OP_result)) v = graph_node(g, v)->inputs[0];
    const node *n = graph_node(g, v);
    if (n->op == OP_matmul) return true;
    if (n->op != OP_fuse) return false;
    bool product = false;
    for (value u = 0; u < n->body->count; u++) {
        if (needs_rows(n->body, u)) return false;
        product = product || op_is(n->body, u, OP_matmul);
    }
    return product;
}

int64_t rows_group(const type *t, bool wide) {
    int64_t n = t->d[t->rank - 1].n;
    if (!wide || n <= WIDEST_GROUP) return n;
    for (int64_t group = WIDEST_GROUP; group >= LEAST_GROUP; group -= GROUP_STEP)
        if (n % group == 0) return group;
    return n;
}

const lower_rows *rows_quantized(lower *l, value x, bool whole) {
    graph *g = rewriter_graph(l->r);
    const lower_rows *m = find(l, x, true);
    if (m) return m;
    int64_t group = rows_group(graph_type(g, x), !whole && rows_are_wide(g, x));
    attr attrs[] = {attr_elem(ATTR_to, ELEM_U8), attr_int(ATTR_group, group), attr_int(ATTR_limit, l->limit)};
    value scale = graph_append(g, OP_scales, 1, &x, 2, attrs + 1), operands[] = {x, scale};
    value narrow = graph_append(g, OP_quantize, 2, operands, 3, attrs);
    name_after(g, narrow, x, "u8");
    name_after(g, scale, x, "scales");
    return keep(l, (lower_rows){.x = x, .narrow = narrow, .scale = scale, .group = group});
}
