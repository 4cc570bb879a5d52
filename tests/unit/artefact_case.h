// A small model, artefacts made of it, and what their files must be: an ELF reader of the tests' own.
// test_artefact.c uses it.
#ifndef BERTC_TESTS_ARTEFACT_CASE_H
#define BERTC_TESTS_ARTEFACT_CASE_H

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/backend.h"
#include "file.h"
#include "passes/passes.h"
#include "runtime/bertc.h"

#define WIDTH 40
#define VOCAB 11

// --- A model: y = table[ids] + bias, in two variants

typedef struct model {
    arena *arena;
    diag diag;
    target target;
    float *table, bias[WIDTH];
    int64_t vocab;
    const char *missing; // a tensor that the source denies
    tensor_source source;
    artefact a;
    char folder[64];
} model;

static inline bool find_tensor(void *context, const char *name, tensor_view *out) {
    model *m = context;
    if (m->missing && strcmp(name, m->missing) == 0) return false;
    bool table = strcmp(name, "table") == 0;
    *out =
        (tensor_view){ELEM_F32, table ? 2 : 1, {table ? m->vocab : WIDTH, WIDTH}, table ? m->table : m->bias};
    return true;
}

static inline graph *make_graph(model *m) {
    graph *g = graph_new(m->arena, "small");
    dim t = dim_sym(SYM_T), bounds = {SYM_S, 1};
    value ids = graph_input(g, "ids", type_make(ELEM_I32, 1, &t));
    graph_input(g, "bounds", type_make(ELEM_I32, 1, &bounds));
    value table = graph_constant_recipe(
        g, "table", recipe_tensor(m->arena, "table", ELEM_F32, 2, (int64_t[]){m->vocab, WIDTH}));
    value bias =
        graph_constant_recipe(g, "bias", recipe_tensor(m->arena, "bias", ELEM_F32, 1, (int64_t[]){WIDTH}));
    value rows = graph_op2(g, OP_gather, table, ids);
    value sum = graph_op2(g, OP_add, rows, bias);
    value again = graph_op2(g, OP_add, sum, bias);
    graph_name(g, sum, "sum");
    graph_output_add(g, "last_hidden_state", again);
    return g;
}

static inline void model_open_for(model *m, int64_t vocab, const char *triple, const char *mcpu) {
    *m = (model){.arena = arena_new(), .vocab = vocab};
    diag_init(&m->diag);
    ck_assert(target_init(&m->target, triple, mcpu, PRECISION_F32, &m->diag));
    size_t bytes = (size_t)vocab * WIDTH * sizeof(float);
    m->table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert(m->table != MAP_FAILED);
    for (int i = 0; i < VOCAB * WIDTH; i++) m->table[i] = (float)i;
    for (int i = 0; i < WIDTH; i++) m->bias[i] = 0.25f * (float)i;
    m->source = (tensor_source){m, find_tensor};
    graph *g = make_graph(m);
    pass_context c = {.target = &m->target, .source = &m->source, .diag = &m->diag, .verify = true};
    bool ok = passes_run(g, "pack_weights", &c) && passes_add_variant(g, 16, 1, &c) == 0 &&
              passes_add_variant(g, 4, 2, &c) == 1;
    diag_print(&m->diag, stderr);
    ck_assert(ok);
    m->a = (artefact){.module = module_alone(m->arena, g),
                      .targets = &m->target,
                      .target_count = 1,
                      .source = &m->source,
                      .json = "{\"name\": \"small\"}",
                      .tokenizer = "tokens",
                      .tokenizer_bytes = 7,
                      .vocab_size = vocab,
                      .type_vocab_size = 2,
                      .position_count = 16};
    strcpy(m->folder, "/tmp/bertc-artefact-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(m->folder));
}

static inline void model_open(model *m) {
    model_open_for(m, VOCAB, NULL, "native");
}

static inline int files_in(const char *folder) {
    DIR *dir = opendir(folder);
    int n = -2;
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static inline void model_close(model *m) {
    munmap(m->table, (size_t)m->vocab * WIDTH * sizeof(float));
    diag_free(&m->diag);
    ck_assert_int_eq(rmdir(m->folder), 0); // nothing was left in it
    arena_free(m->arena);
}

static inline const char *in_folder(model *m, const char *name) {
    return arena_printf(m->arena, "%s/%s", m->folder, name);
}

static inline bool write_as(model *m, emit_kind kind, const char *path, const char *linker,
                            backend_times *times) {
    emit_options o = {.kind = kind, .output = path, .linker = linker, .optimise = 2};
    return backend_write(&m->a, &o, times, &m->diag);
}

static inline char *read_file(model *m, const char *path, size_t *size) {
    char *text = file_text(path, size), *kept = arena_dup(m->arena, text, *size + 1);
    free(text);
    return kept;
}

// --- What a descriptor says, and running it

static inline const void *at(const void *base, bertc_off offset) {
    ck_assert_int_ne(offset, 0);
    return (const char *)base + offset;
}

static inline void check_descriptor(const model *m, const bertc_descriptor *d) {
    ck_assert_mem_eq(d->magic, BERTC_MAGIC, 8);
    ck_assert_uint_eq(d->abi_version, BERTC_ABI_VERSION);
    ck_assert_uint_eq(d->size, sizeof(*d));
    ck_assert_int_eq(d->vocab_size, m->vocab);
    ck_assert_uint_eq(d->input_count, 2);
    ck_assert_uint_eq(d->output_count, 1);
    ck_assert_uint_eq(d->variant_count, 2);
    ck_assert_str_eq(at(d, d->json), m->a.json);
    ck_assert_int_eq(d->json_bytes, (int64_t)strlen(m->a.json) + 1);
    ck_assert_mem_eq(at(d, d->tokenizer), "tokens", 7);
    ck_assert_int_eq(d->tokenizer_bytes, 7);
    ck_assert_int_eq(d->task, 0);
    const bertc_port *in = at(d, d->inputs), *out = at(d, d->outputs);
    ck_assert_str_eq(at(d, in[0].name), "ids");
    ck_assert_str_eq(at(d, in[1].name), "bounds");
    ck_assert_str_eq(at(d, out[0].name), "last_hidden_state");
    ck_assert_uint_eq(in[1].leading, BERTC_S);
    ck_assert_uint_eq(out[0].leading, BERTC_T);
    ck_assert_uint_eq(out[0].rank, 1);
    ck_assert_int_eq(out[0].shape[0], WIDTH);
    const bertc_variant *v = at(d, d->variants);
    ck_assert_int_eq(v[0].tokens, 8); // ascending
    ck_assert_int_eq(v[1].tokens, 16);
    ck_assert_int_eq(v[0].length, 4);
    ck_assert_uint_eq(v[0].features, m->target.feature_bits);
    for (int class = 0; class < BERTC_THREAD_CLASSES; class ++) {
        const bertc_phase *p = at(d, v[0].phases[class]);
        ck_assert_uint_eq(v[0].phase_count[class], 3);
        ck_assert_str_eq(at(d, p[1].name), "sum");
        ck_assert_int_eq(p[0].weight_bytes, 0); // a table that rows are gathered from
        ck_assert_int_eq(p[1].weight_bytes, 4 * WIDTH);
    }
    // Equal nodes share code.
    const bertc_phase *p = at(d, v[0].phases[0]);
    ck_assert_ptr_eq(at(d, p[1].kernel), at(d, p[2].kernel));
    ck_assert_ptr_ne(at(d, p[0].kernel), at(d, p[1].kernel));
}

static inline void run_phase(const bertc_descriptor *d, const bertc_phase *p, const bertc_call *call,
                             const char *weights, char *memory, void *scratch) {
    const bertc_arg *args = at(d, p->args);
    void *addresses[8];
    for (uint32_t i = 0; i < p->arg_count; i++)
        addresses[i] =
            (args[i].kind == BERTC_ARG_WEIGHT ? (char *)(uintptr_t)weights : memory) + args[i].offset;
    bertc_kernel kernel = (bertc_kernel)(uintptr_t)at(d, p->kernel);
    for (int64_t task = 0; task < (call->tokens + p->unit - 1) / p->unit * p->inner; task++)
        kernel(addresses, call, task, scratch, NULL, 0);
}

static inline void check_answer(const model *m, const bertc_descriptor *d, const char *weights) {
    for (uint32_t i = 0; i < d->variant_count; i++) {
        const bertc_variant *v = (const bertc_variant *)at(d, d->variants) + i;
        char *memory = aligned_alloc(64, (size_t)v->arena_bytes);
        char *scratch = aligned_alloc(64, (size_t)(v->scratch_bytes + 127) / 64 * 64);
        memset(memory, 0, (size_t)v->arena_bytes);
        const bertc_slot *in = at(d, v->inputs), *out = at(d, v->outputs);
        int32_t ids[] = {3, 10, 0, 7}, bounds[] = {0, 4};
        memcpy(memory + in[0].offset, ids, sizeof(ids));
        bertc_call call = {.tokens = 4, .sequences = 1, .bounds = bounds};
        for (uint32_t k = 0; k < v->phase_count[1]; k++)
            run_phase(d, (const bertc_phase *)at(d, v->phases[1]) + k, &call, weights, memory, scratch);
        const float *y = (const float *)(void *)(memory + out[0].offset);
        for (int r = 0; r < 4; r++) {
            for (int c = 0; c < WIDTH; c++)
                ck_assert_float_eq(y[r * out[0].ld + c], m->table[ids[r] * WIDTH + c] + 2 * m->bias[c]);
        }
        free(memory);
        free(scratch);
    }
}

// --- What an artefact's file must be

static inline const void *section(const char *file, unsigned kind, size_t *size) {
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
    for (int i = 0; i < h->e_shnum; i++) {
        if (s[i].sh_type == kind) {
            *size = s[i].sh_size;
            return file + s[i].sh_offset;
        }
    }
    *size = 0;
    return NULL;
}

static inline void check_segments(const char *file) {
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Phdr *p = (const void *)(file + h->e_phoff);
    bool stack = false;
    for (int i = 0; i < h->e_phnum; i++) {
        ck_assert_msg((p[i].p_flags & (PF_W | PF_X)) != (PF_W | PF_X), "segment %d can be written and run",
                      i);
        if (p[i].p_type == PT_GNU_STACK) stack = true;
        ck_assert_uint_ne(p[i].p_type, PT_INTERP);
    }
    ck_assert(stack);
}

static inline void check_dynamic(const char *file) {
    size_t size;
    const Elf64_Dyn *d = section(file, SHT_DYNAMIC, &size);
    for (size_t i = 0; i < size / sizeof(*d); i++) {
        switch (d[i].d_tag) {
        case DT_NEEDED:
        case DT_INIT:
        case DT_FINI:
        case DT_INIT_ARRAY:
        case DT_FINI_ARRAY:
        case DT_PREINIT_ARRAY:
        case DT_RELA:
        case DT_REL:
        case DT_RELR:
        case DT_JMPREL:
        case DT_TEXTREL: ck_abort_msg("dynamic entry %ld", (long)d[i].d_tag);
        default: break;
        }
    }
}

static inline void check_symbols(const char *file, unsigned table, bool shared) {
    size_t size, names_size;
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
    const Elf64_Sym *y = section(file, table, &size);
    const char *names = NULL;
    for (int i = 0; i < h->e_shnum; i++) {
        if (s[i].sh_type == table)
            names = file + s[s[i].sh_link].sh_offset, names_size = s[s[i].sh_link].sh_size;
    }
    int found = 0;
    for (size_t i = 1; i < size / sizeof(*y); i++) {
        ck_assert_uint_lt(y[i].st_name, names_size);
        const char *name = names + y[i].st_name;
        ck_assert_msg(y[i].st_shndx != SHN_UNDEF, "%s is not defined", name);
        if (strcmp(name, BERTC_SYMBOL) == 0)
            found++;
        else if (shared)
            ck_abort_msg("%s is exported", name);
    }
    ck_assert_int_eq(found, 1);
}

static inline void check_weights(const char *file, const model *m) {
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
    const char *names = file + s[h->e_shstrndx].sh_offset;
    int found = 0;
    for (int i = 0; i < h->e_shnum; i++) {
        if (s[i].sh_type == SHT_RELA || s[i].sh_type == SHT_REL)
            ck_abort_msg("relocations: %s", names + s[i].sh_name);
        if (strcmp(names + s[i].sh_name, ".bertc.weights")) continue;
        found++;
        ck_assert_uint_eq(s[i].sh_addr % 4096, 0);
        ck_assert_uint_eq(s[i].sh_offset % 4096, 0);
        ck_assert_uint_eq(s[i].sh_flags, SHF_ALLOC);
        ck_assert_uint_eq(s[i].sh_size, (uint64_t)module_weight_bytes(m->a.module));
    }
    ck_assert_int_eq(found, 1);
}

static inline void check_shared_object(model *m, const char *path) {
    size_t size;
    const char *file = read_file(m, path, &size);
    ck_assert_mem_eq(file, ELFMAG, SELFMAG);
    ck_assert_uint_eq(((const Elf64_Ehdr *)(const void *)file)->e_type, ET_DYN);
    check_segments(file);
    check_dynamic(file);
    check_symbols(file, SHT_DYNSYM, true);
    check_weights(file, m);
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    ck_assert(s.st_mode & S_IRGRP);
}

static inline void check_loaded(const model *m, const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    const bertc_descriptor *d = dlsym(library, BERTC_SYMBOL);
    ck_assert_ptr_nonnull(d);
    check_descriptor(m, d);
    ck_assert_uint_eq((uintptr_t)at(d, d->weights) % 4096, 0);
    check_answer(m, d, at(d, d->weights));
    dlclose(library);
}

#endif
