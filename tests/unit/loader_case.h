// An artefact's file by hand, to break in one place and load.
#ifndef LOADER_CASE_H
#define LOADER_CASE_H

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "elf_toy.h"

static const toy_variant two[] = {{"toy_s8", 0, 8, 8}, {"toy_s32", 0, 32, 32}};
static char path[64]; // of the file that is loaded; removed by the test's end

static inline void name_file(void) {
    snprintf(path, sizeof path, "/tmp/bertc_loader_%d.so", (int)getpid());
}

static inline void write_file(const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

// A task table with two labels and a prompt.
typedef struct labels {
    bertc_task task;
    char later[24]; // of a later version's struct: its size covers some of it
    uint64_t at[2], prompt[2];
    char text[16];
} labels;
static inline labels two_labels(uint32_t kind) {
    labels l = {.task = {.size = sizeof(bertc_task),
                         .kind = kind,
                         .label_count = 2,
                         .mask_id = -1,
                         .labels = offsetof(labels, at),
                         .prompt_count = 1,
                         .default_prompt = 1,
                         .prompts = offsetof(labels, prompt)},
                .at = {offsetof(labels, text), offsetof(labels, text) + 4},
                .prompt = {offsetof(labels, text) + 9, offsetof(labels, text) + 11},
                .text = "bad\0good\0q\0q: "};
    return l;
}

static inline blob make_with(size_t more) {
    static labels l;
    l = two_labels(BERTC_TASK_TENSORS);
    l.task.size += (uint32_t)(more < sizeof l.later ? more : sizeof l.later);
    return elf_toy(
        (toy_options){.variants = two, .variant_count = 2, .task = &l, .task_bytes = sizeof l, .more = more});
}
static inline blob make(void) {
    return make_with(0);
}
static inline bertc_descriptor *descriptor_of(blob *b) {
    return (void *)(b->data + ELF_DATA);
}

// Loads the bytes; the message after the path, "" where it loads.
static inline const char *load(const void *bytes, size_t size) {
    static bertc_error error;
    write_file(bytes, size);
    error.message[0] = 0;
    bertc_model *m = bertc_load(path, &error);
    if (m) {
        bertc_unload(m);
        return "";
    }
    ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    ck_assert_ptr_null(strchr(error.message, '\n'));
    return error.message + strlen(path) + 2;
}

#endif
