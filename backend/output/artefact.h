// The parts of an artefact: code with its descriptor, weights, and, by JIT, memory for both. Private to
// backend/ and its tests.
#ifndef BERTC_BACKEND_ARTEFACT_H
#define BERTC_BACKEND_ARTEFACT_H

#include "backend/codegen.h"

// --- descriptor.c

// Everything of an artefact but its weights, into e's module (build_begin first): kernels, then the
// descriptor.
bool artefact_emit(emit *e, const artefact *a, bool weights_symbol);
// The same into several modules: the kernels of target i into the modules of units[i * parts] and the next ones, whose
// identifiers are then part of their symbols; the descriptor into the first.
bool artefact_emit_units(emit *const *units, int parts, const artefact *a, bool weights_symbol);

// --- weights.c: the constants of a module's graphs in the order of their places in the weights.
typedef struct weight {
    const graph *graph; // the first one that has it
    value v;
    int number;        // in the order of graphs and nodes
    int64_t at, bytes; // bytes without padding
} weight;
typedef struct weights {
    const weight *items; // ascending, none overlapping another
    int count;
    int64_t bytes;                 // of the whole
    int64_t largest;               // bytes of the largest item
    const progress_hook *progress; // called by weights_fill; NULL: none
    int noted;                     // constants that weights_fill has found not to be finite
} weights;
bool weights_collect(const module *m, arena *a, weights *out, diag *d);
// Computes item i into `out`, which has items[i].bytes. A note names each tensor that brings NaN or infinity
// into it.
bool weights_fill(weights *w, int i, const tensor_source *source, void *out, diag *d);
// --- parameters.c

// Where a kernel finds top-level value x in variant v.
bertc_arg argument_of(const graph *g, const variant *v, value x);
// The rows of the parameter table, those of one tensor side by side from its first element on; those of zeros last.
typedef struct parameter_part {
    const char *tensor;
    bertc_parameter_part row; // without its name
} parameter_part;
int parameters_collect(const graph *g, arena *a, parameter_part **out);

// --- unfinite.c

// Adds notes where a constant, whose elements are `data`, holds NaN or infinity: about the tensors that
// its recipe reads, or about itself where it overflowed on the way. False where it is finite.
bool unfinite_note(const node *constant, const void *data, size_t bytes, const tensor_source *source,
                   diag *d);

// Bytes of a constant in the weights, without padding.
int64_t weight_size(const graph *g, value v);
// Bytes of weights that a node reads once a call: all of its constants but tables that it gathers rows from.
int64_t weights_read(const graph *g, const node *n);

// --- jit_code.c: code in this process's memory.
typedef struct jit_code jit_code;
// Links object files, which become its own; NULL with a diagnostic.
jit_code *jit_code_link(LLVMMemoryBufferRef *objects, int count, diag *d);
// Optimises, compiles and links e's module.
jit_code *jit_code_open(emit *e, const target *t, int optimise);
// Address of an external symbol; NULL where there is none.
void *jit_code_symbol(const jit_code *c, const char *name);
void jit_code_close(jit_code *c);

#endif
