// The ports of an artefact: what its graphs read and give, whatever their class.
#include <string.h>

#include "backend/output/descriptor.h"

uint32_t symbol_of(sym s) {
    switch (s) {
    case SYM_T: return BERTC_T;
    case SYM_S: return BERTC_S;
    case SYM_R: return BERTC_R;
    case SYM_M: return BERTC_M;
    case SYM_NONE:
    case SYM_L:
    case SYM_Q:
    case SYM_COUNT: break;
    }
    return BERTC_NUMBER;
}

static bool is_known_input(const char *name) {
    static const char *const known[] = {
#define X(id, name) name,
        BERTC_INPUT_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i])) return true;
    return false;
}

static bool is_target(const port_site *x) {
    const node *n = graph_node(x->graph, x->value);
    return n->op == OP_input && !input_of_call(n) && !is_known_input(n->name);
}

// A number for each of all axes: one row for the whole call.
static bool is_of_call(const type *t) {
    bool known = t->rank >= 1 && t->rank <= 4;
    for (int i = 0; i < t->rank; i++) known = known && t->d[i].s == SYM_NONE;
    return known;
}

static bool call_port_init(descriptor_writer *t, bertc_port *p, const port_site *x) {
    const type *y = graph_type(x->graph, x->value);
    *p = (bertc_port){.elem = BERTC_F32,
                      .leading = BERTC_NUMBER,
                      .rank = (uint32_t)y->rank,
                      .name = put_string(t, x->name)};
    for (int i = 0; i < y->rank; i++) p->shape[i] = y->d[i].n;
    return true;
}

// Inputs are i32, outputs f32: what a graph keeps in another type it casts for whoever calls. Targets are either.
static bool port_init(descriptor_writer *t, bertc_port *p, const port_site *x, elem should) {
    const type *y = graph_type(x->graph, x->value);
    if (should == ELEM_I32 && input_of_call(graph_node(x->graph, x->value))) {
        *p = (bertc_port){.elem = y->e == ELEM_F32 ? BERTC_F32 : BERTC_I32,
                          .leading = BERTC_NUMBER,
                          .rank = (uint32_t)y->rank,
                          .name = put_string(t, x->name)};
        if (y->rank) p->shape[0] = y->d[0].n;
        return true;
    }
    bool held_against = is_target(x);
    if (held_against && y->e == ELEM_F32) should = ELEM_F32;
    if (y->e != should) {
        char buf[96];
        return diag_error(t->e->diag, x->name, "is %s: inputs are i32 and outputs f32, so cast it",
                          type_print(y, buf, sizeof(buf)));
    }
    if (graph_node(x->graph, x->value)->op != OP_input && is_of_call(y)) return call_port_init(t, p, x);
    bool rows = y->rank >= 1 && symbol_of(y->d[0].s) != BERTC_NUMBER && y->d[0].s != SYM_M;
    if (!rows || y->rank > 5 || (held_against && y->d[0].n != 0)) {
        char buf[96];
        return diag_error(t->e->diag, x->name, "internal error: it can't be an input or output: %s",
                          type_print(y, buf, sizeof(buf)));
    }
    *p = (bertc_port){.elem = should == ELEM_F32 ? BERTC_F32 : BERTC_I32,
                      .leading = symbol_of(y->d[0].s),
                      .rank = (uint32_t)y->rank - 1,
                      .target = held_against};
    for (int i = 1; i < y->rank; i++) {
        p->shape[i - 1] = y->d[i].s == SYM_NONE ? y->d[i].n : 0;
        if (y->d[i].s == SYM_M && i == y->rank - 1) p->ragged = 1;
    }
    p->name = put_string(t, x->name);
    return true;
}

static bool slices_first_row(const graph *body) {
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op == OP_fuse && slices_first_row(n->body)) return true;
        if (n->op != OP_slice) continue;
        const type *from = graph_type(body, n->inputs[0]);
        if (from->d[0].s == SYM_L && dim_is(node_attr(n, ATTR_begin)->u.dims[0], 0) &&
            dim_is(node_attr(n, ATTR_end)->u.dims[0], 1))
            return true;
    }
    return false;
}

// By value: is it made from each text's first row?
static bool *first_row_readers(descriptor_writer *t, const graph *g) {
    bool *reads = ARENA_ARRAY(t->e->arena, bool, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        reads[v] = n->op == OP_per_sequence && slices_first_row(n->body);
        for (int i = 0; i < n->input_count; i++) reads[v] |= reads[n->inputs[i]];
    }
    return reads;
}

value find_input(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (graph_node(g, v)->op == OP_input && !strcmp(graph_node(g, v)->name, name)) return v;
    return VALUE_NONE;
}

uint32_t collect_inputs(descriptor_writer *t) {
    const module *m = t->a->module;
    uint32_t n = 0;
    int64_t most = 0;
    for (int i = 0; i < m->graph_count; i++) most += m->graphs[i]->count;
    t->inputs = ARENA_ARRAY(t->e->arena, port_site, most);
    for (int i = 0; i < m->graph_count; i++) {
        const graph *g = m->graphs[i];
        for (value v = 0; v < g->count; v++) {
            if (graph_node(g, v)->op != OP_input) continue;
            const char *name = graph_node(g, v)->name;
            bool there = false;
            for (int k = 0; k < i; k++) there |= find_input(m->graphs[k], name) != VALUE_NONE;
            if (!there) t->inputs[n++] = (port_site){g, v, name};
        }
    }
    return n;
}

int64_t backend_input_limit(const graph *g, value v) {
    int64_t least = 0;
    for (value u = 0; u < g->count; u++) {
        const node *n = graph_node(g, u);
        int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            int64_t rows = n->body && i >= bounds ? backend_input_limit(n->body, i - bounds) : 0;
            if (n->op == OP_gather && i == 1) {
                dim d = graph_type(g, n->inputs[0])->d[0];
                rows = d.s == SYM_NONE ? d.n : 0;
            }
            if (rows && (!least || rows < least)) least = rows;
        }
    }
    return least;
}

// The least limit of the graphs that have the input.
static int64_t input_limit(const module *m, const char *name) {
    int64_t least = 0;
    for (int i = 0; i < m->graph_count; i++) {
        value v = find_input(m->graphs[i], name);
        int64_t limit = v == VALUE_NONE ? 0 : backend_input_limit(m->graphs[i], v);
        if (limit && (!least || limit < least)) least = limit;
    }
    return least;
}

bool put_ports(descriptor_writer *t, bertc_descriptor *h) {
    const module *m = t->a->module;
    bertc_port *ports = ARENA_ARRAY(t->e->arena, bertc_port, h->input_count + h->output_count);
    bool all_columns = false; // hidden tokens too
    for (uint32_t i = 0; i < h->input_count; i++) {
        const char *name = t->inputs[i].name;
        if (!port_init(t, &ports[i], &t->inputs[i], ELEM_I32)) return false;
        ports[i].limit = input_limit(m, name);
        if (!strcmp(name, "mask")) ports[i].rule = BERTC_RULE_ONE, all_columns = true;
        if (strcmp(name, "global")) continue;
        ports[i].rule = t->a->global_rule;
        ports[i].rule_id = t->a->sep_id;
    }
    const graph *g = m->graphs[0]; // all have the same outputs
    const bool *reads = first_row_readers(t, g);
    bertc_port *outputs = ports + h->input_count;
    for (uint32_t i = 0; i < h->output_count; i++) {
        graph_output o = g->outputs[i];
        if (!port_init(t, &outputs[i], &(port_site){g, o.value, o.name}, ELEM_F32)) return false;
        outputs[i].reads_first = reads[o.value] && !all_columns;
    }
    h->inputs = put_bytes(t, ports, sizeof(*ports) * h->input_count, 8);
    h->outputs = put_bytes(t, outputs, sizeof(*ports) * h->output_count, 8);
    return true;
}

bool ports_need_training(const bertc_descriptor *h, const descriptor_writer *t) {
    const graph *g = t->a->module->graphs[0];
    bool needs = false;
    for (uint32_t i = 0; i < h->input_count; i++) {
        const node *n = graph_node(t->inputs[i].graph, t->inputs[i].value);
        bool first = !strcmp(n->name, "step") || !strcmp(n->name, "seed") || !strcmp(n->name, "rate");
        needs |= input_of_call(n) ? !first : is_target(&t->inputs[i]);
    }
    for (uint32_t i = 0; i < h->output_count; i++) needs |= is_of_call(graph_type(g, g->outputs[i].value));
    return needs;
}
