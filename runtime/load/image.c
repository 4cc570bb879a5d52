// The checks of an artefact's ELF structure. No number is used before it has been compared with the file's
// size.
#include "runtime/load/image.h"

#include <string.h>

#include "runtime/abi.h"
#include "runtime/error.h"

// Offsets and addresses beyond this are refused, so that sums of two cannot wrap.
#define LIMIT ((uint64_t)1 << 56)

static uint16_t own_machine(void) {
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#else
    return EM_NONE;
#endif
}

static const char *machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "AArch64";
    case EM_386: return "32-bit x86";
    case EM_ARM: return "32-bit Arm";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "PowerPC 64";
    default: return "another machine";
    }
}

const void *image_at(const image *im, uint64_t vaddr, uint64_t size, uint32_t flags) {
    if (size == 0) return NULL; // where one segment ends and another begins it would be in both
    for (int i = 0; i < im->segment_count; i++) {
        const image_segment *s = &im->segments[i];
        if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_size) continue;
        if (size > s->file_size - (vaddr - s->vaddr) || (s->flags & flags) != flags) continue;
        return im->bytes + s->offset + (vaddr - s->vaddr);
    }
    return NULL;
}

uint64_t image_room(const image *im, uint64_t vaddr) {
    for (int i = 0; i < im->segment_count; i++) {
        const image_segment *s = &im->segments[i];
        if (vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size) return s->file_size - (vaddr - s->vaddr);
    }
    return 0;
}

static bool check_header(const image *im, Elf64_Ehdr *h, bertc_error *error) {
    if (im->size < sizeof *h || memcmp(im->bytes, ELFMAG, SELFMAG) != 0)
        return error_set(error, "not a bertc artefact: no ELF file");
    memcpy(h, im->bytes, sizeof *h);
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return error_set(error, "not a bertc artefact: no 64-bit little-endian ELF file");
    if (h->e_machine != own_machine())
        return error_set(error, "compiled for %s, this machine is %s", machine_name(h->e_machine),
                         machine_name(own_machine()));
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_version != EV_CURRENT)
        return error_set(error, "ELF version %u is not known", h->e_version);
    if (h->e_type == ET_REL) return error_set(error, "an object file: link it into a shared object first");
    if (h->e_type != ET_DYN) return error_set(error, "not a bertc artefact: no shared object");
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > 64)
        return error_set(error, "broken ELF header: %u program headers of %u bytes", h->e_phnum,
                         h->e_phentsize);
    if (h->e_phoff > im->size || (uint64_t)h->e_phnum * sizeof(Elf64_Phdr) > im->size - h->e_phoff)
        return error_set(error, "truncated: the program headers lie beyond the end of the file");
    return true;
}

static bool add_segment(image *im, const Elf64_Phdr *p, bertc_error *error) {
    if (p->p_offset > LIMIT || p->p_filesz > LIMIT || p->p_offset + p->p_filesz > im->size)
        return error_set(error, "truncated: a segment ends at byte %llu, the file has %zu",
                         (unsigned long long)(p->p_offset + p->p_filesz), im->size);
    if (p->p_vaddr > LIMIT || p->p_memsz > LIMIT || p->p_memsz < p->p_filesz)
        return error_set(error, "broken segment: %llu bytes in the file, %llu in memory",
                         (unsigned long long)p->p_filesz, (unsigned long long)p->p_memsz);
    uint64_t align = p->p_align ? p->p_align : 1;
    if (align & (align - 1) || align > (uint64_t)1 << 30 || (p->p_vaddr - p->p_offset) % align)
        return error_set(error, "broken segment: misaligned in the file");
    if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
        return error_set(error, "a segment is both writable and executable");
    if (p->p_memsz == 0) return true;
    if (im->segment_count == IMAGE_SEGMENTS) return error_set(error, "more than %d segments", IMAGE_SEGMENTS);
    if (im->segment_count) {
        const image_segment *last = &im->segments[im->segment_count - 1];
        if (p->p_vaddr < last->vaddr + last->memory_size)
            return error_set(error, "broken segments: unordered or overlapping");
    }
    im->segments[im->segment_count++] = (image_segment){.vaddr = p->p_vaddr,
                                                        .offset = p->p_offset,
                                                        .file_size = p->p_filesz,
                                                        .memory_size = p->p_memsz,
                                                        .align = align,
                                                        .flags = p->p_flags};
    return true;
}

static bool read_segments(image *im, const Elf64_Ehdr *h, Elf64_Phdr *dynamic, bertc_error *error) {
    bool found = false;
    for (int i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        memcpy(&p, im->bytes + h->e_phoff + (size_t)i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD && !add_segment(im, &p, error)) return false;
        if (p.p_type == PT_TLS) return error_set(error, "not a bertc artefact: it has thread-local storage");
        if (p.p_type == PT_INTERP) return error_set(error, "not a bertc artefact: a program");
        if (p.p_type == PT_GNU_STACK && (p.p_flags & PF_X))
            return error_set(error, "it asks for an executable stack");
        if (p.p_type == PT_DYNAMIC) {
            *dynamic = p;
            found = true;
        }
    }
    if (!found || im->segment_count == 0) return error_set(error, "not a bertc artefact: no dynamic section");
    return true;
}

typedef struct dynamic {
    uint64_t symbols, strings, strings_size, symbol_size, hash, gnu_hash;
} dynamic;

// What a dynamic section must not have: another library, code that runs at loading, relocations.
static const char *forbidden(int64_t tag, uint64_t value) {
    switch (tag) {
    case DT_NEEDED: return "it needs another library";
    case DT_INIT:
    case DT_INIT_ARRAY:
    case DT_PREINIT_ARRAY: return value ? "it has an initialiser" : NULL;
    case DT_FINI:
    case DT_FINI_ARRAY: return value ? "it has a finaliser" : NULL;
    case DT_TEXTREL: return "it has relocations in its code";
    case DT_RELASZ:
    case DT_RELSZ:
    case DT_RELRSZ:
    case DT_PLTRELSZ: return value ? "it has relocations" : NULL;
    case DT_FLAGS: return value & DF_TEXTREL ? "it has relocations in its code" : NULL;
    case DT_AUDIT:
    case DT_DEPAUDIT:
    case DT_FILTER:
    case DT_AUXILIARY: return "it asks for another library";
    default: return NULL;
    }
}

static bool read_dynamic(const image *im, const Elf64_Phdr *p, dynamic *out, bertc_error *error) {
    const uint8_t *at = image_at(im, p->p_vaddr, p->p_filesz, 0);
    if (!at || p->p_filesz > im->size)
        return error_set(error, "truncated: the dynamic section lies outside of the file");
    for (uint64_t i = 0; i < p->p_filesz / sizeof(Elf64_Dyn); i++) {
        Elf64_Dyn d;
        memcpy(&d, at + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NULL) break;
        const char *why = forbidden(d.d_tag, d.d_un.d_val);
        if (why) return error_set(error, "not a bertc artefact: %s", why);
        switch (d.d_tag) {
        case DT_SYMTAB: out->symbols = d.d_un.d_ptr; break;
        case DT_STRTAB: out->strings = d.d_un.d_ptr; break;
        case DT_STRSZ: out->strings_size = d.d_un.d_val; break;
        case DT_SYMENT: out->symbol_size = d.d_un.d_val; break;
        case DT_HASH: out->hash = d.d_un.d_ptr; break;
        case DT_GNU_HASH: out->gnu_hash = d.d_un.d_ptr; break;
        default: break;
        }
    }
    if (!out->symbols || !out->strings || out->symbol_size != sizeof(Elf64_Sym) ||
        (!out->hash && !out->gnu_hash))
        return error_set(error, "not a bertc artefact: no symbol table");
    return true;
}

static bool word_at(const image *im, uint64_t vaddr, uint32_t *out) {
    const void *p = vaddr <= 2 * LIMIT ? image_at(im, vaddr, sizeof *out, 0) : NULL;
    if (p) memcpy(out, p, sizeof *out);
    return p != NULL;
}

// Symbols in .dynsym, which ELF says only through its hash tables; 0 where they are broken.
static uint64_t symbol_count(const image *im, const dynamic *d) {
    uint32_t w[4], count = 0;
    if (d->hash) return word_at(im, d->hash + 4, &count) ? count : 0; // nchain
    for (int i = 0; i < 4; i++)
        if (!word_at(im, d->gnu_hash + 4 * (uint64_t)i, &w[i])) return 0;
    uint64_t buckets = d->gnu_hash + 16 + 8 * (uint64_t)w[2], chains = buckets + 4 * (uint64_t)w[0];
    uint32_t last = 0, chain;
    for (uint32_t i = 0; i < w[0]; i++) {
        uint32_t first;
        if (!word_at(im, buckets + 4 * (uint64_t)i, &first)) return 0;
        if (first > last) last = first;
    }
    if (last < w[1]) return w[1];
    do {
        if (!word_at(im, chains + 4 * (uint64_t)(last - w[1]), &chain)) return 0;
        last++;
    } while (!(chain & 1) && last);
    return last;
}

static bool find_descriptor(image *im, const dynamic *d, bertc_error *error) {
    uint64_t count = symbol_count(im, d);
    const char *strings = image_at(im, d->strings, d->strings_size, 0);
    const uint8_t *symbols = image_at(im, d->symbols, count * sizeof(Elf64_Sym), 0);
    if (!count || !strings || !symbols)
        return error_set(error, "broken symbol table: it lies outside of the file");
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Sym s;
        memcpy(&s, symbols + i * sizeof s, sizeof s);
        if (s.st_name >= d->strings_size || d->strings_size - s.st_name < sizeof BERTC_SYMBOL) continue;
        if (memcmp(strings + s.st_name, BERTC_SYMBOL, sizeof BERTC_SYMBOL) != 0) continue;
        if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) == STT_TLS) continue;
        if (s.st_value % 8 || !image_at(im, s.st_value, BERTC_DESCRIPTOR_LEAST, 0))
            return error_set(error, "truncated: `" BERTC_SYMBOL "` lies outside of the file");
        im->descriptor = s.st_value;
        return true;
    }
    return error_set(error, "not a bertc artefact: no symbol `" BERTC_SYMBOL "`");
}

bool image_read(image *im, const void *bytes, size_t size, bertc_error *error) {
    *im = (image){.bytes = bytes, .size = size};
    Elf64_Ehdr header;
    Elf64_Phdr dynamic_header = {0};
    dynamic d = {0};
    return check_header(im, &header, error) && read_segments(im, &header, &dynamic_header, error) &&
           read_dynamic(im, &dynamic_header, &d, error) && find_descriptor(im, &d, error);
}
