// What threads call round the tasks of code for some levels (backend/emit/emit.h), in tests that run kernels by
// themselves.
#ifndef TEST_THREAD_CALLS_H
#define TEST_THREAD_CALLS_H

#include "backend/output/artefact.h"
#include "runtime/abi.h"

typedef struct thread_calls {
    bertc_thread_call enter, leave; // NULL: none
} thread_calls;

// Adds them to e's module, before it is compiled.
static inline void thread_calls_export(emit *e, const target *t) {
    LLVMValueRef enter, leave;
    if (!thread_calls_needed(t)) return;
    build_target(e, t);
    thread_calls_emit(e, &enter, &leave);
    LLVMSetLinkage(enter, LLVMExternalLinkage);
    LLVMSetLinkage(leave, LLVMExternalLinkage);
}

static inline thread_calls thread_calls_of(const jit_code *code, const target *t) {
    if (!thread_calls_needed(t)) return (thread_calls){NULL, NULL};
    return (thread_calls){(bertc_thread_call)(uintptr_t)jit_code_symbol(code, "thread.enter"),
                          (bertc_thread_call)(uintptr_t)jit_code_symbol(code, "thread.leave")};
}

static inline void thread_enter(const thread_calls *c) {
    if (c->enter) c->enter();
}

static inline void thread_leave(const thread_calls *c) {
    if (c->leave) c->leave();
}

#endif
