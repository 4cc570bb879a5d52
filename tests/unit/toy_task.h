// A model by hand with a tokenizer and a head: what it answers follows from the words alone (toy_logit), so
// that a test can say it.
//
// An output of T rows reads each token's id, one of S rows the id of the text's second token (the first
// word), one of R rows the id left of the row's token (the word before the mask).
#ifndef TOY_TASK_H
#define TOY_TASK_H

#include <stdio.h>
#include <unistd.h>

#include "frontend/hub/hub.h"
#include "toy.h"

enum {
    PAD,
    UNK,
    CLS,
    SEP,
    MASK,
    ALICE,
    BOB,
    PARIS,
    LIVES,
    IN,
    GOOD,
    BAD,
    THE,
    COMMA,
    STOP,
    S_SUFFIX,
    WHO,
    YEAR,
    HEAD_VOCAB
};
static const char *const head_words[HEAD_VOCAB] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "alice",
                                                   "bob",   "paris", "lives", "in",    "good",   "bad",
                                                   "the",   ",",     ".",     "##s",   "who",    "2018"};
enum { HEAD_LENGTH = 24, HEAD_TOKENS = 48, HEAD_LABELS = 8, HEAD_LD = 32 };

// The number for output o (0 or 1) in column c, by the id that the output reads. A test sets it.
static float (*toy_logit)(int o, int32_t id, int64_t c);

typedef struct head_output {
    const char *name;
    bertc_symbol leading;
    int64_t width; // 0: rank 0
} head_output;

typedef struct head_model {
    blob memory;
    arena *tokenizer;
    bertc_model *model;
} head_model;

// args: ids, rows, out
static inline void head_write(int o, const head_output *p, void *const *args, const bertc_call *call,
                              int64_t task) {
    const int32_t *ids = args[0], *rows = args[1];
    float *out = args[2];
    int32_t id = p->leading == BERTC_T   ? ids[task]
                 : p->leading == BERTC_S ? ids[call->bounds[task] + 1]
                                         : ids[rows[task] - 1];
    if (p->width == 0) out[task] = toy_logit(o, id, 0);
    for (int64_t c = 0; c < p->width; c++) out[task * HEAD_LD + c] = toy_logit(o, id, c);
}
static head_output head_outputs[2];
static inline void head_first(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                              const void *next, int64_t next_bytes) {
    (void)scratch, (void)next, (void)next_bytes;
    head_write(0, &head_outputs[0], args, call, task);
}
static inline void head_second(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                               const void *next, int64_t next_bytes) {
    (void)scratch, (void)next, (void)next_bytes;
    head_write(1, &head_outputs[1], args, call, task);
}

static inline bertc_variant head_variant(blob *b, int64_t length, int64_t tokens, int outputs, int inputs) {
    const bertc_kernel kernels[2] = {head_first, head_second};
    int64_t at = 0;
    bertc_slot in[4], out[2];
    bertc_phase phases[2];
    for (int i = 0; i < inputs; i++) in[i] = (bertc_slot){toy_place(&at, tokens + 8), 1};
    for (int i = 0; i < outputs; i++) {
        out[i] = (bertc_slot){toy_place(&at, tokens * HEAD_LD), HEAD_LD};
        const bertc_arg args[] = {{BERTC_ARG_ARENA, in[0].offset},
                                  {BERTC_ARG_ARENA, in[3].offset},
                                  {BERTC_ARG_ARENA, out[i].offset}};
        phases[i] = (bertc_phase){.name = blob_string(b, "head"),
                                  .arg_count = 3,
                                  .result_count = 1,
                                  .args = blob_put(b, args, sizeof args, 8),
                                  .kernel = (int64_t)((uintptr_t)kernels[i] - (uintptr_t)b->data),
                                  .dim = head_outputs[i].leading,
                                  .unit = 1,
                                  .inner = 1,
                                  .node = -1};
    }
    int64_t p = blob_put(b, phases, (size_t)outputs * sizeof *phases, 8);
    return (bertc_variant){
        .name = blob_string(b, "toy"),
        .isa = blob_string(b, "toy"),
        .enter = toy_counts ? (int64_t)((uintptr_t)toy_enter - (uintptr_t)b->data) : 0,
        .leave = toy_counts ? (int64_t)((uintptr_t)toy_leave - (uintptr_t)b->data) : 0,
        .length = length,
        .sequences = tokens,
        .tokens = tokens,
        .arena_bytes = at,
        .row_tile = 1,
        .inputs = blob_put(b, in, sizeof in, 8),
        .outputs = blob_put(b, out, sizeof out, 8),
        .phases = {p, p, p, p},
        .phase_count = {(uint32_t)outputs, (uint32_t)outputs, (uint32_t)outputs, (uint32_t)outputs}};
}

// The tokenizer's table, made from a vocab.txt.
static inline void head_tokenizer(head_model *h, const void **table, size_t *bytes) {
    char folder[] = "/tmp/bertc_head_XXXXXX", path[64];
    toy_check(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < HEAD_VOCAB; i++) fprintf(f, "%s\n", head_words[i]);
    fclose(f);
    diag d;
    diag_init(&d);
    if (!hub_tokenizer(path, h->tokenizer, table, bytes, &d)) abort();
    diag_free(&d);
    unlink(path);
    rmdir(folder);
}

static inline void head_ports(blob *b, bertc_descriptor *d) {
    static const char *const inputs[4] = {"ids", "types", "positions", "rows"};
    const uint32_t leading[4] = {BERTC_T, BERTC_T, BERTC_T, BERTC_R};
    bertc_port in[4] = {0}, out[2] = {0};
    for (int i = 0; i < 4; i++)
        in[i] = (bertc_port){.name = blob_string(b, inputs[i]), .elem = BERTC_I32, .leading = leading[i]};
    for (uint32_t i = 0; i < d->output_count; i++)
        out[i] = (bertc_port){.name = blob_string(b, head_outputs[i].name),
                              .leading = head_outputs[i].leading,
                              .rank = head_outputs[i].width ? 1 : 0,
                              .shape = {head_outputs[i].width}};
    d->inputs = blob_put(b, in, sizeof in, 8);
    d->outputs = blob_put(b, out, d->output_count * sizeof *out, 8);
}

static inline void head_task(blob *b, bertc_descriptor *d, bertc_task_kind kind, const char *const *labels) {
    struct {
        bertc_task task;
        uint64_t at[HEAD_LABELS];
        char text[HEAD_LABELS][16];
    } table = {
        .task = {.size = sizeof(bertc_task), .kind = kind, .mask_id = MASK, .labels = sizeof(bertc_task)}};
    for (uint32_t i = 0; labels && labels[i]; i++) {
        table.at[i] = (uint64_t)((char *)table.text[i] - (char *)&table);
        snprintf(table.text[i], sizeof table.text[i], "%s", labels[i]);
        table.task.label_count = i + 1;
    }
    d->task = blob_put(b, &table, sizeof table, 8);
    d->task_bytes = sizeof table;
}

static inline head_model head_open(bertc_task_kind kind, head_output first, head_output second,
                                   const char *const *labels) {
    head_model h = {.memory = blob_new(1 << 16), .tokenizer = arena_new()};
    blob *b = &h.memory;
    int outputs = second.name ? 2 : 1;
    head_outputs[0] = first;
    head_outputs[1] = second;
    bertc_descriptor d = {.abi_version = BERTC_ABI_VERSION,
                          .size = sizeof d,
                          .row_bytes = BERTC_ROW_BYTES,
                          .input_count = 4,
                          .output_count = (uint32_t)outputs,
                          .variant_count = 2,
                          .vocab_size = HEAD_VOCAB,
                          .type_vocab_size = 2,
                          .position_count = HEAD_LENGTH};
    const void *tokenizer;
    size_t bytes;
    memcpy(d.magic, BERTC_MAGIC, sizeof d.magic);
    blob_room(b, sizeof d, 64);
    head_ports(b, &d);
    bertc_variant v[2] = {head_variant(b, 8, 8, outputs, 4),
                          head_variant(b, HEAD_LENGTH, HEAD_TOKENS, outputs, 4)};
    d.variants = blob_put(b, v, sizeof v, 8);
    head_task(b, &d, kind, labels);
    head_tokenizer(&h, &tokenizer, &bytes);
    d.tokenizer = (int64_t)((uintptr_t)tokenizer - (uintptr_t)b->data);
    d.tokenizer_bytes = (int64_t)bytes;
    memcpy(b->data, &d, sizeof d);
    bertc_error error = {""};
    h.model = bertc_load_memory(b->data, NULL, &error);
    if (!h.model) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return h;
}

static inline void head_close(head_model *h) {
    bertc_unload(h->model);
    arena_free(h->tokenizer);
    free(h->memory.data);
}

static inline bertc_text head_text(const char *text, const char *pair) {
    return (bertc_text){
        .text = text, .size = strlen(text), .pair = pair, .pair_size = pair ? strlen(pair) : 0};
}

#endif
