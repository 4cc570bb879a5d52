// The parser of the text form: graphs, statements, regions. Grammar: docs/ir.md.
//
// It stops at the first error. Each node is checked when it has been read, so that an error has its line;
// graph_verify checks the whole graph once more.
#include "ir/text_parse.h"
#include "ir/shape.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

// --- Labels

typedef struct scope_slot {
    const char *text; // NULL: free
    bool number;
    value v;
} scope_slot;

static scope scope_new(parser *p, graph *g, level l) {
    scope s = {.g = g, .level = l, .capacity = 16};
    s.slots = ARENA_ARRAY(p->s.a, scope_slot, s.capacity);
    return s;
}

static scope_slot *scope_find(const scope *s, const label *l) {
    uint64_t h = l->number ? 0x9e3779b97f4a7c15u : 0xcbf29ce484222325u;
    for (const char *c = l->text; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    h ^= h >> 29;
    for (size_t i = (size_t)h & (size_t)(s->capacity - 1);; i = (i + 1) & (size_t)(s->capacity - 1)) {
        scope_slot *slot = &s->slots[i];
        if (!slot->text || (slot->number == l->number && !strcmp(slot->text, l->text))) return slot;
    }
}

static void scope_grow(parser *p, scope *s) {
    scope old = *s;
    s->capacity *= 2;
    s->slots = ARENA_ARRAY(p->s.a, scope_slot, s->capacity);
    for (int i = 0; i < old.capacity; i++) {
        if (!old.slots[i].text) continue;
        label l = {.text = old.slots[i].text, .number = old.slots[i].number};
        *scope_find(s, &l) = old.slots[i];
    }
}

// False, with an error, where it is there already.
static bool scope_add(parser *p, scope *s, const label *l, value v) {
    if (2 * s->count >= s->capacity) scope_grow(p, s);
    scope_slot *slot = scope_find(s, l);
    if (slot->text) return scan_error(&p->s, l->at, "%%%s is defined twice", l->text);
    *slot = (scope_slot){l->text, l->number, v};
    s->count++;
    return true;
}

static bool read_label(parser *p, label *out) {
    *out = (label){.at = here(&p->s)};
    if (!expect(&p->s, "%")) return false;
    if (!looks_at(&p->s, "0123456789")) return read_name(&p->s, &out->text, "a name or number");
    int64_t n;
    if (!read_i64(&p->s, &n)) return false;
    out->number = true;
    out->text = arena_printf(p->s.a, "%" PRId64, n);
    return true;
}

static bool find_value(parser *p, const scope *s, const label *l, value *out) {
    const scope_slot *slot = scope_find(s, l);
    if (!slot->text) return scan_error(&p->s, l->at, "%%%s is not defined before this", l->text);
    *out = slot->v;
    return true;
}

bool read_value(parser *p, const scope *s, value *out) {
    label l;
    return read_label(p, &l) && find_value(p, s, &l, out);
}

// --- Operations

typedef struct value_list {
    value *v;
    int count, room;
} value_list;

static void list_add(parser *p, value_list *list, value v) {
    if (list->count == list->room) {
        int room = list->room ? 2 * list->room : 4;
        value *more = ARENA_ARRAY(p->s.a, value, room);
        if (list->count) memcpy(more, list->v, sizeof(value) * (size_t)list->count);
        list->v = more;
        list->room = room;
    }
    list->v[list->count++] = v;
}

static bool read_operation(parser *p, scope *s, value *out);

// Parser state of one operation.
typedef struct operation {
    spot at, type_at;
    op o;
    value_list operands;
    bool typed;
    type type;
    attr attrs[ATTR_COUNT];
    int attr_count;
    graph *body;
} operation;

// Compares the new node with the text, and checks that it is allowed here.
static bool finish(parser *p, scope *s, const operation *x, value v) {
    char has[128], should[128];
    if (v == VALUE_NONE) return false;
    const type *t = graph_type(s->g, v);
    if (x->typed && !type_eq(&x->type, t)) {
        return scan_error(&p->s, x->type_at, "the type is %s, not %s", type_print(t, should, sizeof(should)),
                          type_print(&x->type, has, sizeof(has)));
    }
    const char *fault = node_fault(s->g, v, s->level);
    if (!fault && x->body) fault = region_fault(s->g, v);
    return !fault || scan_error(&p->s, x->at, "%s", fault);
}

static bool read_written_type(parser *p, operation *x) {
    if (!accept(&p->s, "->")) return true;
    x->type_at = here(&p->s);
    x->typed = true;
    return read_type(p, &x->type);
}

// constant and input: the type is what is written, or what the recipe makes.
static bool append_leaf(parser *p, scope *s, operation *x, value *out) {
    const char *where = spot_print(&p->s, x->at);
    *out = graph_try_append(s->g, x->o, 0, NULL, x->attr_count, x->attrs, where, p->s.d);
    if (*out == VALUE_NONE) return false;
    node *n = graph_node(s->g, *out);
    const attr *recipe_attr = node_attr(n, ATTR_recipe);
    if (!x->typed && !recipe_attr)
        return scan_error(&p->s, x->at, "%s needs its type: -> f32[...]", op_name(x->o));
    n->type = x->typed ? x->type : recipe_attr->u.recipe->type;
    return x->o == OP_input || finish(p, s, x, *out); // an input has its name yet to come
}

// "constant 0.5": a scalar f32.
static bool read_scalar(parser *p, scope *s, operation *x, value *out) {
    float f = 0;
    if (!read_f32(&p->s, &f)) return false;
    x->typed = true;
    x->type = type_make(ELEM_F32, 0, NULL);
    x->attrs[x->attr_count++] = attr_literal(ELEM_F32, 1, &f);
    return append_leaf(p, s, x, out);
}

static bool read_plain(parser *p, scope *s, operation *x, value *out) {
    if (x->o == OP_constant && looks_at_number(&p->s)) return read_scalar(p, s, x, out);
    bool leaf = op_flag_bits(x->o) & LEAF;
    while (!leaf && (x->operands.count ? accept(&p->s, ",") : looks_at(&p->s, "%"))) {
        value v = VALUE_NONE;
        if (!read_value(p, s, &v)) return false;
        list_add(p, &x->operands, v);
    }
    if (!read_written_type(p, x)) return false;
    if (!read_attrs(p, x->o, x->typed ? &x->type : NULL, x->attrs, &x->attr_count)) return false;
    if (x->o == OP_constant || x->o == OP_input) return append_leaf(p, s, x, out);
    *out = graph_try_append(s->g, x->o, x->operands.count, x->operands.v, x->attr_count, x->attrs,
                            spot_print(&p->s, x->at), p->s.d);
    return finish(p, s, x, *out);
}

// --- Regions

// "%q = %layer.0.query", or "%x" for "%x = %x".
static bool read_binding(parser *p, const scope *s, operation *x, scope *body, int bounds) {
    label param, operand;
    value v = VALUE_NONE;
    if (!read_label(p, &param)) return false;
    operand = param;
    if (accept(&p->s, "=") && !read_label(p, &operand)) return false;
    if (param.number) return scan_error(&p->s, param.at, "a param needs a name: %%x = %%%s", param.text);
    if (!find_value(p, s, &operand, &v)) return false;
    list_add(p, &x->operands, v);
    value bound = graph_param(body->g, param.text, shape_param(x->o, bounds, graph_type(s->g, v)));
    const char *fault = node_fault(body->g, bound, body->level);
    if (fault) return scan_error(&p->s, param.at, "%s", fault);
    return scope_add(p, body, &param, bound);
}

static bool read_bindings(parser *p, const scope *s, operation *x, scope *body) {
    if (!expect(&p->s, "(")) return false;
    int bounds = 0;
    while (x->o == OP_per_sequence && !accept(&p->s, ";")) {
        value v = VALUE_NONE;
        if (bounds == 2) return expect(&p->s, ";");
        if (bounds && !expect(&p->s, ",")) return false;
        if (!read_value(p, s, &v)) return false;
        list_add(p, &x->operands, v);
        bounds++;
    }
    if (x->o == OP_per_sequence) x->attrs[x->attr_count++] = attr_int(ATTR_bounds, bounds);
    do {
        if (!read_binding(p, s, x, body, bounds)) return false;
    } while (accept(&p->s, ","));
    return expect(&p->s, ")");
}

// "%label = OPERATION"
static bool read_statement(parser *p, scope *s) {
    label l;
    value v = VALUE_NONE;
    if (!read_label(p, &l) || !expect(&p->s, "=") || !read_operation(p, s, &v)) return false;
    node *n = graph_node(s->g, v);
    if (!l.number) graph_name(s->g, v, l.text);
    if (n->op == OP_input) {
        const char *fault = node_fault(s->g, v, s->level);
        if (fault) return scan_error(&p->s, l.at, "%s", fault);
    }
    return scope_add(p, s, &l, v);
}

// "yield %3, %5", or "yield OPERATION".
static bool read_yields(parser *p, scope *body) {
    value v = VALUE_NONE;
    bool one = !looks_at(&p->s, "%");
    do {
        if (one ? !read_operation(p, body, &v) : !read_value(p, body, &v)) return false;
        graph_output_add(body->g, NULL, v);
    } while (!one && accept(&p->s, ","));
    return true;
}

static bool read_body(parser *p, scope *body) {
    if (!expect(&p->s, "{")) return false;
    while (!accept_word(&p->s, "yield"))
        if (!read_statement(p, body)) return false;
    return read_yields(p, body) && expect(&p->s, "}");
}

static bool read_region(parser *p, scope *s, operation *x, value *out) {
    bool fused = s->level == LEVEL_FUSE || s->level == LEVEL_FUSE_IN_SEQUENCE;
    if (x->o == OP_fuse && fused) return scan_error(&p->s, x->at, "a fuse is not allowed in a fuse");
    if (x->o == OP_per_sequence && s->level != LEVEL_TOP)
        return scan_error(&p->s, x->at, "per_sequence is allowed only at the top level");
    x->body = graph_new(p->a, NULL);
    scope body = scope_new(p, x->body, level_within(s->level, x->o));
    if (!read_bindings(p, s, x, &body) || !read_written_type(p, x) || !read_body(p, &body)) return false;
    if (!read_attrs(p, x->o, NULL, x->attrs, &x->attr_count)) return false;
    *out = graph_try_region(s->g, x->o, x->operands.count, x->operands.v, x->body, x->attr_count, x->attrs,
                            spot_print(&p->s, x->at), p->s.d);
    return finish(p, s, x, *out);
}

static bool read_operation(parser *p, scope *s, value *out) {
    operation x = {.at = here(&p->s)};
    slice w;
    if (!read_word(&p->s, false, &w, "an op")) return false;
    x.o = op_find(w.at, w.n);
    if (x.o == OP_COUNT) return scan_error(&p->s, x.at, "no op is called %.*s", (int)w.n, w.at);
    if (x.o == OP_param) return scan_error(&p->s, x.at, "params are written in their region's parentheses");
    if (s->g->count == INT_MAX / 2) return scan_error(&p->s, x.at, "too many nodes");
    return op_flag_bits(x.o) & REGION ? read_region(p, s, &x, out) : read_plain(p, s, &x, out);
}

// --- The graph

static bool read_inputs(parser *p, scope *s) {
    if (!expect(&p->s, "(")) return false;
    if (accept(&p->s, ")")) return true;
    do {
        label l;
        type t;
        if (!read_label(p, &l) || !expect(&p->s, ":") || !read_type(p, &t)) return false;
        if (l.number) return scan_error(&p->s, l.at, "an input needs a name");
        value v = graph_input(s->g, l.text, t);
        const char *fault = node_fault(s->g, v, s->level);
        if (fault) return scan_error(&p->s, l.at, "%s", fault);
        if (!scope_add(p, s, &l, v)) return false;
    } while (accept(&p->s, ","));
    return expect(&p->s, ")");
}

// "output logits = %9", as many as there are.
static bool read_outputs(parser *p, scope *s) {
    graph *g = s->g;
    scope names = scope_new(p, g, s->level);
    while (accept_word(&p->s, "output")) {
        label name = {.at = here(&p->s)};
        value v = VALUE_NONE;
        if (!read_name(&p->s, &name.text, "the output's name") || !expect(&p->s, "=")) return false;
        if (!read_value(p, s, &v) || !scope_add(p, &names, &name, v)) return false;
        graph_output_add(g, name.text, v);
    }
    return true;
}

static bool read_size(parser *p, const char *word, int64_t *out) {
    return expect_word(&p->s, word) && expect(&p->s, "=") && read_i64(&p->s, out);
}

// Of weights, and of states of both kinds where there are any.
static bool read_sizes(parser *p, graph *g) {
    if (!read_size(p, "weight_bytes", &g->weight_bytes)) return false;
    if (!accept(&p->s, ",")) return true;
    if (!looks_at(&p->s, "z")) {
        if (!read_size(p, "state_bytes", &g->state_bytes)) return false;
        if (!accept(&p->s, ",")) return true;
    }
    return read_size(p, "zero_bytes", &g->zero_bytes);
}

graph *read_graph(parser *p) {
    const char *name = NULL, *class = NULL;
    if (!expect_word(&p->s, "graph")) return NULL;
    if (accept(&p->s, "@") && !read_name(&p->s, &name, "the graph's name")) return NULL;
    if (accept_word(&p->s, "class") && !read_name(&p->s, &class, "the arithmetic class")) return NULL;
    graph *g = graph_new(p->a, name);
    if (class) graph_set_class(g, class);
    scope top = scope_new(p, g, LEVEL_TOP);
    if (!read_inputs(p, &top) || !expect(&p->s, "{")) return NULL;
    while (looks_at(&p->s, "%"))
        if (!read_statement(p, &top)) return NULL;
    if (!read_outputs(p, &top) || !expect(&p->s, "}")) return NULL;
    if (accept(&p->s, "{")) {
        if (!read_sizes(p, g) || !expect(&p->s, "}")) return NULL;
    }
    return read_variants(p, &top) ? g : NULL;
}
