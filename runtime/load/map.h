// Maps the segments of a checked artefact to run. dlopen is not used, for three reasons: the file that was
// checked is the file that is mapped, a path can be loaded again after its file was replaced, and a static
// program can load too. An artefact has no relocations, so mapping is all that loading needs.
#ifndef BERTC_MAP_H
#define BERTC_MAP_H

#include "runtime/load/image.h"

typedef struct mapping {
    void *address; // of the lowest page; munmap(address, bytes) undoes it
    size_t bytes;
    uintptr_t bias; // add to a vaddr
} mapping;

bool map_image(mapping *out, const image *im, int fd, bertc_error *error);
// An anonymous, zeroed mapping that starts at a multiple of 2 MB, in large pages where the system gives them.
// `bytes` is rounded up to pages; NULL where there is no memory.
void *map_large(size_t bytes);
void map_free(void *address, size_t bytes);
// Gives the pages of such a mapping back to the system: it is zeros again, and takes memory as it is written.
void map_empty(void *address, size_t bytes);

#endif
