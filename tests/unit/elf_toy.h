// A small ELF shared object, byte by byte, around a toy descriptor (toy.h): what the loader's checks are
// tried on.
//
// 0x0000 header, program headers, tables (R)   0x1000 code (RX)   0x2000 descriptor and weights (R)
#ifndef ELF_TOY_H
#define ELF_TOY_H

#include <elf.h>

#include "toy.h"

enum {
    ELF_HASH = 0x300,
    ELF_SYMBOLS = 0x400,
    ELF_STRINGS = 0x500,
    ELF_DYNAMIC = 0x600,
    ELF_CODE = 0x1000,
    ELF_DATA = 0x2000
};
enum { ELF_HEADERS = 5, ELF_DYNAMICS = 6 };

static inline Elf64_Phdr elf_segment(uint32_t type, uint32_t flags, uint64_t at, uint64_t size,
                                     uint64_t align) {
    return (Elf64_Phdr){.p_type = type,
                        .p_flags = flags,
                        .p_offset = at,
                        .p_vaddr = at,
                        .p_paddr = at,
                        .p_filesz = size,
                        .p_memsz = size,
                        .p_align = align};
}

// The whole file; free(blob.data).
static inline blob elf_toy(toy_options o) {
    blob b = blob_new(1 << 16), data = blob_new(1 << 15);
    for (int i = 0; i < TOY_PHASES; i++) o.kernels[i] = ELF_CODE + 16 * i - ELF_DATA;
    toy_build(&data, &o);
    b.size = ELF_DATA + data.size;
    memcpy(b.data + ELF_DATA, data.data, data.size);
#if defined(__aarch64__)
    const uint32_t code = 0xd65f03c0; // ret
    const uint16_t machine = EM_AARCH64;
#else
    const uint32_t code = 0xc3;
    const uint16_t machine = EM_X86_64;
#endif
    for (int i = 0; i < TOY_PHASES; i++) memcpy(b.data + ELF_CODE + 16 * i, &code, sizeof code);
    Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                    .e_type = ET_DYN,
                    .e_machine = machine,
                    .e_version = EV_CURRENT,
                    .e_phoff = sizeof h,
                    .e_ehsize = sizeof h,
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = ELF_HEADERS};
    const Elf64_Phdr p[ELF_HEADERS] = {
        elf_segment(PT_LOAD, PF_R, 0, 0x700, 0x1000),
        elf_segment(PT_LOAD, PF_R | PF_X, ELF_CODE, 0x100, 0x1000),
        elf_segment(PT_LOAD, PF_R, ELF_DATA, data.size, 0x1000),
        elf_segment(PT_DYNAMIC, PF_R, ELF_DYNAMIC, ELF_DYNAMICS * sizeof(Elf64_Dyn), 8),
        elf_segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 16)};
    const char strings[] = "\0" BERTC_SYMBOL;
    const Elf64_Sym symbols[2] = {{0},
                                  {.st_name = 1,
                                   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
                                   .st_shndx = 1,
                                   .st_value = ELF_DATA,
                                   .st_size = sizeof(bertc_descriptor)}};
    const uint32_t hash[] = {1, 2, 1, 0, 0};
    const Elf64_Dyn dynamic[ELF_DYNAMICS] = {
        {DT_HASH, {ELF_HASH}},        {DT_SYMTAB, {ELF_SYMBOLS}},       {DT_STRTAB, {ELF_STRINGS}},
        {DT_STRSZ, {sizeof strings}}, {DT_SYMENT, {sizeof(Elf64_Sym)}}, {DT_NULL, {0}}};
    memcpy(b.data, &h, sizeof h);
    memcpy(b.data + sizeof h, p, sizeof p);
    memcpy(b.data + ELF_HASH, hash, sizeof hash);
    memcpy(b.data + ELF_SYMBOLS, symbols, sizeof symbols);
    memcpy(b.data + ELF_STRINGS, strings, sizeof strings);
    memcpy(b.data + ELF_DYNAMIC, dynamic, sizeof dynamic);
    free(data.data);
    return b;
}

#endif
