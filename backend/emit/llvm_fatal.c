// What happens when LLVM can't go on: one line and status 1, as in the compiler's own code. LLVM's C interface
// has a handler for fatal errors alone; without one for memory LLVM prints two lines of its own and aborts.
#include <llvm-c/ErrorHandling.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/emit/emit.h"
#include "ir/memory.h"

// llvm::install_bad_alloc_error_handler, and llvm::install_out_of_memory_new_handler, by which a failing
// `operator new` calls the former. LLVM 19 to 22 have both; one that lacks them keeps its own ending.
extern void llvm_install_bad_alloc(void (*handler)(void *, const char *, bool), void *user) __asm__(
    "_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_") __attribute__((weak));
extern void llvm_install_new(void) __asm__("_ZN4llvm33install_out_of_memory_new_handlerEv")
    __attribute__((weak));

static void on_bad_alloc(void *user, const char *reason, bool crash) {
    (void)user;
    (void)reason;
    (void)crash;
    memory_exhausted();
}

static void on_fatal(const char *reason) {
    flockfile(stderr);
    fflush(stdout);
    fprintf(stderr, "bertc: error: LLVM: %s\n", reason);
    _exit(EXIT_FAILURE);
}

static void install(void) {
    LLVMInstallFatalErrorHandler(on_fatal);
    if (!llvm_install_bad_alloc || !llvm_install_new) return;
    llvm_install_bad_alloc(on_bad_alloc, NULL);
    llvm_install_new();
}

void llvm_fatal_handle(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT; // LLVM's handlers are the process's
    pthread_once(&once, install);
}
