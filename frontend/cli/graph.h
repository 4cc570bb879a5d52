// --graph FILE.ir: op-graph text of any stage (docs/ir.md) in place of the graph that the checkpoint makes,
// with the checkpoint's weights, tokenizer and labels.
#ifndef BERTC_CLI_GRAPH_H
#define BERTC_CLI_GRAPH_H

#include "frontend/cli/cli.h"

// The whole of a text file, or of standard input ("-"), with a NUL behind it; freed with free(). NULL, with a
// diagnostic, where it can't be read.
char *read_text(const char *path, size_t *size, diag *d);
// False, with a diagnostic that says what it is, where a file is surely no op-graph text.
bool may_be_graph(const char *path, diag *d);

// module_parse, and of classes that there are.
module *graph_parse_classes(arena *a, const char *file, const char *text, size_t size, diag *d);
// Parses `path` and holds it against the checkpoint: inputs among its own, the head's outputs, and every
// tensor with the type that the recipes name; where constants carry a hash, the same bytes. NULL, with
// diagnostics, where a graph of it is of another checkpoint or head.
module *graph_from_text(const char *path, const hub_model *m, arena *a, diag *d);
// --- graph_variants.c

// Keeps the graphs of the classes of b's targets. False, with a diagnostic, where one is missing.
bool graph_choose_classes(build *b, const build_options *o, diag *d);
// Of graphs that came with variants, keeps those of the lengths and CPUs that are asked for. False, with a
// diagnostic, where there are none, or one can't be compiled.
bool graph_choose_variants(build *b, const build_options *o, diag *d);

#endif
