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

static bool add_objects(jit_code *c, LLVMMemoryBufferRef *objects, int count, diag *d) {
    bool ok = jit_error(d, LLVMOrcCreateLLJIT(&c->jit, NULL));
    if (!ok) c->jit = NULL;
    for (int i = 0; i < count; i++) {
        if (ok) { // takes the object, also where it fails
            LLVMOrcJITDylibRef main = LLVMOrcLLJITGetMainJITDylib(c->jit);
            ok = jit_error(d, LLVMOrcLLJITAddObjectFile(c->jit, main, objects[i]));
        } else {
            LLVMDisposeMemoryBuffer(objects[i]);
        }
        objects[i] = NULL;
    }
    return ok;
}

jit_code *jit_code_link(LLVMMemoryBufferRef *objects, int count, diag *d) {
    jit_code *c = memory_must(memory_zero(1, sizeof(*c)));
    if (add_objects(c, objects, count, d)) return c;
    jit_code_close(c);
    return NULL;
}

jit_code *jit_code_open(emit *e, const target *t, int optimise) {
    LLVMTargetMachineRef machine = codegen_machine(t, optimise, e->diag);
    if (!machine) return NULL;
    LLVMMemoryBufferRef object = NULL;
    if (codegen_optimise(e, machine, optimise)) object = codegen_emit(e, machine, LLVMObjectFile);
    LLVMDisposeTargetMachine(machine);
    return object ? jit_code_link(&object, 1, e->diag) : NULL;
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
