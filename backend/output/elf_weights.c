// Weights as a relocatable ELF file. It is written by hand, which costs neither LLVM's time nor the memory
// for all weights at once. The empty .note.GNU-stack keeps the linked object's stack not executable. The
// section has a name of its own, so that linkers don't place it among the code's constants: code reaches
// those by 32-bit distances, and the weights by a 64-bit one.
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/output.h"
#include "ir/memory.h"
#include "runtime/abi_checksum.h"

#define PAGE 4096

enum { SECTION_NULL, SECTION_WEIGHTS, SECTION_STACK, SECTION_SYMBOLS, SECTION_STRINGS, SECTION_COUNT };
static const char strings[] = "\0.bertc.weights\0.note.GNU-stack\0.symtab\0.strtab\0" WEIGHTS_SYMBOL;
enum { NAME_WEIGHTS = 1, NAME_STACK = 16, NAME_SYMBOLS = 32, NAME_STRINGS = 40, NAME_SYMBOL = 48 };

static void sections_init(Elf64_Shdr *s, const weights *w) {
    uint64_t at = PAGE;
    memset(s, 0, sizeof(*s) * SECTION_COUNT);
    s[SECTION_WEIGHTS] = (Elf64_Shdr){.sh_name = NAME_WEIGHTS,
                                      .sh_type = SHT_PROGBITS,
                                      .sh_flags = SHF_ALLOC,
                                      .sh_offset = at,
                                      .sh_size = (uint64_t)w->bytes,
                                      .sh_addralign = PAGE};
    at += (uint64_t)(w->bytes + 7) / 8 * 8;
    s[SECTION_STACK] =
        (Elf64_Shdr){.sh_name = NAME_STACK, .sh_type = SHT_PROGBITS, .sh_offset = at, .sh_addralign = 1};
    s[SECTION_SYMBOLS] = (Elf64_Shdr){.sh_name = NAME_SYMBOLS,
                                      .sh_type = SHT_SYMTAB,
                                      .sh_offset = at,
                                      .sh_size = 2 * sizeof(Elf64_Sym),
                                      .sh_link = SECTION_STRINGS,
                                      .sh_info = 1,
                                      .sh_addralign = 8,
                                      .sh_entsize = sizeof(Elf64_Sym)};
    at += 2 * sizeof(Elf64_Sym);
    s[SECTION_STRINGS] = (Elf64_Shdr){.sh_name = NAME_STRINGS,
                                      .sh_type = SHT_STRTAB,
                                      .sh_offset = at,
                                      .sh_size = sizeof(strings),
                                      .sh_addralign = 1};
}

static Elf64_Ehdr file_header(const target *t, uint64_t sections_at) {
    Elf64_Ehdr h = {.e_type = ET_REL,
                    .e_machine = strncmp(t->triple, "aarch64", 7) == 0 ? EM_AARCH64 : EM_X86_64,
                    .e_version = EV_CURRENT,
                    .e_shoff = sections_at,
                    .e_ehsize = sizeof(h),
                    .e_shentsize = sizeof(Elf64_Shdr),
                    .e_shnum = SECTION_COUNT,
                    .e_shstrndx = SECTION_STRINGS};
    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    return h;
}

typedef struct stream {
    int fd;
    const char *path;
    diag *diag;
    bertc_checksum *sum; // of what is written, where not NULL
} stream;

static bool put_bytes(stream *s, const void *data, size_t size) {
    if (s->sum) bertc_checksum_add(s->sum, data, size);
    return output_file_put(s->fd, data, size, s->path, s->diag);
}

static bool put_zeros(stream *s, int64_t n) {
    static const char zeros[PAGE];
    for (; n > 0; n -= PAGE) {
        if (!put_bytes(s, zeros, n < PAGE ? (size_t)n : PAGE)) return false;
    }
    return true;
}

static bool put_weights(stream *s, weights *w, const tensor_source *source, uint64_t *checksum) {
    bertc_checksum sum = bertc_checksum_begin();
    void *buffer = memory_alloc((size_t)w->largest, 1);
    if (!buffer)
        return diag_error(s->diag, s->path, "out of memory: %lld bytes for a constant",
                          (long long)w->largest);
    int64_t at = 0;
    bool ok = true;
    s->sum = &sum;
    for (int i = 0; ok && i < w->count; i++) {
        const weight *item = &w->items[i];
        ok = put_zeros(s, item->at - at) && weights_fill(w, i, source, buffer, s->diag) &&
             put_bytes(s, buffer, (size_t)item->bytes);
        at = item->at + item->bytes;
    }
    free(buffer);
    ok = ok && put_zeros(s, w->bytes - at);
    s->sum = NULL;
    *checksum = bertc_checksum_stored(bertc_checksum_end(&sum));
    return ok;
}

bool elf_weights_write(int fd, weights *w, const tensor_source *source, const target *t, const char *path,
                       uint64_t *checksum, diag *d) {
    stream s = {fd, path, d, NULL};
    Elf64_Shdr sections[SECTION_COUNT];
    sections_init(sections, w);
    uint64_t strings_end = sections[SECTION_STRINGS].sh_offset + sizeof(strings),
             sections_at = (strings_end + 7) / 8 * 8;
    Elf64_Ehdr h = file_header(t, sections_at);
    Elf64_Sym symbols[2] = {{0},
                            {.st_name = NAME_SYMBOL,
                             .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                             .st_other = STV_HIDDEN,
                             .st_shndx = SECTION_WEIGHTS,
                             .st_size = (uint64_t)w->bytes}};
    return put_bytes(&s, &h, sizeof(h)) && put_zeros(&s, PAGE - (int64_t)sizeof(h)) &&
           put_weights(&s, w, source, checksum) && put_zeros(&s, (w->bytes + 7) / 8 * 8 - w->bytes) &&
           put_bytes(&s, symbols, sizeof(symbols)) && put_bytes(&s, strings, sizeof(strings)) &&
           put_zeros(&s, (int64_t)(sections_at - strings_end)) && put_bytes(&s, sections, sizeof(sections));
}
