#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "frontend/cli/cli.h"
#include "frontend/hub/files/file.h"

static bool open_jit(opened *o, const char *path, const build_options *options, diag *d) {
    build_options with = *options;
    const char *isa = getenv("BERTC_ISA"); // the loader takes no other level
    with.hub.model = path;
    if (!with.mcpu && isa && target_is_level(isa)) with.mcpu = isa;
    if (!build_open(&o->build, &with, d)) return false;
    o->jit = backend_jit(&o->build.artefact, (int)with.optimise, &o->times, d);
    progress_line_clear(&o->build.line);
    if (!o->jit || !hub_unchanged(&o->build.model, d)) return false;
    bertc_error e;
    o->model = bertc_load_memory(jit_descriptor(o->jit), jit_weights(o->jit), &e);
    return o->model || runtime_failed(d, &e);
}

bool may_be_artefact(const char *path, diag *d) {
    static const char own[] = "a shared object";
    const char *kind = hub_file_kind(path);
    return !kind || !strncmp(kind, own, sizeof own - 1) ||
           diag_error(d, path, "is no artefact and no checkpoint, but %s", kind);
}

bool opened_open(opened *o, const char *path, const build_options *options, diag *d) {
    *o = (opened){0};
    if (is_checkpoint(path)) return open_jit(o, path, options, d);
    if (!hub_is_there(path, d) || !may_be_artefact(path, d)) return false;
    bertc_error e;
    o->model = bertc_load(path, &e);
    return o->model || runtime_failed(d, &e);
}

void opened_settle(opened *o) {
    if (o->jit) jit_drop_states(o->jit);
#ifdef __GLIBC__
    malloc_trim(0); // what LLVM has freed
#endif
}

void opened_close(opened *o) {
    if (o->model) bertc_unload(o->model);
    if (o->jit) jit_free(o->jit);
    build_close(&o->build);
    *o = (opened){0};
}
