// Recognition: what of a body the product's epilogue computes, and what its tail does.
#include "backend/matmul/tail.h"

#include "backend/emit/row.h"

typedef struct collector {
    arena *a;
    const kernel_site *s;
    const graph *body;
    const product_sums *sums;
    value anchor; // their value
    dim rows;
    int count; // results to be computed
    kernel_result *results;
    // By value: is it the tail's, for it follows from an op that needs a whole row, or is a result of another type than
    // the product; does it follow from the product; do the results need it; has the tail been found to read it?
    bool *late, *made, *needed, *seen;
    value kept; // what the tail reads of the epilogue, and no result holds
    tail_port *ports;
    product_end *x;
} collector;

static bool take_results(collector *c, const bool *take) {
    int count;
    const kernel_result *all = kernel_results(c->a, c->s, &count);
    c->results = ARENA_ARRAY(c->a, kernel_result, count);
    for (int i = 0; i < count; i++)
        if (!take || take[i]) c->results[c->count++] = all[i];
    return c->count > 0;
}

static void mark_values(collector *c) {
    const graph *g = c->body;
    for (int i = 0; i < c->count; i++) {
        elem of = graph_type(g, c->results[i].yield)->e;
        c->late[c->results[i].yield] = of != ELEM_F32 && of != ELEM_BF16;
    }
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        c->late[v] |= row_op(n->op);
        c->made[v] = v == c->anchor;
        for (int i = 0; i < n->input_count; i++) {
            c->late[v] |= c->late[n->inputs[i]];
            c->made[v] |= c->made[n->inputs[i]];
        }
        if (v == c->anchor) c->late[v] = false; // its groups were added up
    }
    for (int i = 0; i < c->count; i++) c->needed[c->results[i].yield] = true;
    for (value v = g->count - 1; v >= 0; v--)
        for (int i = 0; c->needed[v] && i < graph_node(g, v)->input_count; i++)
            c->needed[graph_node(g, v)->inputs[i]] = true;
}

// The result that holds v; NULL: none does.
static const kernel_result *result_of(const collector *c, value v) {
    for (int i = 0; i < c->count; i++)
        if (c->results[i].yield == v) return &c->results[i];
    return NULL;
}

// --- What the tail reads and computes

static bool add_param(collector *c, value v) {
    const type *t = graph_type(c->body, v);
    value operand = graph_node(c->s->graph, c->s->node)->inputs[v];
    bool constant = node_is_constant(graph_node(c->s->graph, operand));
    bool vector = t->rank == 1 && dim_is(t->d[0], c->x->n) && constant;
    bool rows = t->rank == 2 && dim_eq(t->d[0], c->rows) && !constant &&
                (dim_is(t->d[1], c->x->n) || (t->d[1].s == SYM_NONE && row_scales_fit(c->x->n, t->d[1].n)));
    if (t->layout != LAYOUT_ROW || (!vector && !rows)) return false;
    c->ports[c->x->port_count++] =
        (tail_port){.arg = v, .v = v, .rows = rows, .ld = rows ? c->s->variant->places[operand].ld : 0};
    return true;
}

static bool is_row(const collector *c, value v) {
    const type *t = graph_type(c->body, v);
    return t->rank == 2 && dim_eq(t->d[0], c->rows) && dim_is(t->d[1], c->x->n);
}

// A row op of a f32 row, whose other operands are params; or an op on rows and columns, element by element. Rows may have
// one scale each, or several.
static bool takes(const collector *c, value v) {
    const node *n = graph_node(c->body, v);
    const type *t = &n->type;
    if (!row_op(n->op))
        return ((op_flag_bits(n->op) & POINTWISE) || row_quantizer(n->op)) && t->rank == 2 &&
               dim_eq(t->d[0], c->rows) && (dim_is(t->d[1], c->x->n) || dim_is(t->d[1], 1));
    if (n->op == OP_scales && !row_scales_fit(c->x->n, t->d[1].n)) return false;
    const attr *axes = row_reduction(n->op) ? node_attr(n, ATTR_axes) : NULL;
    for (int i = 1; i < n->input_count; i++)
        if (graph_node(c->body, n->inputs[i])->op != OP_param) return false;
    return is_row(c, n->inputs[0]) && graph_type(c->body, n->inputs[0])->e == ELEM_F32 &&
           (!axes || (axes->n == 1 && axes->u.ints[0] == 1));
}

static double op_flops(op o) {
    return o == OP_layer_norm ? 7 : o == OP_rms_norm ? 4 : o == OP_softmax ? 5 : 1;
}

static void count_work(collector *c, value v) {
    const node *n = graph_node(c->body, v);
    c->x->flops += op_flops(n->op) * (double)(row_op(n->op) || is_row(c, v) ? c->x->n : 1);
}

static bool visit(collector *c, value v) {
    const node *n = graph_node(c->body, v);
    value norm;
    if (c->seen[v] || value_is_scalar(c->body, v, NULL)) return true;
    c->seen[v] = true;
    if (n->op == OP_param) return add_param(c, v);
    if (!c->late[v] && c->made[v]) {
        if (result_of(c, v)) return true;
        if (c->kept != VALUE_NONE) return false;
        c->kept = v;
        return true;
    }
    if (row_statistic(c->body, v, &norm) != STATISTIC_NONE && c->needed[norm]) return visit(c, norm);
    if (!takes(c, v)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (!visit(c, n->inputs[i])) return false;
    count_work(c, v);
    return true;
}

// --- Where the product goes

// Is all that v is read for the norm, or a number that the norm finds?
static bool serves_norm(const collector *c, value v, value norm) {
    value of;
    if (v == norm || (row_statistic(c->body, v, &of) != STATISTIC_NONE && of == norm)) return true;
    if (result_of(c, v)) return false;
    for (value u = v + 1; u < c->body->count; u++) {
        const node *n = graph_node(c->body, u);
        for (int i = 0; c->needed[u] && i < n->input_count; i++)
            if (n->inputs[i] == v && !serves_norm(c, u, norm)) return false;
    }
    return true;
}

// The result in whose rows the value that is kept can lie: one that takes its place, as its last reader.
static const kernel_result *place_of_kept(const collector *c) {
    for (int i = 0; i < c->count; i++) {
        const node *n = graph_node(c->body, c->results[i].yield);
        if (!row_op(n->op) || !is_row(c, c->results[i].yield) || n->inputs[0] != c->kept) continue;
        bool only = true;
        for (value u = c->kept + 1; u < c->body->count; u++)
            for (int k = 0; c->needed[u] && k < graph_node(c->body, u)->input_count; k++)
                if (graph_node(c->body, u)->inputs[k] == c->kept)
                    only = only && serves_norm(c, u, c->results[i].yield);
        if (only) return &c->results[i];
    }
    return NULL;
}

// The result, of what the tile stores, that is C: f32 where there is one.
static const kernel_result *place_of_result(const collector *c) {
    const kernel_result *r = NULL;
    for (int i = 0; i < c->count; i++) {
        value v = c->results[i].yield;
        if (!c->late[v] && (!r || graph_type(c->body, r->yield)->e != ELEM_F32)) r = &c->results[i];
    }
    return r;
}

// Where C is to hold sums between parts of k and no result is f32, it lies in scratch.
static bool place_product(collector *c) {
    product_end *x = c->x;
    const kernel_result *r = c->kept != VALUE_NONE ? place_of_kept(c) : NULL;
    if (!r && c->kept == VALUE_NONE) r = place_of_result(c);
    if (!r && c->kept == VALUE_NONE) return false;
    x->c = r ? r->arg : -1;
    x->main = c->kept != VALUE_NONE ? c->kept : r->yield;
    x->c_elem = graph_type(c->body, x->main)->e;
    if (x->c_elem != ELEM_F32 && c->sums->in_parts) {
        r = NULL;
        x->c = -1;
        x->main = c->sums->value;
        x->c_elem = ELEM_F32;
    }
    x->ldc = r ? r->ld : round_up(x->n, PANEL_COLUMNS);
    epilogue_store *stores = ARENA_ARRAY(c->a, epilogue_store, c->count);
    int n = 0;
    for (int i = 0; i < c->count; i++) {
        const kernel_result *k = &c->results[i];
        if (!c->late[k->yield] && k != r) stores[n++] = (epilogue_store){k->yield, k->arg, k->ld};
    }
    const value *operands = graph_node(c->s->graph, c->s->node)->inputs;
    return epilogue_collect_sums(c->s, c->body, operands, c->sums, x->main, n, stores, &x->after);
}

static bool computes(const product_end *x, value v) {
    for (int i = 0; i < x->count; i++)
        if (x->values[i] == v) return true;
    return false;
}

// The ports: C's (a result's, or scratch), then those of params, which visit has found, then those of results.
static void list_ports(collector *c) {
    product_end *x = c->x;
    if (x->c < 0) c->ports[0] = (tail_port){.arg = -1, .v = x->main, .rows = true, .ld = x->ldc};
    value *values = ARENA_ARRAY(c->a, value, c->count);
    int *ports_of = ARENA_ARRAY(c->a, int, c->count);
    for (int i = 0; i < c->count; i++) {
        const kernel_result *r = &c->results[i];
        tail_port port = {.arg = r->arg, .v = r->yield, .rows = true, .ld = r->ld};
        bool read = c->late[r->yield] || c->seen[r->yield];
        if (r->arg != x->c && !read) continue;
        int at = r->arg == x->c ? 0 : x->port_count++;
        c->ports[at] = port;
        if (!c->late[r->yield]) continue;
        values[x->count] = r->yield;
        ports_of[x->count++] = at;
    }
    x->values = values;
    x->ports_of = ports_of;
    x->ports = c->ports;
}

static bool late_fit(const collector *c, const kernel_result *r) {
    const type *t = graph_type(c->body, r->yield);
    return t->rank == 2 && dim_eq(t->d[0], c->rows) && t->d[1].s == SYM_NONE &&
           (dim_is(t->d[1], c->x->n) || row_scales_fit(c->x->n, t->d[1].n));
}

bool product_end_collect(arena *a, const kernel_site *s, const product_sums *sums, const bool *take,
                         product_end *out) {
    const node *n = graph_node(s->graph, s->node);
    const graph *body = n->body;
    const type *t = graph_type(body, sums->value);
    collector c = {.a = a,
                   .s = s,
                   .body = body,
                   .sums = sums,
                   .anchor = sums->value,
                   .rows = t->d[0],
                   .kept = VALUE_NONE,
                   .x = out};
    *out = (product_end){.body = body, .n = t->d[1].n, .port_count = 1};
    if (!take_results(&c, take)) return false;
    bool **marks[] = {&c.late, &c.made, &c.needed, &c.seen};
    for (int i = 0; i < 4; i++) *marks[i] = ARENA_ARRAY(a, bool, body->count);
    c.ports = ARENA_ARRAY(a, tail_port, n->input_count + c.count + 1);
    mark_values(&c);
    for (int i = 0; i < c.count; i++) {
        value v = c.results[i].yield;
        if (c.late[v] && (out->n < 2 || !late_fit(&c, &c.results[i]) || !visit(&c, v))) return false;
    }
    if (!place_product(&c)) return false;
    list_ports(&c);
    return true;
}

// Does the tail compute v of the columns of one group alone? *group: of how many columns; 0: no op has said yet.
static bool is_local(const product_end *x, value v, int64_t *group) {
    const node *n = graph_node(x->body, v);
    if (n->op == OP_scales || row_grouped(x->body, v)) {
        int64_t own = node_attr(n, ATTR_group)->u.i;
        if (!*group) *group = own;
        return own == *group && own < x->n;
    }
    return row_quantizer(n->op) ? node_attr(n, ATTR_group)->u.i == 1 : !row_op(n->op);
}

static bool is_port(const product_end *x, value v) {
    for (int i = 0; i < x->port_count; i++)
        if (x->ports[i].v == v) return true;
    return false;
}

// Marks what the tail computes for v.
static void mark_tail(const product_end *x, value v, bool *marks) {
    const node *n = graph_node(x->body, v);
    if (marks[v] || value_is_scalar(x->body, v, NULL)) return;
    marks[v] = true;
    for (int i = 0; i < n->input_count; i++)
        if (!is_port(x, n->inputs[i]) || computes(x, n->inputs[i])) mark_tail(x, n->inputs[i], marks);
}

void product_end_by_groups(arena *a, product_end *x) {
    bool *marks = ARENA_ARRAY(a, bool, x->body ? x->body->count : 1);
    int64_t group = 0;
    if (x->c >= 0 || !x->count) return;
    for (int i = 0; i < x->count; i++) {
        value v = x->values[i];
        for (int k = 0; k < i; k++)
            if (x->values[k] == v) return; // copied as a row
        if (dim_is(graph_type(x->body, v)->d[1], 1)) return;
        mark_tail(x, v, marks);
    }
    for (value v = 0; v < x->body->count; v++)
        if (marks[v] && !is_local(x, v, &group)) return;
    x->group = group;
    // Rows an odd number of lines apart lie in different sets of the first cache.
    if (group) x->ldc = (group / PANEL_COLUMNS | 1) * PANEL_COLUMNS;
}

void product_end_plain(const kernel_site *s, product_end *out) {
    const node *n = graph_node(s->graph, s->node);
    *out = (product_end){.c = n->input_count, .ldc = s->variant->places[s->node].ld, .n = n->type.d[1].n};
}

// --- Bytes of a row

int64_t product_end_row(const product_end *x) {
    return elem_bytes(x->c_elem, x->ldc);
}

static int64_t port_bytes(const product_end *x, const tail_port *p) {
    const type *t = graph_type(x->body, p->v);
    return p->rows ? elem_bytes(t->e, t->d[1].n) : 0;
}

int64_t product_end_tail_bytes(const product_end *x) {
    int64_t bytes = x->n * 4; // what the product left
    for (int i = 0; i < x->count; i++) bytes += port_bytes(x, &x->ports[x->ports_of[i]]);
    for (int i = 1; i < x->port_count; i++) {
        const tail_port *p = &x->ports[i];
        if (graph_node(x->body, p->v)->op == OP_param) bytes += port_bytes(x, p);
    }
    return bytes;
}

int64_t product_end_bytes(const product_end *x) {
    int64_t bytes = x->c < 0 ? 0 : elem_bytes(x->c_elem, x->n);
    for (int i = 0; i < x->after.count + x->after.store_count; i++) {
        extra_kind kind = x->after.extras[i].kind;
        bytes += kind == EXTRA_ROWS || kind == EXTRA_STORED ? elem_bytes(x->after.extras[i].e, x->n) : 0;
    }
    for (int i = 0; i < x->count; i++)
        if (x->ports_of[i]) bytes += port_bytes(x, &x->ports[x->ports_of[i]]);
    return bytes;
}

int64_t product_end_scratch(const product_end *x, int64_t rows) {
    return x->c < 0 ? rows * product_end_row(x) : 0;
}
