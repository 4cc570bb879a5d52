// What targets share that open a model: a folder of files of any bytes, and a model that is refused with a diagnostic, or whose
// graph verifies and whose constants can be made.
#ifndef BERTC_TESTS_FUZZ_MODEL_H
#define BERTC_TESTS_FUZZ_MODEL_H
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// --- The process' folder, removed at its end

static char fuzz_folder[64];

static inline const char *fuzz_inside(const char *name) {
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fuzz_folder, name);
    return path;
}

static inline void fuzz_write(const char *name, const void *bytes, size_t size) {
    int fd = open(fuzz_inside(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd)) abort();
}

static inline void fuzz_write_text(const char *name, const char *text) {
    fuzz_write(name, text, strlen(text));
}

static void fuzz_remove(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", fuzz_folder);
    if (system(command)) abort();
}

// False: it is there already.
static inline bool fuzz_make(void) {
    if (*fuzz_folder) return false;
    strcpy(fuzz_folder, "/tmp/bertc-fuzz-XXXXXX");
    if (!mkdtemp(fuzz_folder)) abort();
    atexit(fuzz_remove);
    return true;
}

// A BERT of two layers, and 16 tokens, with random weights, in the folder's `base`.
static inline void fuzz_base(const char *class, const char *head) {
    char config[400];
    diag d;
    diag_init(&d);
    snprintf(
        config, sizeof config,
        "{\"model_type\": \"bert\", \"architectures\": [\"%s\"], \"hidden_size\": 4, "
        "\"num_attention_heads\": 1, \"num_hidden_layers\": 2, \"intermediate_size\": 8, \"vocab_size\": "
        "16, \"max_position_embeddings\": 8, \"type_vocab_size\": 2, \"hidden_act\": \"gelu\"}",
        class);
    fuzz_write_text("config.json", config);
    const synth_options options = {
        .shape = fuzz_inside("config.json"), .output = fuzz_inside("base"), .head = head};
    if (!hub_synth(&options, &d)) abort();
    diag_free(&d);
}

// --- Parts of the input, which bytes 0 end

typedef struct fuzz_part {
    const uint8_t *bytes;
    size_t size;
} fuzz_part;

// The next part; empty where there is none.
static inline fuzz_part fuzz_next(const uint8_t **bytes, size_t *size) {
    const uint8_t *zero = *size ? memchr(*bytes, 0, *size) : NULL;
    fuzz_part p = {*bytes, zero ? (size_t)(zero - *bytes) : *size};
    size_t taken = p.size + (zero != NULL);
    *bytes += taken;
    *size -= taken;
    return p;
}

// --- Models

static inline void fuzz_constants(const hub_model *m, diag *d) {
    for (value v = 0; v < m->graph->count; v++) {
        const attr *r = node_attr(graph_node(m->graph, v), ATTR_recipe);
        if (!r) continue;
        void *out = malloc(recipe_bytes(r->u.recipe) + 1);
        if (!out || !recipe_run(r->u.recipe, &m->source, out, d)) abort();
        free(out);
    }
}

static inline void fuzz_open(const hub_options *options) {
    diag d;
    diag_init(&d);
    arena *a = arena_new();
    hub_model m;
    bool ok = hub_open(options, a, &m, &d);
    if (ok == diag_failed(&d)) abort();
    if (ok) {
        if (!graph_verify(m.graph, "fuzz", &d)) abort();
        fuzz_constants(&m, &d);
        hub_close(&m);
    }
    arena_free(a);
    diag_free(&d);
}
#endif
