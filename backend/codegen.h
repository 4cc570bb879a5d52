// From nodes to machine code: kernels, the functions that nodes share, and LLVM. Private to backend/ and
// its tests.
#ifndef BERTC_BACKEND_CODEGEN_H
#define BERTC_BACKEND_CODEGEN_H

#include <llvm-c/TargetMachine.h>

#include "backend/backend.h"
#include "backend/emit/emit.h"

// The symbol of the weights, which code leaves undefined.
#define WEIGHTS_SYMBOL "bertc_weights"

// --- codegen.c

// Values of all variants of all graphs.
size_t codegen_sites(const module *m);
// The kernel of each of these values: graph by graph, and variant by variant of each; of one graph
// kernels[variant * graph.count + value]. NULL for inputs, constants and `result`s. Equal nodes share one.
// False with a diagnostic where a node can't be emitted.
bool codegen_kernels(emit *e, const artefact *a, const kernel **kernels);
// The same into `parts` modules for each target, those of a target side by side: a kernel goes where the fewest instructions are,
// in all variants to the same part. At most CODEGEN_MOST_UNITS modules.
#define CODEGEN_MOST_UNITS 16
bool codegen_kernels_units(emit *const *units, int parts, const artefact *a, const kernel **kernels);
// --- codegen_key.c: everything that a node's code depends on, as bytes (in `a`).
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

double backend_seconds(void); // monotonic clock

#endif
