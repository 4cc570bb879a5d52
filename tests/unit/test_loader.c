// links: runtime
// The loader's checks, on artefacts that are broken in every place: a message, never a crash.
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loader_case.h"
#include "main.h"
#include "runtime/load/check.h"
#include "runtime/load/map.h"

// Also what a later version wrote, with fields behind those that this one knows.
START_TEST(loads_and_maps) {
    blob b = make_with(_i ? 24 : 0);
    write_file(b.data, b.size);
    bertc_error error = {""};
    bertc_model *m = bertc_load(path, &error), *again = bertc_load(path, NULL);
    ck_assert_msg(m && again, "%s", error.message);
    ck_assert_str_eq(bertc_label(m, 1), "good");
    const char *text;
    ck_assert_str_eq(bertc_prompt(m, 0, &text), "q");
    ck_assert_str_eq(text, "q: ");
    ck_assert_ptr_null(bertc_prompt(m, 1, &text));
    ck_assert_str_eq(bertc_model_json(m), "{\"toy\": true}");
    // The kernels (ret) run from the mapping; outputs stay as the arena was: zero.
    bertc_session *s =
        bertc_open(m, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2}, &error);
    float out[8] = {1}, *buffers[TOY_OUTPUTS] = {out};
    const int32_t ids[] = {1, 2};
    ck_assert(bertc_run(s,
                        &(bertc_batch){BERTC_SIZED(bertc_batch), .batch = 1, .length = 2, .input_ids = ids},
                        buffers, NULL, &error));
    ck_assert_float_eq(out[0], 0);
    bertc_close(s);
    // Another file under the same name while the first is loaded: the new one is what comes.
    unlink(path);
    descriptor_of(&b)->json = 0;
    write_file(b.data, b.size);
    bertc_model *third = bertc_load(path, NULL);
    ck_assert_str_eq(bertc_model_json(third), "{}");
    ck_assert_str_eq(bertc_model_json(again), "{\"toy\": true}");
    bertc_unload(third);
    bertc_unload(again);
    bertc_unload(m);
    free(b.data);
}
END_TEST

START_TEST(no_file) {
    bertc_error error;
    ck_assert_ptr_null(bertc_load("/nowhere/model.so", &error));
    ck_assert_str_eq(error.message, "/nowhere/model.so: No such file or directory");
    ck_assert_ptr_null(bertc_load("/", &error));
    ck_assert_str_eq(error.message, "/: not a bertc artefact: a folder");
    ck_assert_str_eq(load("", 0), "not a bertc artefact: empty");
    ck_assert_str_eq(load("{\"model\": 1}", 12), "not a bertc artefact: no ELF file");
}
END_TEST

// One field changed: the message that must come.
typedef struct change {
    const char *message;
    size_t at; // in the file
    uint64_t value;
    int bytes;
} change;
#define HEADER(field)     offsetof(Elf64_Ehdr, field)
#define SEGMENT(i, field) (sizeof(Elf64_Ehdr) + (i) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field))
#define DYNAMIC(i, field) (ELF_DYNAMIC + (i) * sizeof(Elf64_Dyn) + offsetof(Elf64_Dyn, field))
#define FIELD(field)      (ELF_DATA + offsetof(bertc_descriptor, field))
static const change changes[] = {
    {"compiled for RISC-V, this machine is", HEADER(e_machine), EM_RISCV, 2},
    {"not a bertc artefact: no 64-bit", HEADER(e_ident) + EI_CLASS, ELFCLASS32, 1},
    {"an object file", HEADER(e_type), ET_REL, 2},
    {"not a bertc artefact: no shared object", HEADER(e_type), ET_EXEC, 2},
    {"truncated: the program headers", HEADER(e_phoff), 1 << 20, 8},
    {"broken ELF header", HEADER(e_phnum), 0, 2},
    {"truncated: a segment", SEGMENT(2, p_filesz), 1 << 20, 8},
    {"truncated: a segment", SEGMENT(2, p_offset), UINT64_MAX - 4095, 8},
    {"broken segment", SEGMENT(2, p_memsz), 1, 8},
    {"broken segment: misaligned", SEGMENT(2, p_align), 3, 8},
    {"broken segment: misaligned", SEGMENT(2, p_vaddr), ELF_DATA + 8, 8},
    {"broken segments: unordered", SEGMENT(2, p_vaddr), 0x1000, 8},
    {"a segment is both writable and executable", SEGMENT(1, p_flags), PF_R | PF_W | PF_X, 4},
    {"it asks for an executable stack", SEGMENT(4, p_flags), PF_R | PF_W | PF_X, 4},
    {"not a bertc artefact: it has thread-local", SEGMENT(4, p_type), PT_TLS, 4},
    {"not a bertc artefact: a program", SEGMENT(4, p_type), PT_INTERP, 4},
    {"not a bertc artefact: no dynamic section", SEGMENT(3, p_type), PT_NOTE, 4},
    {"truncated: the dynamic section", SEGMENT(3, p_vaddr), 0x9000, 8},
    {"not a bertc artefact: it needs another library", DYNAMIC(0, d_tag), DT_NEEDED, 8},
    {"not a bertc artefact: it has an initialiser", DYNAMIC(0, d_tag), DT_INIT, 8},
    {"not a bertc artefact: it has an initialiser", DYNAMIC(0, d_tag), DT_INIT_ARRAY, 8},
    {"not a bertc artefact: it has a finaliser", DYNAMIC(0, d_tag), DT_FINI_ARRAY, 8},
    {"not a bertc artefact: it has relocations", DYNAMIC(0, d_tag), DT_RELASZ, 8},
    {"not a bertc artefact: it has relocations in its code", DYNAMIC(0, d_tag), DT_TEXTREL, 8},
    {"not a bertc artefact: no symbol table", DYNAMIC(1, d_tag), DT_DEBUG, 8},
    {"broken symbol table", DYNAMIC(1, d_un), 0x20000, 8},
    {"broken symbol table", DYNAMIC(2, d_un), 0x20000, 8},
    {"broken symbol table", DYNAMIC(3, d_un), UINT64_MAX, 8},
    {"broken symbol table", ELF_HASH + 4, UINT32_MAX, 4},
    {"not a bertc artefact: no symbol `bertc_artefact`", ELF_STRINGS + 3, 'x', 1},
    {"truncated: `bertc_artefact`", ELF_SYMBOLS + sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_value), 0x8000,
     8},
    {"not a bertc artefact: `bertc_artefact` does not", FIELD(magic), 'X', 1},
    {"made for version 5 of the artefact format, this library reads version 9", FIELD(abi_version), 5, 4},
    {"damaged: the checksum of its metadata, tables and code is ", FIELD(checksum), 1, 8},
    {"broken descriptor: 1 bytes", FIELD(size), 1, 4},
    {"broken descriptor: 1048576 bytes", FIELD(size), 1 << 20, 4},
    {"broken descriptor: rows of 0 bytes in array 0", FIELD(row_bytes[BERTC_ROW_PORT]), 0, 4},
    {"broken descriptor: rows of 8 bytes in array 1", FIELD(row_bytes[BERTC_ROW_SLOT]), 8, 4},
    {"broken descriptor: rows of 17 bytes in array 2", FIELD(row_bytes[BERTC_ROW_ARG]), 17, 4},
    {"broken descriptor: rows of 8192 bytes in array 3", FIELD(row_bytes[BERTC_ROW_PHASE]), 8192, 4},
    {"broken descriptor: rows of 64 bytes in array 4", FIELD(row_bytes[BERTC_ROW_VARIANT]), 64, 4},
    {"it requires `?` (bit 63), which this library does not know", FIELD(required), (uint64_t)1 << 63, 8},
    {"broken descriptor: 33 inputs", FIELD(input_count), 33, 4},
    {"broken descriptor: 6 inputs, 0 outputs", FIELD(output_count), 0, 4},
    {"broken descriptor: inputs", FIELD(inputs), 1 << 20, 8},
    {"broken descriptor: outputs", FIELD(outputs), 12, 8},
    {"broken descriptor: 0 variants", FIELD(variant_count), 0, 4},
    {"broken descriptor: variants", FIELD(variants), (uint64_t)INT64_MIN, 8},
    {"broken descriptor: the weights", FIELD(weights), 1 << 20, 8},
    {"broken descriptor: the weights", FIELD(weights_bytes), 1 << 20, 8},
    {"broken descriptor: a negative size", FIELD(weights_bytes), UINT64_MAX, 8},
    {"broken descriptor: vocabulary", FIELD(vocab_size), 0, 8},
    {"broken descriptor: vocabulary", FIELD(position_rule), 9, 4},
    {"broken descriptor: the JSON text", FIELD(json), 1 << 20, 8},
    {"broken descriptor: the JSON text does not end", FIELD(json_bytes), 4, 8},
    {"broken descriptor: the task table", FIELD(task_bytes), 8, 8},
    {"broken descriptor: the task table", FIELD(task), 1 << 20, 8},
};

START_TEST(one_field_broken) {
    const change *c = &changes[_i];
    blob b = make();
    ck_assert_str_eq(load(b.data, b.size), "");
    memcpy(b.data + c->at, &c->value, (size_t)c->bytes);
    const char *message = load(b.data, b.size);
    ck_assert_msg(strncmp(message, c->message, strlen(c->message)) == 0, "`%s`, not `%s`", message,
                  c->message);
    free(b.data);
}
END_TEST

static void expect(blob *b, const char *message) {
    const char *got = load(b->data, b->size);
    ck_assert_msg(strcmp(got, message) == 0, "`%s`, not `%s`", got, message);
    free(b->data);
    *b = make();
}

#define VARIANT ((bertc_variant *)(void *)(b.data + ELF_DATA + descriptor_of(&b)->variants))
#define PHASE   ((bertc_phase *)(void *)(b.data + ELF_DATA + VARIANT->phases[0]))
#define INPUT   ((bertc_slot *)(void *)(b.data + ELF_DATA + VARIANT->inputs))
#define OUTPUT  ((bertc_slot *)(void *)(b.data + ELF_DATA + VARIANT->outputs))
#define PORT    ((bertc_port *)(void *)(b.data + ELF_DATA + descriptor_of(&b)->outputs))
#define TASK    ((labels *)(void *)(b.data + ELF_DATA + descriptor_of(&b)->task))
START_TEST(variants) {
    blob b = make();
    VARIANT->length = 9;
    expect(&b, "broken descriptor: variant toy_s8: its capacity");
    VARIANT->arena_bytes -= 1024;
    expect(&b, "broken descriptor: variant toy_s8: an output outside of the arena");
    VARIANT->row_tile = 0;
    expect(&b, "broken descriptor: variant toy_s8: its row tile");
    VARIANT->scratch_bytes = -1;
    expect(&b, "broken descriptor: variant toy_s8: its memory");
    VARIANT->phase_count[2] = 0;
    expect(&b, "broken descriptor: variant toy_s8: the number of its phases");
    VARIANT->phases[1] = 1 << 20;
    expect(&b, "broken descriptor: phases outside of the file, or misaligned");
    INPUT[2].offset = -64;
    expect(&b, "broken descriptor: variant toy_s8: an input outside of the arena");
    OUTPUT[0].ld = 3;
    expect(&b, "broken descriptor: variant toy_s8: an output outside of the arena");
    OUTPUT[0].ld = INT64_MAX;
    expect(&b, "broken descriptor: variant toy_s8: an output outside of the arena");
    PHASE[1].kernel = descriptor_of(&b)->weights; // not code
    expect(&b, "broken descriptor: a kernel outside of the file, or misaligned");
    PHASE[1].arg_count = 65;
    expect(&b, "broken descriptor: variant toy_s8: the arguments of a phase");
    PHASE[1].result_count = 0;
    expect(&b, "broken descriptor: variant toy_s8: the results of a phase");
    PHASE[1].result_count = 7;
    expect(&b, "broken descriptor: variant toy_s8: the results of a phase");
    PHASE[1].result_count = 2; // one of them is argument 4, a weight
    expect(&b, "broken descriptor: variant toy_s8: a phase that writes weights");
    PHASE[1].stream = 6;
    expect(&b, "broken descriptor: variant toy_s8: what a phase streams");
    PHASE[1].stream = 0; // no weight
    expect(&b, "broken descriptor: variant toy_s8: what a phase streams");
    PHASE[1].stream_bytes = -1;
    expect(&b, "broken descriptor: variant toy_s8: what a phase streams");
    PHASE[1].stream_step = 64; // the second task's is behind the weights
    expect(&b, "broken descriptor: variant toy_s8: what a phase streams");
    PHASE[1].stream_step = INT64_MAX;
    expect(&b, "broken descriptor: variant toy_s8: what a phase streams");
    PHASE[1].dim = BERTC_M;
    expect(&b, "broken descriptor: variant toy_s8: the tasks of a phase");
    PHASE[1].unit = 0;
    expect(&b, "broken descriptor: variant toy_s8: the tasks of a phase");
    PHASE[1].inner = INT64_MAX;
    expect(&b, "broken descriptor: variant toy_s8: the tasks of a phase");
    ((bertc_arg *)(void *)(b.data + ELF_DATA + PHASE->args))->offset = 1 << 20;
    expect(&b, "broken descriptor: variant toy_s8: an argument outside of weights, states or arena");
    ((bertc_arg *)(void *)(b.data + ELF_DATA + PHASE->args))->kind = 4;
    expect(&b, "broken descriptor: variant toy_s8: an argument of no known kind");
    PORT[TOY_ATTENTION].elem = BERTC_I32;
    expect(&b, "output `attentions.0` is not float32, which is all that this version gives");
    PORT[TOY_ATTENTION].shape[0] = -2;
    expect(&b, "broken descriptor: the shape of output `attentions.0`");
    VARIANT->enter = descriptor_of(&b)->weights; // not code
    expect(&b, "broken descriptor: what threads call first outside of the file, or misaligned");
    VARIANT->leave = descriptor_of(&b)->weights;
    expect(&b, "broken descriptor: what threads call last outside of the file, or misaligned");
    VARIANT->class_name = 1 << 20;
    expect(&b, "broken descriptor: a variant's class outside of the file, or misaligned");
    VARIANT->isa = 1 << 20;
    expect(&b, "broken descriptor: a variant's level outside of the file, or misaligned");
    free(b.data);
}
END_TEST

START_TEST(tasks) {
    blob b = make();
    char text[64];
    TASK->task.kind = 99;
    expect(&b, "task 99 is not known to this version");
    TASK->task.size = 8;
    expect(&b, "broken descriptor: the task table of 8 bytes");
    TASK->task.size = sizeof(labels) + 1;
    snprintf(text, sizeof text, "broken descriptor: the task table of %zu bytes", sizeof(labels) + 1);
    expect(&b, text);
    TASK->task.label_count = 1000;
    expect(&b, "broken descriptor: the labels of the task table");
    TASK->at[1] = 500;
    expect(&b, "broken descriptor: label 1 of the task table");
    TASK->task.labels = UINT64_MAX - 7;
    expect(&b, "broken descriptor: the labels of the task table");
    TASK->task.prompt_count = 1000;
    expect(&b, "broken descriptor: the prompts of the task table");
    TASK->task.prompt_count = UINT32_MAX;
    expect(&b, "broken descriptor: the prompts of the task table");
    TASK->task.default_prompt = 2;
    expect(&b, "broken descriptor: the prompts of the task table");
    TASK->task.prompts = offsetof(labels, prompt) + 4;
    expect(&b, "broken descriptor: the prompts of the task table");
    TASK->prompt[1] = sizeof(labels);
    expect(&b, "broken descriptor: prompt 1 of the task table");
    TASK->task.kind = BERTC_TASK_ENTITIES;
    expect(&b, "broken descriptor: output `logits` does not fit its task");
    TASK->task.kind = BERTC_TASK_ANSWER;
    expect(&b, "broken descriptor: its task needs the output `start_logits`");
    TASK->task.kind = BERTC_TASK_VECTORS;
    expect(&b, "broken descriptor: its task needs the output `vectors`");
    TASK->task.kind = BERTC_TASK_SEVERAL;
    expect(&b, "broken descriptor: its task has none of its outputs");
    free(b.data);
}
END_TEST

START_TEST(vectors_of_tasks) {
    blob b = make();
    static const char cause[] = "broken descriptor: the vectors of the task table";
    TASK->task.vectors = TASK_VECTORS_ALL + 1;
    expect(&b, cause);
    TASK->task.expansion = 32, TASK->task.expansion_id = -1;
    expect(&b, cause);
    TASK->task.expansion = UINT32_MAX;
    expect(&b, cause);
    TASK->task.expansion_id = 1 << 20;
    expect(&b, cause);
    TASK->task.query_length = UINT32_MAX;
    expect(&b, cause);
    TASK->task.skipped_count = 1000;
    expect(&b, cause);
    TASK->task.skipped = 2;
    expect(&b, cause);
    TASK->task.kept = UINT64_MAX - 3;
    expect(&b, cause);
    TASK->task.kept = sizeof(labels) - 4, TASK->task.kept_count = UINT32_MAX;
    expect(&b, cause);
    free(b.data);
}
END_TEST

START_TEST(truncated_anywhere) {
    blob b = make();
    for (size_t n = 0; n < b.size; n += n < 0x800 || n > ELF_DATA ? 37 : 997) {
        const char *message = load(b.data, n);
        ck_assert_msg(*message, "%zu of %zu bytes loaded", n, b.size);
        if (n > sizeof(Elf64_Ehdr) + ELF_HEADERS * sizeof(Elf64_Phdr))
            ck_assert_msg(strncmp(message, "truncated", 9) == 0, "%zu bytes: %s", n, message);
    }
    free(b.data);
}
END_TEST

// The checks on bytes that were changed at random: whatever comes out, every structure was within the file. A
// copy of the exact size lets a sanitizer see any read beyond it.
static void check_bytes(const void *bytes, size_t size) {
    bertc_error error;
    image im;
    if (!image_read(&im, bytes, size, &error)) return;
    check_source source = {
        .im = &im, .bytes = image_at(&im, im.descriptor, BERTC_DESCRIPTOR_LEAST, 0), .error = &error};
    if (check_head(&source)) check_descriptor(&source);
}

START_TEST(random_damage) {
    blob b = make();
    char *copy = aligned_alloc(64, (b.size + 63) / 64 * 64);
    uint64_t seed = 88172645463325252u + (uint64_t)_i;
    static const uint64_t values[] = {
        0, 1, 0x7f, 0xff, 0x7fffffff, UINT32_MAX, INT64_MAX, UINT64_MAX, 0x8000000000000000u, 64};
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, b.data, b.size);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            size_t at = seed % 2 ? ELF_DATA + (seed >> 8) % (b.size - ELF_DATA - 8) : (seed >> 8) % 0x680;
            size_t n = (size_t)1 << (seed >> 40) % 4;
            memcpy(copy + at / n * n, &values[(seed >> 48) % 10], n);
        }
        check_bytes(copy, b.size);
    }
    free(copy);
    free(b.data);
}
END_TEST

// Two segments that meet in memory, the first of which ends the file: the tokenizer stands at the second's
// first byte, which is also the first one's end.
START_TEST(where_two_segments_meet) {
    static _Alignas(8) const char bytes[0x80] = "first segment";
    const image im = {.bytes = (const uint8_t *)bytes,
                      .size = sizeof bytes,
                      .segment_count = 2,
                      .segments = {{.vaddr = 0x1000, .offset = 0x40, .file_size = 0x40, .memory_size = 0x40},
                                   {.vaddr = 0x1040, .offset = 0, .file_size = 0x40, .memory_size = 0x40}}};
    ck_assert_ptr_eq(image_at(&im, 0x1040, 8, 0), bytes);
    ck_assert_ptr_eq(image_at(&im, 0x1040, 0x40, 0), bytes);
    ck_assert_ptr_eq(image_at(&im, 0x1000, 0x40, 0), bytes + 0x40);
    ck_assert_ptr_null(image_at(&im, 0x1000, 0x41, 0));
    ck_assert_ptr_null(image_at(&im, 0x1040, 0x41, 0));
    ck_assert_uint_eq(image_room(&im, 0x1040), 0x40);
    for (uint64_t at = 0x1000; at <= 0x1080; at += 0x20) ck_assert_ptr_null(image_at(&im, at, 0, 0));
}
END_TEST

// The same in a whole artefact: the descriptor's segment ends the file, and in memory the tokenizer's follows it.
START_TEST(a_tokenizer_where_two_segments_meet) {
    enum { TABLE = 0x4000, DATA = 0x3000, ROOM = TABLE - ELF_DATA };
    blob b = make();
    ck_assert_uint_le(b.size, TABLE);
    char *file = calloc(1, DATA + ROOM);
    memcpy(file, b.data, ELF_DATA);
    memcpy(file + DATA, b.data + ELF_DATA, b.size - ELF_DATA);
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(file + sizeof(Elf64_Ehdr));
    p[2].p_offset = DATA;
    p[2].p_filesz = p[2].p_memsz = ROOM;
    p[4] = elf_segment(PT_LOAD, PF_R, ELF_DATA, 0x400, 0x1000);
    p[4].p_vaddr = TABLE;
    const bertc_tokenizer table = {.magic = BERTC_TOKENIZER_MAGIC, .version = 99};
    memcpy(file + ELF_DATA, &table, sizeof table);
    bertc_descriptor *d = (void *)(file + DATA);
    d->tokenizer = TABLE - ELF_DATA;
    d->tokenizer_bytes = 0x400;
    const char *message = load(file, DATA + ROOM);
    ck_assert_msg(strncmp(message, "its tokenizer: tokenizer table of version 99", 44) == 0, "%s", message);
    free(file);
    free(b.data);
}
END_TEST

// What a linker makes, with a GNU hash table, of a descriptor and code in assembly.
START_TEST(linked_by_the_system) {
    char command[512], source[80], object[80];
    blob b = blob_new(1 << 15);
    toy_build(&b, &(toy_options){.variants = two, .variant_count = 1, .kernels = {8, 8, 8, 8}});
    snprintf(source, sizeof source, "%s.s", path);
    snprintf(object, sizeof object, "%s.bin", path);
    FILE *f = fopen(object, "wb");
    const bertc_variant *v = (void *)(b.data + ((bertc_descriptor *)(void *)b.data)->variants);
    const size_t kernel = (size_t)v->phases[0] + offsetof(bertc_phase, kernel);
    ck_assert(f && fwrite(b.data, 1, b.size, f) == b.size && fclose(f) == 0);
    ck_assert_ptr_nonnull(f = fopen(source, "w"));
    fprintf(f, ".section .note.GNU-stack,\"\",%%progbits\n.text\nkernel: ret\n"
               ".section .rodata,\"a\"\n.balign 64\n.globl bertc_artefact\n.type bertc_artefact, "
               "%%object\nbertc_artefact:\n");
    size_t at = 0;
    for (int i = 0; i < TOY_PHASES; i++) {
        size_t here = kernel + (size_t)i * sizeof(bertc_phase);
        fprintf(f, ".incbin \"%s\", %zu, %zu\n.quad kernel - bertc_artefact\n", object, at, here - at);
        at = here + 8;
    }
    fprintf(f, ".incbin \"%s\", %zu\n.size bertc_artefact, . - bertc_artefact\n", object, at);
    fclose(f);
    snprintf(command, sizeof command, "cc -shared -nostdlib -Wl,-z,defs -o %s %s", path, source);
    ck_assert_int_eq(system(command), 0);
    bertc_error error = {""};
    bertc_model *m = bertc_load(path, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    bertc_unload(m);
    unlink(source);
    unlink(object);
    free(b.data);
}
END_TEST

// A file of 440 MB, and one of 2.6 GB: their weights are not read.
START_TEST(loads_fast) {
    blob b = make();
    const uint64_t more = (uint64_t)(_i ? 2600 : 440) << 20;
    descriptor_of(&b)->weights_bytes += (int64_t)more;
    Elf64_Phdr *data = (Elf64_Phdr *)(void *)(b.data + sizeof(Elf64_Ehdr)) + 2;
    data->p_filesz = data->p_memsz = b.size - ELF_DATA + more;
    write_file(b.data, b.size);
    ck_assert_int_eq(truncate(path, (off_t)(b.size + more)), 0);
    struct timespec start, end;
    bertc_error error;
    clock_gettime(CLOCK_MONOTONIC, &start);
    bertc_model *m = bertc_load(path, &error);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_msg(m != NULL, "%s", error.message);
    ck_assert_double_lt((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9,
                        0.02);
    bertc_unload(m);
    free(b.data);
}
END_TEST

START_TEST(large_memory) {
    for (size_t n = 1; n < (size_t)64 << 20; n = n * 3 + 1) {
        char *p = map_large(n);
        ck_assert(p && (uintptr_t)p % (2 << 20) == 0 && p[0] == 0 && p[n - 1] == 0);
        p[0] = p[n - 1] = 1;
        map_free(p, n);
    }
}
END_TEST

// A large segment, wherever it stands in file and memory, is mapped so that the system may use large pages.
START_TEST(large_segment) {
    static const uint64_t large = 2 << 20,
                          places[][2] = {{0x1000, 0x1000}, {0x1000, 0x5000}, {0x11000, 0x1000}};
    const uint64_t offset = places[_i][0], vaddr = places[_i][1] + 2 * large;
    const image im = {
        .segment_count = 2,
        .segments = {{.vaddr = 0x3000, .file_size = 8, .memory_size = 8, .align = 0x1000, .flags = PF_R},
                     {vaddr, offset, 3 * large, 3 * large, 0x1000, PF_R}}};
    write_file("first", 6);
    ck_assert_int_eq(truncate(path, (off_t)(offset + 3 * large)), 0);
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(pwrite(fd, "large", 6, (off_t)offset), 6);
    mapping m;
    bertc_error error;
    ck_assert_msg(map_image(&m, &im, fd, &error), "%s", error.message);
    close(fd);
    ck_assert_str_eq((const char *)(m.bias + 0x3000), "first");
    ck_assert_str_eq((const char *)(m.bias + vaddr), "large");
    ck_assert_uint_eq((m.bias + vaddr - offset) % large, 0);
    map_free(m.address, m.bytes);
}
END_TEST

int main(void) {
    name_file();
    Suite *s = suite_create("loader");
    TCase *t = tcase_create("loader");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, loads_and_maps, 0, 2);
    tcase_add_test(t, no_file);
    tcase_add_loop_test(t, one_field_broken, 0, (int)(sizeof changes / sizeof *changes));
    tcase_add_test(t, variants);
    tcase_add_test(t, tasks);
    tcase_add_test(t, vectors_of_tasks);
    tcase_add_test(t, truncated_anywhere);
    tcase_add_loop_test(t, random_damage, 0, 4);
    tcase_add_test(t, where_two_segments_meet);
    tcase_add_test(t, a_tokenizer_where_two_segments_meet);
    tcase_add_test(t, linked_by_the_system);
    tcase_add_loop_test(t, loads_fast, 0, 2);
    tcase_add_test(t, large_memory);
    tcase_add_loop_test(t, large_segment, 0, 3);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    unlink(path);
    return status;
}
