// What the parser's files share. Private to ir/.
#ifndef BERTC_IR_TEXT_PARSE_H
#define BERTC_IR_TEXT_PARSE_H
#include "ir/text_lex.h"
#include "ir/verify_node.h"

// "%layer.0.output", %"any bytes", or "%12". A number is only a label: it gives the value no name.
typedef struct label {
    const char *text;
    bool number;
    spot at;
} label;

// The labels of one graph or body.
typedef struct scope {
    graph *g;
    level level;
    int capacity, count;
    struct scope_slot *slots;
} scope;

typedef struct parser {
    scanner s; // its arena is scratch
    arena *a;  // the graph's
} parser;

// Reads "graph ..." with its variants, without verifying it; NULL if it is wrong.
graph *read_graph(parser *p);

// Reads the label of a value that is defined already; reports any other label.
bool read_value(parser *p, const scope *s, value *out);

// --- Types and attributes (text_attr.c)

bool read_type(parser *p, type *out);
// Reads "{name = value, ...}", if it is there. `literal`: the type of a literal's elements; NULL if it isn't known.
// Adds to the list, which has room for ATTR_COUNT and may hold some already.
bool read_attrs(parser *p, op o, const type *literal, attr *list, int *count);

// --- Variants (text_variant.c)

bool read_variants(parser *p, const scope *top);

#endif
