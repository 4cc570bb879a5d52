// Output files that are whole or absent. What takes the place of a regular file, or becomes one, is written as
// a file without a name in the target's folder and gets the name when it is whole; so nothing is left, however
// the process ends before. Links are followed. What is no regular file (a device, a pipe) is written where it
// stands. Used by backend/ and frontend/.
#ifndef BERTC_IR_OUTPUT_FILE_H
#define BERTC_IR_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/diag.h"

// A file in the making. Each function that opens one sets all of it; it ends with output_file_keep, _leave or
// _drop, which may be called of one that could not be opened, too, and of one that has ended.
typedef struct output_file {
    int fd;           // read and written; -1: there is none
    const char *path; // borrowed: as given, for messages
    char *target;     // the path, links followed
    char *name;       // that the file has until it is kept; NULL: it has none
    bool in_place;    // the target is no regular file: fd is the target itself, but for a named file
    bool copied;      // the file system makes no file without a name that could get one: it is copied then
    bool moved;       // a partial file that stood under the target's name before
} output_file;

// Can the target be written? For use before long work; says why not. Nothing is opened.
bool output_file_check(const char *path, diag *d);

bool output_file_open(output_file *o, const char *path, diag *d);
// A file with a name (o->name, in the target's folder, or in $TMPDIR or /tmp where the target is no regular
// file), for a program that is told where to write; o->fd is -1. It is there, and empty; the program may
// replace it. Where this process is killed it is left: somebody must look after it.
bool output_file_open_named(output_file *o, const char *path, diag *d);
// A file that stays when its writer is stopped, for the next one to go on with: TARGET.partial. `there`: why
// a file that has that name already is not to be written; NULL: that one is opened, or else the target
// itself, moved to that name. The file's position is its start.
bool output_file_open_partial(output_file *o, const char *path, const char *there, diag *d);

bool output_file_write(output_file *o, const void *data, size_t size, diag *d);
// Waits until the bytes are on the disk: for what could not be made again at once.
bool output_file_sync(output_file *o, diag *d);
// Bytes so far, of what is not written in place.
bool output_file_size(const output_file *o, int64_t *bytes, diag *d);
// The file becomes the target. Where that fails it is still to be left or dropped.
bool output_file_keep(output_file *o, diag *d);
// Closes a partial file, which stays under its name.
void output_file_leave(output_file *o);
// Removes the file; a partial one that stood under the target's name gets that again.
void output_file_drop(output_file *o);

// Text that is whole: opened, written, perhaps synced, and kept.
bool output_file_text(const char *path, const char *text, size_t size, bool sync, diag *d);

// An empty file without a name, on the target's file system, for data on the way to it: its descriptor, which
// the caller closes; -1 with a diagnostic.
int output_file_scratch(const char *path, diag *d);
// Writes all of it, in as many calls as it takes. `path` is the output's name in messages.
bool output_file_put(int fd, const void *data, size_t size, const char *path, diag *d);

#endif
