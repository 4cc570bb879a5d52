// JIT: code and weights of an artefact in this process's memory.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "ir/memory.h"

struct jit {
    jit_code *code;
    const void *descriptor;
    void *weights;
    size_t weights_bytes, state_bytes;
};

const void *jit_descriptor(const jit *j) {
    return j->descriptor;
}

const void *jit_weights(const jit *j) {
    return j->weights;
}

void jit_drop_states(jit *j) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = j->state_bytes / page * page;
    if (bytes) madvise(j->weights, bytes, MADV_DONTNEED);
}

void jit_free(jit *j) {
    if (!j) return;
    jit_code_close(j->code);
    if (j->weights) munmap(j->weights, j->weights_bytes);
    free(j);
}

// The mapping is zero where no constant lies; made read-only when it is whole.
static bool map_weights(jit *j, const artefact *a, arena *scratch, diag *d) {
    weights w;
    if (!weights_collect(a->module, scratch, &w, d)) return false;
    w.progress = a->progress;
    if (w.bytes == 0) return true;
    void *p = memory_pages((size_t)w.bytes);
    if (!p) return diag_error(d, "JIT", "out of memory: %lld bytes of weights", (long long)w.bytes);
    j->weights = p;
    j->weights_bytes = (size_t)w.bytes;
    j->state_bytes = (size_t)a->module->graphs[0]->state_bytes;
    for (int i = 0; i < w.count; i++) {
        if (!weights_fill(&w, i, a->source, (char *)p + w.items[i].at, d)) return false;
    }
    mprotect(p, (size_t)w.bytes, PROT_READ);
    return true;
}

static bool make_code(jit *j, const artefact *a, int optimise, arena *scratch, backend_times *times,
                      diag *d) {
    code_objects objects;
    if (units_compile(a, false, optimise, UNITS_MOST_THREADS, scratch, &objects, times, d)) {
        for (int i = 0; i < objects.count; i++)
            times->code_bytes += (int64_t)LLVMGetBufferSize(objects.items[i]);
        double start = backend_seconds();
        j->code = jit_code_link(objects.items, objects.count, d);
        j->descriptor = j->code ? jit_code_symbol(j->code, BERTC_SYMBOL) : NULL;
        times->link = backend_seconds() - start;
    }
    code_objects_free(&objects);
    return !j->code ? false
                    : j->descriptor || diag_error(d, "JIT", "internal error: the code has no descriptor");
}

jit *backend_jit(const artefact *a, int optimise, backend_times *times, diag *d) {
    jit *j = memory_must(memory_zero(1, sizeof(*j)));
    arena *scratch = arena_new();
    backend_times unused;
    if (!times) times = &unused;
    *times = (backend_times){0};
    bool ok = make_code(j, a, optimise, scratch, times, d);
    double start = backend_seconds();
    ok = ok && map_weights(j, a, scratch, d);
    times->weights = backend_seconds() - start;
    arena_free(scratch);
    if (ok) return j;
    jit_free(j);
    return NULL;
}
