// What the files of shape rules share. Private to ir/.
#ifndef BERTC_IR_SHAPE_RULES_H
#define BERTC_IR_SHAPE_RULES_H
#include "ir/graph.h"

#include <stdio.h>

typedef struct rule_context {
    const graph *g;
    const node *n;
    type *out;
    const char *where;
    diag *d;
} rule_context;

static inline const type *operand(const rule_context *c, int i) {
    return graph_type(c->g, c->n->inputs[i]);
}
static inline const attr *attribute(const rule_context *c, attr_id id) {
    return node_attr(c->n, id);
}

// "PLACE: op (types of the operands): cause"; returns false.
static inline bool misfit(const rule_context *c, const char *cause) {
    char line[512], one[96];
    size_t at = 0;
    line[0] = 0;
    for (int i = 0; i < c->n->input_count && at < sizeof(line) - sizeof(one) - 3; i++) {
        const char *t = type_print(operand(c, i), one, sizeof(one));
        at += (size_t)snprintf(line + at, sizeof(line) - at, "%s%s", i ? ", " : "", t);
    }
    return diag_error(c->d, c->where, "%s (%s): %s", op_name(c->n->op), line, cause);
}

// --- Axes and lookups (shape_lookup.c)

// Is every axis that is a number at least 1?
bool shape_positive(int n, const dim *d);
// Numpy's rule: aligned at the last axis, equal or one of them 1. `t` becomes the common shape.
bool shape_broadcast(type *t, const type *with);
// Are the axes of the attribute `shape` ones that a value may have?
bool shape_axes_fit(const rule_context *c, const attr *a);
bool rule_gather(const rule_context *c);
bool rule_gather_along(const rule_context *c);
bool rule_random(const rule_context *c);
bool rule_scatter_add(const rule_context *c);
bool rule_scatter_add_along(const rule_context *c);

// --- Products and quantised rows (shape_product.c)

bool rule_matmul(const rule_context *c);
bool rule_scales(const rule_context *c);
bool rule_quantize(const rule_context *c);
bool rule_dequantize(const rule_context *c);

#endif
