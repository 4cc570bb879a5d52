// LLVM's side of code generation: the target machine, the optimiser, object files and their check.
#include <elf.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend/codegen.h"
#include "ir/memory.h"

static void initialise(void) {
#ifdef BERTC_X86_ONLY // cmake/Portable.cmake
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
#else
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
#endif
}

static bool llvm_error(diag *d, char *message) {
    diag_error(d, "internal error", "LLVM: %s", message ? message : "no message");
    LLVMDisposeMessage(message);
    return false;
}

LLVMTargetMachineRef codegen_machine(const target *t, int optimise, diag *d) {
    static pthread_once_t once = PTHREAD_ONCE_INIT; // LLVM's table of targets is the process's
    pthread_once(&once, initialise);
    LLVMTargetRef found;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &found, &message)) {
        diag_error(d, t->triple, "LLVM has no code for it: %s", message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
                                                 LLVMCodeGenLevelDefault, LLVMCodeGenLevelAggressive};
    // CPU and features are attributes of each function (build.c).
    return LLVMCreateTargetMachine(found, t->triple, "", "", levels[optimise & 3], LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}

static bool verify(emit *e, const char *when) {
    char *message = NULL;
    bool broken = LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message);
    if (broken) {
        message[strcspn(message, "\n")] = 0;
        diag_error(e->diag, "internal error", "the module is broken %s: %s", when, message);
    }
    LLVMDisposeMessage(message);
    return !broken;
}

// Equal functions come first: variants and forms that differ in their outer loops alone share the tiles within. The emitters
// write SSA with its loops as they should be. A third of what LLVM's own pipeline does is of use there (docs/benchmarks.md,
// "Compiling"): what is constant for a loop leaves it, addresses become equal and simple, known ranges make tests needless.
#define OUR_PASSES                                                                                           \
    "mergefunc,inline,function(early-cse<memssa>,instcombine<no-verify-fixpoint>,"                           \
    "loop-mssa(loop-rotate<header-duplication;no-prepare-for-lto>,licm<allowspeculation>),"                  \
    "gvn,correlated-propagation,instcombine<no-verify-fixpoint>,simplifycfg),globaldce"

static const char *const llvm_passes[] = {"mergefunc,default<O0>", OUR_PASSES, OUR_PASSES,
                                          "mergefunc,default<O3>"};

bool codegen_optimise(emit *e, LLVMTargetMachineRef machine, int level) {
    int errors = e->diag->errors; // LLVM's own are added by build.c's handler
    LLVMTargetDataRef data = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(e->module, data);
    LLVMDisposeTargetData(data);
    if (!verify(e, "before optimising")) return false;
    LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
    // The emitters write vectors and unroll themselves.
    LLVMPassBuilderOptionsSetLoopVectorization(o, false);
    LLVMPassBuilderOptionsSetSLPVectorization(o, false);
    LLVMPassBuilderOptionsSetLoopInterleaving(o, false);
    LLVMPassBuilderOptionsSetLoopUnrolling(o, false);
    LLVMErrorRef error = LLVMRunPasses(e->module, llvm_passes[level & 3], machine, o);
    LLVMDisposePassBuilderOptions(o);
    // A distance to a function whose address means nothing is made to go through a PLT, with 32 bits.
    for (LLVMValueRef f = LLVMGetFirstFunction(e->module); f; f = LLVMGetNextFunction(f)) {
        LLVMSetUnnamedAddress(f, LLVMNoUnnamedAddr);
    }
    if (error) {
        char *message = LLVMGetErrorMessage(error);
        diag_error(e->diag, "internal error", "LLVM: %s", message);
        LLVMDisposeErrorMessage(message);
        return false;
    }
    return verify(e, "after optimising") && e->diag->errors == errors;
}

// The object's undefined symbols: none but hidden ones, the weights' and those of another object of the artefact. LLVM calls functions where an instruction is missing.
static bool freestanding(const char *data, size_t size, diag *d) {
    Elf64_Ehdr h;
    if (size < sizeof(h)) return diag_error(d, "internal error", "LLVM wrote no ELF object");
    memcpy(&h, data, sizeof(h));
    bool ok = true;
    for (size_t i = 0; i < h.e_shnum; i++) {
        Elf64_Shdr s, names;
        memcpy(&s, data + h.e_shoff + i * h.e_shentsize, sizeof(s));
        if (s.sh_type != SHT_SYMTAB) continue;
        memcpy(&names, data + h.e_shoff + (size_t)s.sh_link * h.e_shentsize, sizeof(names));
        for (size_t k = 1; k < s.sh_size / sizeof(Elf64_Sym); k++) {
            Elf64_Sym y;
            memcpy(&y, data + s.sh_offset + k * sizeof(y), sizeof(y));
            const char *name = data + names.sh_offset + y.st_name;
            bool own = ELF64_ST_VISIBILITY(y.st_other) == STV_HIDDEN;
            if (y.st_shndx != SHN_UNDEF || y.st_name == 0 || own) continue;
            ok = diag_error(d, "internal error", "the code calls %s, which no artefact has", name);
        }
    }
    return ok;
}

LLVMMemoryBufferRef codegen_emit(emit *e, LLVMTargetMachineRef machine, LLVMCodeGenFileType kind) {
    LLVMMemoryBufferRef out = NULL;
    char *message = NULL;
    int errors = e->diag->errors;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, e->module, kind, &message, &out)) {
        llvm_error(e->diag, message);
        return NULL;
    }
    memory_must(out); // the copy of LLVM's own text is the one allocation of LLVM's that may be refused
    bool ok = e->diag->errors == errors;
    if (ok && kind == LLVMObjectFile)
        ok = freestanding(LLVMGetBufferStart(out), LLVMGetBufferSize(out), e->diag);
    if (ok) return out;
    LLVMDisposeMemoryBuffer(out);
    return NULL;
}

const char *backend_llvm_version(void) {
    return LLVM_VERSION_STRING;
}
