// A module's code in this process's memory: compiled like an object file, linked by ORC's LLJIT.
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <stdlib.h>

#include "backend/output/artefact.h"
#include "ir/memory.h"

struct jit_code {
    LLVMOrcLLJITRef jit;
};

static bool jit_error(diag *d, LLVMErrorRef error) {
    if (!error) return true;
    char *message = LLVMGetErrorMessage(error);
    diag_error(d, "JIT", "%s", message);
    LLVMDisposeErrorMessage(message);
    return false;
}

// Optimised and compiled; NULL with a diagnostic.
static LLVMMemoryBufferRef compile(emit *e, const target *t, int optimise, backend_times *times) {
    LLVMTargetMachineRef machine = codegen_machine(t, optimise, e->diag);
    if (!machine) return NULL;
    double start = backend_seconds();
    LLVMMemoryBufferRef object = NULL;
    bool ok = codegen_optimise(e, machine, optimise);
    double optimised = backend_seconds();
    if (ok) object = codegen_emit(e, machine, LLVMObjectFile);
    LLVMDisposeTargetMachine(machine);
    if (times) {
        times->optimise = optimised - start;
        times->codegen = backend_seconds() - optimised;
        times->code_bytes = object ? (int64_t)LLVMGetBufferSize(object) : 0;
    }
    return object;
}

jit_code *jit_code_open(emit *e, const target *t, int optimise, backend_times *times) {
    LLVMMemoryBufferRef object = compile(e, t, optimise, times);
    if (!object) return NULL;
    double start = backend_seconds();
    jit_code *c = memory_must(memory_zero(1, sizeof(*c)));
    bool ok = jit_error(e->diag, LLVMOrcCreateLLJIT(&c->jit, NULL));
    if (!ok) c->jit = NULL;
    if (ok) // takes the object, also where it fails
        ok = jit_error(e->diag,
                       LLVMOrcLLJITAddObjectFile(c->jit, LLVMOrcLLJITGetMainJITDylib(c->jit), object));
    else
        LLVMDisposeMemoryBuffer(object);
    if (times) times->link = backend_seconds() - start;
    if (ok) return c;
    jit_code_close(c);
    return NULL;
}

void *jit_code_symbol(const jit_code *c, const char *name) {
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(c->jit, &address, name);
    if (error) {
        LLVMConsumeError(error);
        return NULL;
    }
    return (void *)(uintptr_t)address;
}

void jit_code_close(jit_code *c) {
    if (!c) return;
    if (c->jit) LLVMConsumeError(LLVMOrcDisposeLLJIT(c->jit));
    free(c);
}
