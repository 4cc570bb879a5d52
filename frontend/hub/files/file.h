// Files of a checkpoint: mapped for reading, and their names.
#ifndef BERTC_HUB_FILE_H
#define BERTC_HUB_FILE_H

#include <sys/types.h>
#include <time.h>

#include "ir/ir.h"

typedef struct hub_file {
    const unsigned char *data;
    size_t size;
    struct timespec changed;
    dev_t device;
    ino_t number;
} hub_file;

// Maps a regular file, read-only; an empty one has size 0. The caller ends it with hub_file_unmap.
bool hub_file_map(const char *path, hub_file *out, diag *d);
void hub_file_unmap(hub_file *f);
// False, with a diagnostic, where the file at `path` is still the one that was mapped, and was written since:
// what was read of it may be of before and after. (One that took its place harms nobody.)
bool hub_file_unchanged(const hub_file *f, const char *path, diag *d);

// Is there anything but a folder under that path? A link to nowhere or a pipe counts: somebody meant it to
// be read, so hub_file_map reports it, and it is not treated as missing.
bool hub_is_file(const char *path);
bool hub_is_folder(const char *path);
// False, with a diagnostic, where nothing is under that path; of a name that may be one of the hub's, with the command that gets it.
bool hub_is_there(const char *path, diag *d);
// `folder`/`name`; `name` alone where the folder is "".
char *hub_path(arena *a, const char *folder, const char *name);
// The path up to its last slash, without it ("." where there is none).
char *hub_path_folder(arena *a, const char *path);
// May a name from an untrusted file be looked up below its folder: relative, no "..", and one component if
// `plain`?
bool hub_name_stays_inside(const char *name, bool plain);

#endif
