// Narrows the rows that products read, once for all products.
#include <inttypes.h>

#include "ir/quantize.h"
#include "passes/lower/lower.h"

#include "passes/constants.h"

// The widest and the narrowest group of columns that share a scale where no task owns whole rows, and what divides
// a group: the rows of a tile.
#define WIDEST_GROUP 768
#define LEAST_GROUP  256
#define GROUP_STEP   64
// The same of rows of 7 bits, whoever owns them: their steps are twice as coarse.
#define WIDEST_OF_7_BITS 256
#define LEAST_OF_7_BITS  64
#define LIMIT_OF_7_BITS  63

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

int64_t rows_group(const lower *l, const type *t, bool wide) {
    bool fine = l->limit <= LIMIT_OF_7_BITS;
    int64_t n = t->d[t->rank - 1].n, widest = fine ? WIDEST_OF_7_BITS : WIDEST_GROUP,
            least = fine ? LEAST_OF_7_BITS : LEAST_GROUP;
    if (n <= widest || !(wide || fine)) return n;
    for (int64_t group = widest; group >= least; group -= GROUP_STEP)
        if (n % group == 0) return group;
    return n;
}

// Of each group of the columns, the scale of the largest magnitude that calibration saw: a constant, for all rows;
// NULL where it knows nothing of x.
static float *static_scales(const lower *l, value x, int64_t group) {
    const graph *g = rewriter_graph(l->r);
    int64_t n = graph_type(g, x)->d[1].n;
    const calibration *c = l->p->c->calibration;
    const channel_range *range = calibration_find(c, graph_node(g, x)->name, n);
    if (!range || c->rough) return NULL;
    float *scales = ARENA_ARRAY(l->scratch, float, n / group);
    for (int64_t k = 0; k < n; k++)
        scales[k / group] = range->largest[k] > scales[k / group] ? range->largest[k] : scales[k / group];
    for (int64_t i = 0; i < n / group; i++) scales[i] = scale_of_largest(scales[i], (float)l->limit);
    return scales;
}

// The scales of the rows of x: as each row needs, or one for all rows.
static value scales_of(lower *l, value x, int64_t group, const attr *attrs) {
    graph *g = rewriter_graph(l->r);
    const type *t = graph_type(g, x);
    const float *scales = static_scales(l, x, group);
    if (!scales) return graph_append(g, OP_scales, 1, &x, 2, attrs);
    dim shape[] = {t->d[0], dim_num(t->d[1].n / group)};
    value numbers = constant_literal(g, type_make(ELEM_F32, 1, &shape[1]), scales);
    attr to = attr_dims(g->arena, ATTR_shape, 2, shape);
    pass_fired(l->p, g, x, "rows have static scales: %" PRId64, shape[1].n);
    return graph_append(g, OP_broadcast, 1, &numbers, 1, &to);
}

const lower_rows *rows_quantized(lower *l, value x, bool whole) {
    graph *g = rewriter_graph(l->r);
    const lower_rows *m = find(l, x, true);
    if (m) return m;
    int64_t group = whole ? graph_type(g, x)->d[1].n : rows_group(l, graph_type(g, x), rows_are_wide(g, x));
    attr attrs[] = {attr_elem(ATTR_to, ELEM_U8), attr_int(ATTR_group, group), attr_int(ATTR_limit, l->limit)};
    value scale = scales_of(l, x, group, attrs + 1), operands[] = {x, scale};
    value narrow = graph_append(g, OP_quantize, 2, operands, 3, attrs);
    name_after(g, narrow, x, "u8");
    name_after(g, scale, x, "scales");
    return keep(l, (lower_rows){.x = x, .narrow = narrow, .scale = scale, .group = group});
}
