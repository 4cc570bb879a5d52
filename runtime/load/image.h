// An artefact's file as bytes: its ELF structure is checked here, before any of it is mapped to run.
//
// Rules: a 64-bit little-endian ELF shared object of this machine; every segment within the file; no other
// library needed; no initialiser or finaliser; no relocation of any kind; no thread-local storage; nothing
// both writable and executable, the stack included.
#ifndef BERTC_IMAGE_H
#define BERTC_IMAGE_H

#include <elf.h>
#include <stdint.h>

#include "runtime/bertc.h"

#define IMAGE_SEGMENTS 16

typedef struct image_segment {
    uint64_t vaddr, offset, file_size, memory_size, align;
    uint32_t flags; // PF_*
} image_segment;

typedef struct image {
    const uint8_t *bytes; // the whole file; not owned
    size_t size;
    int segment_count;
    image_segment segments[IMAGE_SEGMENTS]; // PT_LOAD, ascending by vaddr, not overlapping
    uint64_t descriptor;                    // vaddr of BERTC_SYMBOL
} image;

// Checks `bytes` (any bytes) and fills *im. The caller puts the file's name before the message.
bool image_read(image *im, const void *bytes, size_t size, bertc_error *error);
// The file's bytes behind [vaddr, vaddr + size), or NULL where they do not lie in one segment that has all of
// `flags`, and for a size of 0, which says nothing of what may be read.
const void *image_at(const image *im, uint64_t vaddr, uint64_t size, uint32_t flags);
// Bytes from vaddr to the end of its segment in the file; 0 outside.
uint64_t image_room(const image *im, uint64_t vaddr);

#endif
