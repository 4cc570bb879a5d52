// The checksums of a linked file (runtime/abi_checksum.h), written into its descriptor. It is the file's
// bytes that are summed, so nothing that a loader does to memory counts. Of a relocatable object the code is
// not final yet: it gets the weights' checksum alone.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "runtime/abi.h"
#include "runtime/abi_checksum.h"

typedef struct linked {
    const uint8_t *bytes; // the whole file
    uint64_t size;
    Elf64_Ehdr header;
    uint64_t descriptor, address; // where it is in the file, and its vaddr
} linked;

static bool inside(const linked *f, uint64_t at, uint64_t bytes) {
    return at <= f->size && bytes <= f->size - at;
}

static bool section_at(const linked *f, unsigned i, Elf64_Shdr *out) {
    uint64_t at = f->header.e_shoff + (uint64_t)i * sizeof(*out);
    if (i >= f->header.e_shnum || !inside(f, at, sizeof(*out))) return false;
    memcpy(out, f->bytes + at, sizeof(*out));
    return out->sh_type == SHT_NOBITS || inside(f, out->sh_offset, out->sh_size);
}

static bool is_descriptor(linked *f, const Elf64_Sym *s, const Elf64_Shdr *names) {
    Elf64_Shdr holder;
    uint64_t room = s->st_name < names->sh_size ? names->sh_size - s->st_name : 0;
    if (room < sizeof(BERTC_SYMBOL) ||
        memcmp(f->bytes + names->sh_offset + s->st_name, BERTC_SYMBOL, sizeof(BERTC_SYMBOL)))
        return false;
    if (s->st_shndx == SHN_UNDEF || !section_at(f, s->st_shndx, &holder)) return false;
    f->address = s->st_value;
    f->descriptor = holder.sh_offset + (s->st_value - holder.sh_addr);
    return inside(f, f->descriptor, sizeof(bertc_descriptor)) &&
           !memcmp(f->bytes + f->descriptor, BERTC_MAGIC, sizeof(BERTC_MAGIC) - 1);
}

static bool find_descriptor(linked *f) {
    Elf64_Shdr table, names;
    if (f->size < sizeof(f->header)) return false;
    memcpy(&f->header, f->bytes, sizeof(f->header));
    for (unsigned i = 0; i < f->header.e_shnum; i++) {
        if (!section_at(f, i, &table)) return false;
        if (table.sh_type != SHT_DYNSYM && table.sh_type != SHT_SYMTAB) continue;
        if (!section_at(f, table.sh_link, &names)) return false;
        for (uint64_t k = 0; k < table.sh_size / sizeof(Elf64_Sym); k++) {
            Elf64_Sym s;
            memcpy(&s, f->bytes + table.sh_offset + k * sizeof(s), sizeof(s));
            if (is_descriptor(f, &s, &names)) return true;
        }
    }
    return false;
}

// Where the weights are in the file.
static bool find_weights(const linked *f, const bertc_descriptor *d, uint64_t *at) {
    uint64_t address = f->address + (uint64_t)d->weights;
    *at = 0;
    if (d->weights_bytes == 0) return true;
    for (unsigned i = 0; i < f->header.e_shnum; i++) {
        Elf64_Shdr s;
        if (!section_at(f, i, &s)) return false;
        if (!(s.sh_flags & SHF_ALLOC) || s.sh_type == SHT_NOBITS || address < s.sh_addr) continue;
        if ((uint64_t)d->weights_bytes > s.sh_size ||
            address - s.sh_addr > s.sh_size - (uint64_t)d->weights_bytes)
            continue;
        *at = s.sh_offset + (address - s.sh_addr);
        return true;
    }
    return false;
}

static bool put(int fd, const linked *f, size_t field, uint64_t checksum) {
    ssize_t n = pwrite(fd, &checksum, sizeof(checksum), (off_t)(f->descriptor + field));
    if (n >= 0 && n != sizeof(checksum)) errno = ENOSPC;
    return n == sizeof(checksum);
}

static bool write_both(int fd, linked *f, uint64_t weights_checksum, const char *path, diag *d) {
    bertc_descriptor descriptor;
    uint64_t weights_at;
    if (!find_descriptor(f))
        return diag_error(d, path, "the linker has left no symbol `" BERTC_SYMBOL "` in it");
    memcpy(&descriptor, f->bytes + f->descriptor, sizeof(descriptor));
    if (!put(fd, f, offsetof(bertc_descriptor, weights_checksum), weights_checksum))
        return diag_error(d, path, "can't be written: %s", strerror(errno));
    if (f->header.e_type != ET_DYN) return true;
    if (!find_weights(f, &descriptor, &weights_at))
        return diag_error(d, path, "the linker has put the weights where the descriptor does not say");
    size_t field = offsetof(bertc_descriptor, checksum);
    uint64_t checksum = bertc_checksum_of_file(f->bytes, f->size, f->descriptor + field, weights_at,
                                               (uint64_t)descriptor.weights_bytes);
    return put(fd, f, field, checksum) || diag_error(d, path, "can't be written: %s", strerror(errno));
}

bool checksum_write(const char *file, uint64_t weights_checksum, const char *path, diag *d) {
    struct stat s;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return diag_error(d, path, "can't be written: %s", strerror(errno));
    bool ok = false;
    void *bytes = fstat(fd, &s) ? MAP_FAILED : mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        diag_error(d, path, "cannot read what was linked: %s", strerror(errno));
    } else {
        linked f = {.bytes = bytes, .size = (uint64_t)s.st_size};
        ok = write_both(fd, &f, weights_checksum, path, d);
        munmap(bytes, (size_t)s.st_size);
    }
    if (close(fd) && ok) ok = diag_error(d, path, "can't be written: %s", strerror(errno));
    return ok;
}
