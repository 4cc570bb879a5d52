// What the files of the descriptor share: the tables, as they are written one behind the other. Private to
// backend/output/.
#ifndef BERTC_BACKEND_DESCRIPTOR_H
#define BERTC_BACKEND_DESCRIPTOR_H

#include "backend/output/artefact.h"
#include "runtime/abi.h"

// A field whose value is the distance from the descriptor to a symbol.
typedef struct distance {
    size_t at;
    LLVMValueRef symbol;
} distance;

// A variant, its graph, and the kernels of that graph's values.
typedef struct variant_site {
    const graph *graph;
    const variant *variant;
    const kernel *const *kernels;
} variant_site;

// A port of the model: a value of the first graph that has it.
typedef struct port_site {
    const graph *graph;
    value value;
    const char *name;
} port_site;

typedef struct descriptor_writer {
    emit *e;
    const artefact *a;
    variant_site *variants; // best ISA first
    port_site *inputs;      // those of all graphs
    unsigned char *bytes;
    size_t size, capacity;
    distance *distances;
    size_t distance_count, distance_capacity;
    const target *calls_of; // the level that `enter` and `leave` were emitted for; NULL: none yet
    LLVMValueRef enter, leave;
} descriptor_writer;

// --- tables.c

// Appends; the offset of the first byte.
bertc_off put_bytes(descriptor_writer *t, const void *data, size_t size, size_t align);
bertc_off put_string(descriptor_writer *t, const char *s);
// The 8 bytes at offset `at` become the distance to the symbol.
void put_distance(descriptor_writer *t, size_t at, LLVMValueRef symbol);

// --- limits.c: whether the loader takes that much. `name`: the node's.
bool limits_check_kernel(const kernel *k, const variant *v, const char *name, uint32_t arg_count, diag *d);
bool limits_check_variant(const bertc_variant *out, const variant *v, diag *d);
bool limits_check_ports(const bertc_descriptor *h, const graph *g, diag *d);
bool limits_check_parameters(const bertc_descriptor *h, const graph *g, diag *d);

// --- ports.c: inputs and outputs of the model.

// The inputs of the module's graphs, to t->inputs: those of the first, then what others have beside. How many.
uint32_t collect_inputs(descriptor_writer *t);
value find_input(const graph *g, const char *name); // VALUE_NONE: it has none
uint32_t symbol_of(sym s);
// After collect_inputs; fills in h->inputs and h->outputs.
bool put_ports(descriptor_writer *t, bertc_descriptor *h);
// After put_ports: is there a port that came with training: a target, a later number of the call, an output of the
// whole call?
bool ports_need_training(const bertc_descriptor *h, const descriptor_writer *t);

#endif
