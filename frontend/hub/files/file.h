// Files of frontend/hub: mapped for reading, and written beside their target and renamed, never half there.
#ifndef BERTC_HUB_FILE_H
#define BERTC_HUB_FILE_H

#include "ir/ir.h"

typedef struct hub_file {
    const unsigned char *data;
    size_t size;
} hub_file;

// Maps a regular file, read-only; an empty one has size 0. The caller ends it with hub_file_unmap.
bool hub_file_map(const char *path, hub_file *out, diag *d);
void hub_file_unmap(hub_file *f);

// Is there anything but a folder under that path? A link to nowhere or a pipe counts: somebody meant it to
// be read, so hub_file_map reports it, and it is not treated as missing.
bool hub_is_file(const char *path);
bool hub_is_folder(const char *path);
bool hub_ends_with(const char *s, const char *end);
// `folder`/`name`; `name` alone where the folder is "".
char *hub_path(arena *a, const char *folder, const char *name);
// The path up to its last slash, without it ("." where there is none).
char *hub_path_folder(arena *a, const char *path);
// May a name from an untrusted file be looked up below its folder: relative, no "..", and one component if
// `plain`?
bool hub_name_stays_inside(const char *name, bool plain);

// A file in the making: a regular target is replaced when hub_output_end keeps it; a device is written in
// place.
typedef struct hub_output {
    int fd;
    char *path, *temporary; // temporary: NULL for a device, and for what has no name yet
    bool nameless;
} hub_output;
bool hub_output_begin(hub_output *o, const char *path, diag *d);
bool hub_output_write(hub_output *o, const void *data, size_t size, diag *d);
// Ends it in any case; the target stands afterwards only where `keep` and the result are true.
bool hub_output_end(hub_output *o, bool keep, diag *d);

#endif
