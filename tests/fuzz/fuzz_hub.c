// links: hub ir
// A checkpoint of any bytes, config.json and weights with a byte 0 between them: refused with a diagnostic,
// or a graph that verifies and whose constants can be made; and the same for training.
#include <sys/mman.h>

#include "tests/fuzz/model.h"

static int file_of(fuzz_part p, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, p.bytes, p.size) != (ssize_t)p.size) abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
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
    static const char *const tasks[] = {"states",  "classify", "tag",      "answer",
                                        "regress", "mlm",      "pretrain", "embed"};
    const char *head = heads[size % 8], *task = tasks[size / 8 % 8];
    char config[64], weights[64];
    int c = file_of(fuzz_next(&bytes, &size), config), w = file_of((fuzz_part){bytes, size}, weights);
    fuzz_open(&(hub_options){
        .model = weights, .config = config, .head = head, .outputs = "hidden_states,attentions"});
    fuzz_open(&(hub_options){.model = weights, .config = config, .train = {.task = task, .dropout = -1}});
    close(c);
    close(w);
    return 0;
}
