// Files that backend_write makes. Private to backend/ and its tests.
#ifndef BERTC_BACKEND_OUTPUT_H
#define BERTC_BACKEND_OUTPUT_H

#include "backend/output/artefact.h"

// --- file.c: an output that is whole or absent. It is written under another name in its folder and renamed. A
// device or a pipe can't be renamed to: it is written in place, from a file in $TMPDIR or /tmp.
typedef struct output {
    const char *path; // as given
    char *real;       // links followed
    char *folder;     // where its temporary files are
    char *temp;       // what output_temp made; removed by output_close
    bool in_place;
} output;

// Checks that the output can be written, before any work is done. Memory from `a`.
bool output_open(output *o, const char *path, arena *a, diag *d);
// An empty, nameless file for data on the way to the output; -1 with a diagnostic. The caller closes it.
int output_scratch(const output *o, diag *d);
// Creates the file (o->temp) that becomes the output; its descriptor, -1 with a diagnostic. The caller closes
// it.
int output_temp(output *o, arena *a, diag *d);
// The temporary file becomes the output.
bool output_commit(output *o, int64_t *bytes, diag *d);
// Removes the temporary file where it did not become the output.
void output_close(output *o);
// Writes all `size` bytes, however many calls that needs.
bool output_write(int fd, const void *data, size_t size, const char *path, diag *d);

// --- elf_weights.c: a relocatable ELF file with one read-only section, aligned to a page, whose symbol is
// bertc_weights; written constant by constant, with memory for the largest. *checksum: of the weights.
bool elf_weights_write(int fd, const weights *w, const tensor_source *source, const target *t,
                       const char *path, uint64_t *checksum, diag *d);

// --- checksum.c: writes the checksums into a linked `file`, which becomes `path`.
bool checksum_write(const char *file, uint64_t weights_checksum, const char *path, diag *d);

// --- header.c: a C header with the artefact's sizes and names. `path` gives the prefix.
void header_print(const artefact *a, const char *path, FILE *out);

// --- guard.c: a process that stops the linker and removes `file` where this one ends (is killed) between
// guard_open and guard_close.
typedef struct guard {
    int pid, end; // -1: there is none, as where the system gives no process
} guard;
void guard_open(guard *g, const char *file);
void guard_linker(const guard *g, int group); // the linker's process group
void guard_close(guard *g);                   // all is well: the file is the caller's again

// --- link.c: the system's linker.
typedef struct link_job {
    const char *linker; // NULL: the first one found
    const char *output;
    const char *path; // the output's name in messages
    bool relocatable; // -r: one object file, instead of a shared object
    const target *target;
    int input_count;
    int inputs[4]; // descriptors of object files, in this order
    const guard *guard;
} link_job;
bool link_run(const link_job *j, long *peak_kb, diag *d);

#endif
