// Output files that are complete or absent. A regular file is written without a name in the target's folder, and gets
// its name when it is complete. So nothing is left behind, however the process ends before. Links are followed. A
// target that is no regular file (a device, a pipe) is written in place. Used by backend/ and frontend/.
#ifndef BERTC_IR_OUTPUT_FILE_H
#define BERTC_IR_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/diag.h"

// A file that is being written. Each function that opens one sets all members. It ends with output_file_keep, _leave
// or _drop; these may also be called if it could not be opened, or has ended.
typedef struct output_file {
    int fd;           // for reading and writing; -1: none
    const char *path; // as given, for messages; borrowed
    char *target;     // the path, with links followed
    char *name;       // the file's name until it is kept; NULL: it has none
    bool in_place;    // the target is no regular file: fd is the target itself, except for a named file
    bool copied;      // the file system can't give a name to a file without one, so the file is copied
    bool moved;       // a partial file that had the target's name before
} output_file;

// Can the target be written? If not, the diagnostic says why. Call it before long work; it opens nothing.
bool output_file_check(const char *path, diag *d);

bool output_file_open(output_file *o, const char *path, diag *d);
// Creates an empty file with a name, for a program that is told where to write. o->name is in the target's folder, or
// in $TMPDIR or /tmp if the target is no regular file; o->fd is -1. The program may replace the file. If this process
// is killed the file stays, so another process must remove it.
bool output_file_open_named(output_file *o, const char *path, diag *d);
// Opens TARGET.partial, which stays if its writer is stopped, so that the next one can continue it. If a file of that
// name exists and `there` is not NULL, that is an error with `there` as its cause. If `there` is NULL, the existing
// file is opened; if there is none, the target itself is moved to that name. The position is the file's start.
bool output_file_open_partial(output_file *o, const char *path, const char *there, diag *d);

bool output_file_write(output_file *o, const void *data, size_t size, diag *d);
// Waits until the bytes are on the disk. For data that would take long to make again.
bool output_file_sync(output_file *o, diag *d);
// The number of bytes written so far. Not for files that are written in place.
bool output_file_size(const output_file *o, int64_t *bytes, diag *d);
// Gives the file the target's name. If that fails, the caller must still leave or drop it.
bool output_file_keep(output_file *o, diag *d);
// Closes a partial file, which keeps its name.
void output_file_leave(output_file *o);
// Removes the file. A partial file that had the target's name before gets it back.
void output_file_drop(output_file *o);

// Opens, writes, perhaps syncs, and keeps a file that holds this text.
bool output_file_text(const char *path, const char *text, size_t size, bool sync, diag *d);

// Opens an empty file without a name on the target's file system, for temporary data. Returns its descriptor, which
// the caller closes; -1 with a diagnostic.
int output_file_scratch(const char *path, diag *d);
// Writes all `size` bytes, in as many calls as needed. `path` is the output's name in messages.
bool output_file_put(int fd, const void *data, size_t size, const char *path, diag *d);

#endif
