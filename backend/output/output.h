// Files that backend_write makes. Private to backend/ and its tests.
#ifndef BERTC_BACKEND_OUTPUT_H
#define BERTC_BACKEND_OUTPUT_H

#include "backend/output/artefact.h"
#include "ir/output_file.h"

// --- units.c: object files, one for each target of the artefact, or several for the only one.
#define UNITS_MOST_THREADS 16
typedef struct code_objects {
    int count;
    LLVMMemoryBufferRef items[CODEGEN_MOST_UNITS];
} code_objects;
// Emits, optimises and compiles, with up to that many threads. `weights_symbol`: the weights are another object. False with a
// diagnostic. The caller ends them (code_objects_free) in both cases.
bool units_compile(const artefact *a, bool weights_symbol, int optimise, int threads, arena *scratch,
                   code_objects *out, backend_times *times, diag *d);
void code_objects_free(code_objects *o);

// --- elf_weights.c: a relocatable ELF file with one read-only section, aligned to a page, whose symbol is
// bertc_weights; written constant by constant, with memory for the largest. *checksum: of the weights.
bool elf_weights_write(int fd, weights *w, const tensor_source *source, const target *t, const char *path,
                       uint64_t *checksum, diag *d);

// --- checksum.c: writes the checksums into a linked `file`, which becomes `path`.
bool checksum_write(const char *file, uint64_t weights_checksum, const char *path, diag *d);

// --- pieces.c: writes a linked `file`, which becomes `path`, once more, so that the system can map it by large pages.
bool pieces_write(const char *file, const char *path, diag *d);

// --- header.c: a C header with the artefact's sizes and names. `path` gives the prefix.
void header_print(const artefact *a, const char *path, FILE *out);

// --- guard.c: a process that stops the linker and removes `file` where this one ends (is killed) between
// guard_open and guard_close.
typedef struct guard {
    int pid, end; // -1: there is none, as where the system gives no process
} guard;
void guard_open(guard *g, const char *file);
void guard_linker(const guard *g, int group); // the linker's process group
void guard_linker_ended(const guard *g);      // before it is waited for: its number may then be another's
void guard_close(guard *g);                   // all is well: the file is the caller's again

// --- link.c: the system's linker.
#define LINK_MOST_INPUTS (CODEGEN_MOST_UNITS + 1)
typedef struct link_job {
    const char *linker; // NULL: the first one found
    const char *output;
    const char *path; // the output's name in messages
    bool relocatable; // -r: one object file, instead of a shared object
    const target *target;
    int input_count;
    int inputs[LINK_MOST_INPUTS]; // descriptors of object files, in this order
    const guard *guard;
} link_job;
bool link_run(const link_job *j, long *peak_kb, diag *d);

#endif
