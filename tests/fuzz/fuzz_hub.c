// links: hub ir
// A checkpoint of any bytes, config.json and weights with a byte 0 between them: refused with a diagnostic,
// or a graph that verifies and whose constants can be made; and the same for training.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/hub/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int file_of(const uint8_t *bytes, size_t size, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
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

static void open_one(const hub_options *options) {
    diag d;
    diag_init(&d);
    arena *a = arena_new();
    hub_model m;
    bool ok = hub_open(options, a, &m, &d);
    if (ok == diag_failed(&d)) abort();
    if (ok) {
        if (!graph_verify(m.graph, "fuzz", &d)) abort();
        run_constants(&m, &d);
        hub_close(&m);
    }
    arena_free(a);
    diag_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const heads[] = {NULL,
                                        "model",
                                        "masked-lm",
                                        "pretraining",
                                        "sequence-classification",
                                        "embedding",
                                        "token-classification",
                                        "question-answering"};
    const uint8_t *zero = size ? memchr(bytes, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - bytes) : size;
    char config[64], weights[64];
    int c = file_of(bytes, n, config), w = file_of(zero ? zero + 1 : bytes, zero ? size - n - 1 : 0, weights);
    static const char *const tasks[] = {"states",  "classify", "tag",      "answer",
                                        "regress", "mlm",      "pretrain", "embed"};
    open_one(&(hub_options){
        .model = weights, .config = config, .head = heads[size % 8], .outputs = "hidden_states,attentions"});
    open_one(&(hub_options){
        .model = weights, .config = config, .train = {.task = tasks[size / 8 % 8], .dropout = -1}});
    close(c);
    close(w);
    return 0;
}
