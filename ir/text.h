// The text form: printer and parser, an exact round trip. Grammar: docs/ir.md.
#ifndef BERTC_IR_TEXT_H
#define BERTC_IR_TEXT_H
#include "ir/module.h"

// `source` may be NULL: recipes then print with the hash that they have, if any.
void graph_print(const graph *g, const tensor_source *source, FILE *out);
void module_print(const module *m, const tensor_source *source, FILE *out); // its graphs, one by one
// Parses and verifies. NULL, with diagnostics "FILE:LINE:COLUMN: cause", if the text is wrong.
module *module_parse(arena *a, const char *file, const char *text, size_t size, diag *d);
// The same for a text that holds one graph.
graph *graph_parse(arena *a, const char *file, const char *text, size_t size, diag *d);
#endif
