// What `bertc compile` writes: shared objects and object files (code, weights, the system's linker), and
// text.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/memory.h"

#include "backend/output/output.h"

#define USUAL_THREADS 2

typedef struct output_writer {
    const artefact *a;
    const emit_options *o;
    backend_times *times;
    arena *scratch;
    uint64_t weights_checksum;
    diag *diag;
} output_writer;

// The file is whole: what was asked for is done with its figures, and it becomes the output. What is written where it stands
// (a device) comes first: only then is it known that it can be.
static bool keep(output_writer *w, output_file *out) {
    const emit_options *o = w->o;
    bool first = out->in_place;
    if (first && !output_file_keep(out, w->diag)) return false;
    return (!o->ready || o->ready(o->user, w->times, w->diag)) && (first || output_file_keep(out, w->diag));
}

static bool write_text(output_writer *w, const char *text, size_t size) {
    output_file out;
    w->times->artefact_bytes = (int64_t)size;
    bool ok = output_file_open(&out, w->o->output, w->diag) && output_file_write(&out, text, size, w->diag) &&
              keep(w, &out);
    output_file_drop(&out);
    return ok;
}

static bool write_header(output_writer *w) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    header_print(w->a, w->o->output, f);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    bool ok = write_text(w, text, size);
    free(text);
    return ok;
}

// --- Code

static LLVMMemoryBufferRef print_module(emit *e) {
    char *text = memory_must(LLVMPrintModuleToString(e->module));
    LLVMMemoryBufferRef buffer =
        memory_must(LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "module"));
    LLVMDisposeMessage(text);
    return buffer;
}

static LLVMMemoryBufferRef compile_module(output_writer *w, emit *e) {
    LLVMTargetMachineRef machine = codegen_machine(&w->a->targets[0], w->o->optimise, w->diag);
    if (!machine) return NULL;
    LLVMMemoryBufferRef buffer = NULL;
    double start = backend_seconds();
    progress_at(w->a->progress, "making code", -1);
    bool ok = codegen_optimise(e, machine, w->o->optimise);
    w->times->optimise = backend_seconds() - start;
    start = backend_seconds();
    if (ok) buffer = w->o->kind == EMIT_LLVM ? print_module(e) : codegen_emit(e, machine, LLVMAssemblyFile);
    w->times->codegen = backend_seconds() - start;
    LLVMDisposeTargetMachine(machine);
    return buffer;
}

// Text of one module; LLVM's memory is freed before anything else is done.
static LLVMMemoryBufferRef compile_text(output_writer *w) {
    emit e;
    double start = backend_seconds();
    build_begin(&e, w->scratch, w->diag);
    bool ok = artefact_emit(&e, w->a, true);
    w->times->emit = backend_seconds() - start;
    LLVMMemoryBufferRef buffer = ok ? compile_module(w, &e) : NULL;
    build_end(&e);
    if (buffer) w->times->code_bytes = (int64_t)LLVMGetBufferSize(buffer);
    return buffer;
}

// --- Linking

static bool write_weights(output_writer *w, int fd) {
    weights all;
    double start = backend_seconds();
    bool ok = weights_collect(w->a->module, w->scratch, &all, w->diag);
    all.progress = w->a->progress;
    ok = ok && elf_weights_write(fd, &all, w->a->source, &w->a->targets[0], w->o->output,
                                 &w->weights_checksum, w->diag);
    w->times->weights = backend_seconds() - start;
    return ok;
}

// Files of objects, in the order in which they are linked.
typedef struct object_files {
    int count;
    int fds[LINK_MOST_INPUTS];
} object_files;

// One more; -1 with a diagnostic.
static int add_file(output_writer *w, object_files *f) {
    int fd = output_file_scratch(w->o->output, w->diag);
    if (fd >= 0) f->fds[f->count++] = fd;
    return fd;
}

static bool link_into(output_writer *w, const output_file *out, const guard *after,
                      const object_files *files) {
    link_job job = {.linker = w->o->linker,
                    .output = out->name,
                    .path = w->o->output,
                    .relocatable = w->o->kind == EMIT_OBJ,
                    .target = &w->a->targets[0],
                    .guard = after,
                    .input_count = files->count};
    memcpy(job.inputs, files->fds, sizeof(*job.inputs) * (size_t)files->count);
    double start = backend_seconds();
    progress_at(w->a->progress, "linking", -1);
    bool ok = link_run(&job, &w->times->linker_peak_kb, w->diag) &&
              checksum_write(out->name, w->weights_checksum, w->o->output, w->diag) &&
              (job.relocatable || pieces_write(out->name, w->o->output, w->diag));
    w->times->link = backend_seconds() - start;
    return ok && output_file_size(out, &w->times->artefact_bytes, w->diag);
}

// The linker makes the file anew under the name that it is given.
static bool link_output(output_writer *w, const object_files *files) {
    output_file out;
    guard after;
    bool ok = output_file_open_named(&out, w->o->output, w->diag);
    if (ok) {
        guard_open(&after, out.name);
        ok = link_into(w, &out, &after, files) && keep(w, &out);
        output_file_drop(&out);
        guard_close(&after);
    }
    output_file_drop(&out);
    return ok;
}

// The weights first, where there are some, then the code.
static bool write_files(output_writer *w, const code_objects *code, object_files *files) {
    int first = add_file(w, files);
    if (first < 0) return false;
    for (int i = 0; i < code->count; i++) {
        const char *data = LLVMGetBufferStart(code->items[i]);
        size_t size = LLVMGetBufferSize(code->items[i]);
        int fd = add_file(w, files);
        if (fd < 0 || !output_file_put(fd, data, size, w->o->output, w->diag)) return false;
        w->times->code_bytes += (int64_t)size;
    }
    if (!write_weights(w, first)) return false;
    if (module_weight_bytes(w->a->module) > 0) return true;
    close(first);
    memmove(files->fds, files->fds + 1, sizeof(*files->fds) * (size_t)--files->count);
    return true;
}

static bool write_linked(output_writer *w) {
    object_files files = {0};
    code_objects code;
    bool ok = units_compile(w->a, true, w->o->optimise, w->o->threads ? w->o->threads : USUAL_THREADS,
                            w->scratch, &code, w->times, w->diag);
    ok = ok && write_files(w, &code, &files) && link_output(w, &files);
    for (int i = 0; i < files.count; i++) close(files.fds[i]);
    code_objects_free(&code);
    return ok;
}

static bool write_artefact(output_writer *w) {
    if (!output_file_check(w->o->output, w->diag)) return false;
    if (w->o->kind == EMIT_HEADER) return write_header(w);
    if (w->o->kind == EMIT_SO || w->o->kind == EMIT_OBJ) return write_linked(w);
    LLVMMemoryBufferRef text = compile_text(w);
    if (!text) return false;
    bool ok = write_text(w, LLVMGetBufferStart(text), LLVMGetBufferSize(text));
    LLVMDisposeMemoryBuffer(text);
    return ok;
}

bool backend_write(const artefact *a, const emit_options *o, backend_times *times, diag *d) {
    backend_times unused;
    output_writer w = {.a = a, .o = o, .times = times ? times : &unused, .scratch = arena_new(), .diag = d};
    *w.times = (backend_times){0};
    bool ok = write_artefact(&w);
    arena_free(w.scratch);
    return ok;
}
