// For narrow_rows: copies the body of a per_sequence so that it computes only chosen rows.
//
// One axis of the result holds the rows of the text. The pass goes up from the result. For each op
// it finds the axis of each operand that holds the same rows: along it, element i of the result
// depends only on element i of the operand. An operand without such an axis (the keys and values of
// attention) is needed whole. A param that is reached along its rows becomes a param of fewer rows.
//
//   before                      q, k, v: [L,H]
//             %s = matmul %q', %k'          [h,L,L]
//             %p = softmax %s               [h,L,L]
//             yield matmul %p, %v'          [L,H]
//   after     the first rows:   q: [1,H], k and v: [L,H]
//             %s = matmul %q', %k'          [h,1,L]
//             %p = softmax %s               [h,1,L]
//             yield matmul %p, %v'          [1,H]
#include "passes/narrow/narrow.h"

#include "passes/region.h"

typedef struct narrower {
    const graph *from;
    graph *to;
    dim rows;                  // what the rows' axis becomes: Q or 1
    bool first;                // it is row 0 that is read
    value *whole;              // in `to`, of values that are needed whole
    value (*cut)[IR_MAX_RANK]; // in `to`, by value and axis of the rows
    const char *cause;         // why it can't be
    arena *scratch;
} narrower;

static value fail(narrower *s, const char *cause) {
    if (!s->cause) s->cause = cause;
    return VALUE_NONE;
}

static value narrow_value(narrower *s, value v, int axis);

// A value that is needed whole: as it is.
static value whole_value(narrower *s, value v) {
    if (s->whole[v] != VALUE_NONE) return s->whole[v];
    const node *n = graph_node(s->from, v);
    if (n->op == OP_param) return fail(s, "a param is read in a way that is not known"); // made beforehand
    value *inputs = ARENA_ARRAY(s->scratch, value, n->input_count);
    for (int i = 0; i < n->input_count; i++) {
        inputs[i] = whole_value(s, n->inputs[i]);
        if (inputs[i] == VALUE_NONE) return VALUE_NONE;
    }
    value copy = copy_node(s->to, n, inputs);
    if (n->body) graph_node(s->to, copy)->body = graph_clone(s->to->arena, n->body);
    return s->whole[v] = copy;
}

static value narrow_op(narrower *s, value v, int axis) {
    const node *n = graph_node(s->from, v);
    if (n->op == OP_param) return fail(s, "a param's rows are not its first axis");
    if (n->op == OP_constant || n->body) return fail(s, "an op is not known row by row");
    // Of an iota along the rows only the first value is known, and only where it is row 0 that is read.
    if (n->op == OP_iota && node_attr(n, ATTR_axis)->u.i == axis && !s->first)
        return fail(s, "the body counts its rows");
    value *inputs = ARENA_ARRAY(s->scratch, value, n->input_count);
    for (int i = 0; i < n->input_count; i++) {
        int a = narrow_operand_axis(s->from, n, i, axis, SYM_L);
        if (a == NARROW_STUCK) return fail(s, "an op mixes rows");
        inputs[i] = a == NARROW_WHOLE ? whole_value(s, n->inputs[i]) : narrow_value(s, n->inputs[i], a);
        if (inputs[i] == VALUE_NONE) return VALUE_NONE;
    }
    attr *attrs = narrow_attrs(s->scratch, n, axis, s->rows);
    diag d;
    diag_init(&d);
    value narrowed =
        graph_try_append(s->to, n->op, n->input_count, inputs, n->attr_count, attrs, "narrow_rows", &d);
    diag_free(&d);
    return narrowed == VALUE_NONE ? fail(s, "an op does not take fewer rows") : narrowed;
}

static value narrow_value(narrower *s, value v, int axis) {
    if (!narrow_has_rows(graph_type(s->from, v), axis, SYM_L)) return fail(s, "an op mixes rows");
    if (s->cut[v][axis] == VALUE_NONE) s->cut[v][axis] = narrow_op(s, v, axis);
    return s->cut[v][axis];
}

// --- Params

// Walks once over the marked values, from the results up.
bool narrow_needs(const graph *g, bool *whole, bool (*cut)[IR_MAX_RANK], const char **cause) {
    for (int i = 0; i < g->output_count; i++) {
        value result = g->outputs[i].value;
        if (!narrow_has_rows(graph_type(g, result), 0, SYM_L))
            return *cause = i ? "a result of it has no row a token" : "its result has no row a token", false;
        cut[result][0] = true;
    }
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        for (int i = 0; whole[v] && i < n->input_count; i++) whole[n->inputs[i]] = true;
        for (int axis = 0; axis < n->type.rank; axis++) {
            if (!cut[v][axis]) continue;
            for (int i = 0; i < n->input_count; i++) {
                int a = n->body ? NARROW_STUCK : narrow_operand_axis(g, n, i, axis, SYM_L);
                if (a == NARROW_STUCK) return *cause = "an op mixes rows", false;
                if (a == NARROW_WHOLE)
                    whole[n->inputs[i]] = true;
                else
                    cut[n->inputs[i]][a] = true;
            }
        }
    }
    return true;
}

static void make_params(narrower *s, const bool *whole, bool (*cut)[IR_MAX_RANK], narrowed_body *out) {
    int n = region_params(s->from);
    for (value v = 0; v < n; v++) {
        const node *param = graph_node(s->from, v);
        if (cut[v][0]) {
            type t = param->type;
            t.d[0] = s->rows;
            s->cut[v][0] = graph_param(s->to, param->name, t);
            out->operands[out->count] = v;
            out->narrow[out->count++] = true;
        }
        // A body that reads no param keeps one: its rows say how many there are.
        if (whole[v] || (v == n - 1 && !out->count)) {
            const char *name =
                cut[v][0] ? region_free_name(s->from, arena_printf(s->to->arena, "%s_all", param->name))
                          : param->name;
            s->whole[v] = graph_param(s->to, name, param->type);
            out->operands[out->count] = v;
            out->narrow[out->count++] = false;
        }
    }
}

bool narrow_body(arena *a, const graph *body, dim rows, bool first, narrowed_body *out, const char **cause) {
    arena *scratch = arena_new();
    size_t n = (size_t)body->count;
    bool *whole = ARENA_ARRAY(scratch, bool, n);
    bool(*cut)[IR_MAX_RANK] = arena_array(scratch, n, sizeof(*cut));
    narrower s = {
        .from = body, .to = graph_new(a, body->name), .rows = rows, .first = first, .scratch = scratch};
    s.whole = ARENA_ARRAY(scratch, value, n);
    s.cut = arena_array(scratch, n, sizeof(*s.cut));
    for (size_t i = 0; i < n; i++) {
        s.whole[i] = VALUE_NONE;
        for (int k = 0; k < IR_MAX_RANK; k++) s.cut[i][k] = VALUE_NONE;
    }
    int params = region_params(body);
    *out = (narrowed_body){.operands = ARENA_ARRAY(a, int, 2 * params),
                           .narrow = ARENA_ARRAY(a, bool, 2 * params)};
    *cause = NULL;
    bool ok = narrow_needs(body, whole, cut, cause);
    if (ok) {
        make_params(&s, whole, cut, out);
        for (int i = 0; ok && i < body->output_count; i++) {
            value result = narrow_value(&s, body->outputs[i].value, 0);
            ok = result != VALUE_NONE;
            if (ok) graph_output_add(s.to, NULL, result);
        }
        *cause = s.cause;
        out->body = s.to;
    }
    arena_free(scratch);
    return ok;
}
