// From graph to machine code: the steps between an artefact's parts, for output.c and jit.c. Private to
// backend/ and its tests.
#ifndef BERTC_BACKEND_CODEGEN_H
#define BERTC_BACKEND_CODEGEN_H

#include <llvm-c/TargetMachine.h>

#include "backend/backend.h"
#include "backend/emit/emit.h"

#define WEIGHTS_SYMBOL "bertc_weights"

// --- codegen.c

// The kernel of each node of each variant: kernels[variant * graph.count + value]; NULL for inputs and
// constants. Equal nodes share one. False with a diagnostic where a node can't be emitted.
bool codegen_kernels(emit *e, const artefact *a, const kernel **kernels);
// Everything of an artefact but its weights, into e's module (build_begin first): kernels, then the
// descriptor.
bool codegen_artefact(emit *e, const artefact *a, bool weights_symbol);

// --- codegen_key.c: what a node's code depends on, as bytes (in `a`).
typedef struct kernel_key {
    const void *bytes;
    size_t size;
} kernel_key;
kernel_key codegen_key(arena *a, const kernel_site *s, const target *t);

// --- codegen_llvm.c

// A machine for the target's triple; NULL with a diagnostic. The caller disposes it
// (LLVMDisposeTargetMachine).
LLVMTargetMachineRef codegen_machine(const target *t, int optimise, diag *d);
// Verifies, optimises, verifies. Level 0..3.
bool codegen_optimise(emit *e, LLVMTargetMachineRef machine, int level);
// The module as an object file (or, with LLVMAssemblyFile, as text); NULL with a diagnostic. The caller
// disposes it (LLVMDisposeMemoryBuffer). An object that calls anything outside itself is an internal error:
// artefacts are freestanding.
LLVMMemoryBufferRef codegen_emit(emit *e, LLVMTargetMachineRef machine, LLVMCodeGenFileType kind);

// --- descriptor.c: the constant @bertc_artefact, docs/abi.md. `kernels` as codegen_kernels leaves them.
bool descriptor_emit(emit *e, const artefact *a, const kernel *const *kernels, bool weights_symbol);

// --- weights.c: the constants of a graph as they lie in the weights.
typedef struct weight {
    value v;
    int64_t at, bytes; // bytes without padding
} weight;
typedef struct weights {
    const graph *graph;
    const weight *items; // ascending, none overlapping another
    int count;
    int64_t bytes;                 // of the whole
    int64_t largest;               // bytes of the largest item
    const progress_hook *progress; // told by weights_fill; NULL: nobody looks
} weights;
bool weights_collect(const graph *g, arena *a, weights *out, diag *d);
// Makes item i at `out` (its bytes long).
bool weights_fill(const weights *w, int i, const tensor_source *source, void *out, diag *d);
// Bytes of a constant as it lies in the weights, without padding.
int64_t weight_size(const graph *g, value v);

// --- jit_code.c: a module linked into this process's memory. Takes e's module as it stands, optimises and
// compiles it.
typedef struct jit_code jit_code;
jit_code *jit_code_open(emit *e, const target *t, int optimise, backend_times *times);
// Address of an external symbol; NULL where there is none.
void *jit_code_symbol(const jit_code *c, const char *name);
void jit_code_close(jit_code *c);

double backend_seconds(void); // monotonic clock

#endif
