// Mappings: an artefact's segments, and large anonymous memory.
//
// The weights' addresses are congruent to their places in the file modulo 2 MB, and they are mapped with
// MADV_HUGEPAGE. If the page cache holds the file in pieces of 2 MB, the system then maps it by pages of
// that size (seen on Linux 6.18 with ext4; older systems give small pages), and it reads the rest of the
// file in such pieces. So BERT-base has 200 page faults instead of 5,000. A prefetch of a page without a
// mapping is lost: the first call takes 2 to 5 ms longer than the later ones, instead of 33.
#include "runtime/load/map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/memory.h"

#define LARGE_PAGE ((size_t)2 << 20)

static uint64_t page_size(void) {
    return (uint64_t)sysconf(_SC_PAGESIZE);
}
// Reserves `bytes`, without access, at an address that is `phase` more than a multiple of `align` (both of
// them multiples of a page, `align` a power of two).
static void *reserve_addresses(size_t bytes, size_t align, size_t phase) {
    size_t page = (size_t)page_size(), more = align > page ? align - page : 0;
    char *p = heap_reserve(bytes + more);
    if (!p) return NULL;
    size_t before = (size_t)((phase - (uintptr_t)p) & (align - 1));
    if (before) munmap(p, before);
    if (more - before) munmap(p + before + bytes, more - before);
    return p + before;
}

static int protection(uint32_t flags) {
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

// Pages of a segment: the file's, then anonymous ones for what only memory has (zero as .bss is).
static bool map_segment(const image_segment *s, uintptr_t bias, int fd, bertc_error *error) {
    uint64_t page = page_size(), start = s->vaddr / page * page, shift = s->vaddr - start;
    uint64_t file_end = heap_round_up(s->vaddr + s->file_size, page),
             end = heap_round_up(s->vaddr + s->memory_size, page);
    if (s->file_size == 0) file_end = start;
    int access = protection(s->flags);
    if (file_end > start && mmap((void *)(bias + start), file_end - start, access, MAP_PRIVATE | MAP_FIXED,
                                 fd, (off_t)(s->offset - shift)) == MAP_FAILED) {
        if (errno == EPERM && (s->flags & PF_X))
            return error_set(error, "its code can't be mapped: the file system is mounted noexec");
        return error_set(error, "can't map it: %s", strerror(errno));
    }
    if (s->file_size >= LARGE_PAGE) madvise((void *)(bias + start), file_end - start, MADV_HUGEPAGE);
    if (s->memory_size > s->file_size && (s->flags & PF_W) && s->file_size)
        memset((void *)(bias + s->vaddr + s->file_size), 0, file_end - (s->vaddr + s->file_size));
    if (end > file_end && mprotect((void *)(bias + file_end), end - file_end, access) != 0)
        return error_set(error, "can't map it: %s", strerror(errno));
    return true;
}

bool map_image(mapping *out, const image *im, int fd, bertc_error *error) {
    uint64_t page = page_size(), align = page, next = 0;
    const image_segment *first = &im->segments[0], *last = &im->segments[im->segment_count - 1];
    const image_segment *largest = first;
    for (int i = 0; i < im->segment_count; i++) {
        const image_segment *s = &im->segments[i];
        if ((s->vaddr - s->offset) % page || (i && s->vaddr / page * page < next))
            return error_set(error, "linked for smaller pages than this machine's of %llu bytes",
                             (unsigned long long)page);
        next = heap_round_up(s->vaddr + s->memory_size, page);
        if (s->align > align) align = s->align;
        if (s->file_size > largest->file_size) largest = s;
    }
    if (align > LARGE_PAGE) align = LARGE_PAGE;
    uint64_t shift = 0; // of every vaddr, modulo `align`
    if (largest->file_size >= LARGE_PAGE) {
        shift = (largest->offset - largest->vaddr) % LARGE_PAGE;
        if (shift % align) shift = 0;
        align = LARGE_PAGE;
    }
    uint64_t start = first->vaddr / page * page,
             bytes = heap_round_up(last->vaddr + last->memory_size, page) - start;
    if (bytes > (uint64_t)1 << 46)
        return error_set(error, "broken segments: %llu bytes of memory", (unsigned long long)bytes);
    char *base = reserve_addresses((size_t)bytes, (size_t)align, (size_t)((start + shift) % align));
    if (!base)
        return error_set(error, "can't map %llu bytes: %s", (unsigned long long)bytes, strerror(errno));
    *out = (mapping){.address = base, .bytes = (size_t)bytes, .bias = (uintptr_t)base - (uintptr_t)start};
    for (int i = 0; i < im->segment_count; i++)
        if (!map_segment(&im->segments[i], out->bias, fd, error)) {
            munmap(base, (size_t)bytes);
            return false;
        }
    return true;
}

void *map_large(size_t bytes) {
    bytes = heap_round_up(bytes ? bytes : 1, page_size());
    void *p = reserve_addresses(bytes, LARGE_PAGE, 0);
    if (!p) return NULL;
    if (mprotect(p, bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(p, bytes);
        return NULL;
    }
    madvise(p, bytes, MADV_HUGEPAGE); // a wish: small pages do as well
    return p;
}

void map_free(void *address, size_t bytes) {
    if (address) munmap(address, heap_round_up(bytes ? bytes : 1, page_size()));
}

void map_empty(void *address, size_t bytes) {
    if (address) madvise(address, heap_round_up(bytes ? bytes : 1, page_size()), MADV_DONTNEED);
}
