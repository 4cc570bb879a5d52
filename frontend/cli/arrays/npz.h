// numpy's files of several arrays: a zip file with an entry NAME.npy for each, stored as numpy.savez does. Written array by array or
// all of them side by side, row by row; read where the file is mapped.
#ifndef BERTC_CLI_NPZ_H
#define BERTC_CLI_NPZ_H

#include "frontend/cli/arrays/npy.h"
#include "frontend/hub/files/zip.h"
#include "ir/output_file.h"

// --- Writing

enum { NPZ_ARRAYS = 8 };

typedef struct npz_array {
    const char *name, *descr; // borrowed; "<f4", "<i8", "|S3"
    int rank;                 // the shape is the caller's to set before npz_end
    int64_t shape[NPY_RANK];
    FILE *rows;             // what was appended, in a file without a name
    uint32_t crc;           // the rest is npz_end's: of header and elements
    uint64_t bytes, offset; // of both; of the local header
} npz_array;

// Begun with npz_begin, then npz_add for each array, npz_append; it ends with npz_end, which makes the file, or npz_drop, after which
// nothing is left. npz_drop may follow npz_end.
typedef struct npz_writer {
    const char *path; // borrowed
    int count;
    npz_array arrays[NPZ_ARRAYS];
} npz_writer;

void npz_begin(npz_writer *w, const char *path);
// The array to set the shape of; NULL with a diagnostic. What is appended goes to the disk of `path`, not to memory.
npz_array *npz_add(npz_writer *w, const char *name, const char *descr, diag *d);
bool npz_append(npz_writer *w, npz_array *a, const void *data, size_t bytes, diag *d);
// Writes the file beside its target, and renames it. Elements begin at multiples of 64 bytes, so they can be read where they are mapped.
bool npz_end(npz_writer *w, diag *d);
void npz_drop(npz_writer *w);

// --- Reading

typedef struct npz_file {
    hub_file file;
    arena *arena;
    zip_index index;
} npz_file;

// Maps a file; npz_close ends it in both cases.
bool npz_open(npz_file *z, const char *path, diag *d);
void npz_close(npz_file *z);
bool npz_has(const npz_file *z, const char *name);
// The array of that name, in the mapped file; false with a diagnostic where it is missing, or is none.
bool npz_read(const npz_file *z, const char *name, npy_array *out, diag *d);

#endif
