// links: hub ir
// An adapter of any bytes, adapter_config.json and adapter_model.safetensors with a byte 0 between them, over a small BERT:
// refused with a diagnostic, or a graph that verifies and whose constants can be made.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/hub/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char folder[64];

static const char *inside(const char *name) {
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t size) {
    int fd = open(inside(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd)) abort();
}

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command)) abort();
}

// The base model, made once.
static void make_base(void) {
    static const char config[] =
        "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"], \"hidden_size\": "
        "4, "
        "\"num_attention_heads\": 1, \"num_hidden_layers\": 2, \"intermediate_size\": 8, \"vocab_size\": 16, "
        "\"max_position_embeddings\": 8, \"type_vocab_size\": 2, \"hidden_act\": \"gelu\"}";
    diag d;
    diag_init(&d);
    strcpy(folder, "/tmp/bertc-fuzz-XXXXXX");
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    write_file("config.json", config, strlen(config));
    const synth_options options = {
        .shape = inside("config.json"), .output = inside("base"), .head = "sequence-classification"};
    if (!hub_synth(&options, &d)) abort();
    diag_free(&d);
}

static void run_constants(const hub_model *m, diag *d) {
    for (value v = 0; v < m->graph->count; v++) {
        const attr *r = node_attr(graph_node(m->graph, v), ATTR_recipe);
        if (!r) continue;
        void *out = malloc(recipe_bytes(r->u.recipe) + 1);
        if (!out || !recipe_run(r->u.recipe, &m->source, out, d)) abort();
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!*folder) make_base();
    const uint8_t *zero = size ? memchr(bytes, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - bytes) : size;
    write_file("adapter_config.json", bytes, n);
    write_file("adapter_model.safetensors", zero ? zero + 1 : bytes, zero ? size - n - 1 : 0);
    char base[160], list[400];
    snprintf(base, sizeof base, "%s", inside("base"));
    snprintf(list, sizeof list, size % 3 ? "%s" : "%s=0.5,%s=-2", folder, folder);
    const char *adapters[] = {list};
    const hub_options options = {
        .model = base, .adapters = adapters, .adapter_count = 1, .combine = size % 2 ? "linear" : NULL};
    diag d;
    diag_init(&d);
    arena *a = arena_new();
    hub_model m;
    bool ok = hub_open(&options, a, &m, &d);
    if (ok == diag_failed(&d)) abort();
    if (ok) {
        if (!graph_verify(m.graph, "fuzz", &d)) abort();
        run_constants(&m, &d);
        hub_close(&m);
    }
    arena_free(a);
    diag_free(&d);
    return 0;
}
