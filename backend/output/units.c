// The code of an artefact in modules that threads optimise and compile, sharing nothing: one for each of several levels of
// instruction sets, or four parts of the only one. Emission itself takes little of the time, and is done by the caller.
//
//   targets     emit, in turn              optimise, compile                   objects, in the targets' order
//   amx       -> kernels, descriptor     -> thread 1                        -> 0
//   avx512    -> kernels                 -> thread 2                        -> 1
//   avx2      -> kernels                 -> the first thread that is free   -> 2
//
// The descriptor, which is in the first module, names functions of the others by hidden symbols. Which thread
// compiles what changes no byte of an object.
#include <llvm-c/Core.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "backend/output/output.h"

// Of the only level.
#define PARTS 4

typedef struct unit {
    emit e;
    diag diag;                // the thread's, which are added to the caller's in the order of the units
    double optimise, codegen; // seconds
    LLVMMemoryBufferRef object;
} unit;

typedef struct crew {
    const artefact *a;
    int optimise;
    bool weights_symbol;
    unit *units;
    int parts, count; // parts of a target; units in all
    atomic_int next;
} crew;

static void compile_unit(crew *c, unit *u) {
    LLVMTargetMachineRef machine = codegen_machine(&c->a->targets[0], c->optimise, &u->diag);
    if (!machine) return;
    double start = backend_seconds();
    bool ok = codegen_optimise(&u->e, machine, c->optimise);
    double optimised = backend_seconds();
    if (ok) u->object = codegen_emit(&u->e, machine, LLVMObjectFile);
    LLVMDisposeTargetMachine(machine);
    u->optimise = optimised - start;
    u->codegen = backend_seconds() - optimised;
}

static void *work(void *context) {
    crew *c = context;
    for (int i; (i = atomic_fetch_add(&c->next, 1)) < c->count;) compile_unit(c, &c->units[i]);
    return NULL;
}

// With so many threads, the caller's among them; fewer where the system gives no more.
static int compile_all(crew *c, int threads) {
    pthread_t others[UNITS_MOST_THREADS];
    int n = 0;
    if (!LLVMIsMultithreaded()) threads = 1;
    while (n + 1 < threads && n + 1 < c->count && !pthread_create(&others[n], NULL, work, c)) n++;
    work(c);
    for (int i = 0; i < n; i++) pthread_join(others[i], NULL);
    return n + 1;
}

static bool emit_units(crew *c, arena *scratch, diag *d) {
    emit *modules[CODEGEN_MOST_UNITS];
    for (int i = 0; i < c->count; i++) {
        modules[i] = &c->units[i].e;
        build_begin(modules[i], scratch, d);
        const char *isa = c->a->targets[i / c->parts].isa;
        const char *name = c->parts > 1 ? arena_printf(scratch, "%s.%d", isa, i % c->parts) : isa;
        LLVMSetModuleIdentifier(modules[i]->module, name, strlen(name));
    }
    return artefact_emit_units(modules, c->parts, c->a, c->weights_symbol);
}

// Adds each unit's times and diagnostics to the caller's, and its object to `out`.
static bool collect(crew *c, code_objects *out, backend_times *times, diag *d) {
    bool ok = true;
    for (int i = 0; i < c->count; i++) {
        unit *u = &c->units[i];
        times->optimise += u->optimise;
        times->codegen += u->codegen;
        for (int k = 0; k < u->diag.count; k++) diag_error(d, NULL, "%s", u->diag.items[k].text);
        diag_free(&u->diag);
        out->items[i] = u->object;
        ok &= u->object != NULL;
    }
    out->count = c->count;
    return ok || d->errors || diag_error(d, "internal error", "a module has no code");
}

bool units_compile(const artefact *a, bool weights_symbol, int optimise, int threads, arena *scratch,
                   code_objects *out, backend_times *times, diag *d) {
    crew c = {.a = a, .optimise = optimise, .weights_symbol = weights_symbol};
    c.parts = a->target_count == 1 ? PARTS : 1;
    c.count = a->target_count * c.parts;
    c.units = ARENA_ARRAY(scratch, unit, c.count);
    *out = (code_objects){0};
    double start = backend_seconds();
    progress_at(a->progress, "making code", -1);
    bool ok = emit_units(&c, scratch, d);
    times->emit = backend_seconds() - start;
    for (int i = 0; ok && i < c.count; i++) {
        diag_init(&c.units[i].diag);
        c.units[i].e.diag = &c.units[i].diag;
    }
    start = backend_seconds();
    if (ok) times->threads = compile_all(&c, threads);
    times->code = backend_seconds() - start;
    for (int i = 0; i < c.count; i++) build_end(&c.units[i].e);
    return ok && collect(&c, out, times, d);
}

void code_objects_free(code_objects *o) {
    for (int i = 0; i < o->count; i++)
        if (o->items[i]) LLVMDisposeMemoryBuffer(o->items[i]);
    *o = (code_objects){0};
}
