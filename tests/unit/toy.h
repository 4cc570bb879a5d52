// A model by hand: a descriptor with all of its tables in one block of memory, and kernels in C whose answers
// are easy to tell.
//
// Outputs, for a token with id i, type y, position p in a text of ids i0..:
//   last_hidden_state [T,4]: i, y, p, i + the text's first id        pooler_output [S,2]: a sum over the text
//   in order, first id logits [R,8]: 10 * id of the row + column                        attentions.0 [T,2,M]:
//   1000 * i + i_j + 0.5 * head
#ifndef TOY_H
#define TOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/abi.h"
#include "runtime/bertc.h"

enum { TOY_VOCAB = 100, TOY_TYPES = 3, TOY_POSITIONS = 64, TOY_TILE = 8 };
enum { TOY_HIDDEN, TOY_POOLER, TOY_LOGITS, TOY_ATTENTION, TOY_OUTPUTS };
enum { TOY_IDS, TOY_TYPE_IDS, TOY_POSITION_IDS, TOY_BOUNDS, TOY_ROWS, TOY_ROW_BOUNDS, TOY_INPUTS };
enum { TOY_PHASES = 4, TOY_HIDDEN_WIDTH = 4, TOY_LD = 16, TOY_COLUMNS = 64, TOY_STREAM = 16 };

// A test that can't be set up must not go on, in release builds either.
static inline void toy_check(bool good) {
    if (!good) abort();
}

typedef struct blob {
    char *data;
    size_t size, capacity;
} blob;

// Room for `size` zeroed bytes at a multiple of `align`; its offset. Pointers into the block do not live past
// the next call.
static inline int64_t blob_room(blob *b, size_t size, size_t align) {
    size_t at = (b->size + align - 1) / align * align;
    toy_check(at + size <= b->capacity);
    b->size = at + size;
    return (int64_t)at;
}
static inline int64_t blob_put(blob *b, const void *bytes, size_t size, size_t align) {
    int64_t at = blob_room(b, size, align);
    memcpy(b->data + at, bytes, size);
    return at;
}
static inline int64_t blob_string(blob *b, const char *s) {
    return blob_put(b, s, strlen(s) + 1, 1);
}

// --- Kernels. args: ids, types, positions, rows, weights, result.

// What kernels were given to fetch: from where in the weights, by task's parity of the phase that is meant.
static _Atomic int toy_fetches[TOY_PHASES][2], toy_wrong_fetches;
// Threads that enter and leave, and tasks that find their thread not entered once. Counted where the variant has them.
static _Thread_local int toy_inside;
static _Atomic int toy_enters, toy_leaves, toy_outside;
static bool toy_counts;
static inline void toy_enter(void) {
    toy_enters++;
    toy_inside++;
}
static inline void toy_leave(void) {
    toy_leaves++;
    if (--toy_inside) toy_outside++;
}

static long toy_pause; // nanoseconds that a task takes at least
typedef struct toy_args {
    const int32_t *ids, *types, *positions, *rows;
    const float *weights;
    float *out;
} toy_args;
// Pool and attention stream: two tasks a text, TOY_STREAM bytes apart (below).
static inline toy_args toy_read(void *const *a, int phase, const void *next, int64_t next_bytes) {
    toy_args t = {a[0], a[1], a[2], a[3], a[4], a[5]};
    int64_t at = (const char *)next - (const char *)a[4];
    int meant = phase < TOY_POOLER ? TOY_POOLER : TOY_ATTENTION;
    if (next_bytes == TOY_STREAM && phase < TOY_ATTENTION && (at == 0 || at == TOY_STREAM))
        toy_fetches[meant][at > 0]++;
    else if (next_bytes != 0 || next)
        toy_wrong_fetches++;
    if (toy_counts && toy_inside != 1) toy_outside++;
    if (toy_pause) nanosleep(&(struct timespec){.tv_nsec = toy_pause}, NULL);
    return t;
}

static inline void toy_embed(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                             const void *next, int64_t next_bytes) {
    toy_args a = toy_read(args, TOY_HIDDEN, next, next_bytes);
    float *tile = scratch; // as a kernel would
    for (int64_t t = task * TOY_TILE; t < (task + 1) * TOY_TILE; t++) {
        int64_t s = 0;
        while (s < call->sequences && call->bounds[s + 1] <= t) s++;
        tile[0] = (float)a.ids[t];
        tile[1] = (float)a.types[t];
        tile[2] = (float)a.positions[t];
        tile[3] = s < call->sequences ? (float)(a.ids[t] + a.ids[call->bounds[s]]) : -1.0f;
        memcpy(a.out + t * TOY_LD, tile, 4 * sizeof *tile);
    }
}
// inner = 2: one task a column.
static inline void toy_pool(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                            const void *next, int64_t next_bytes) {
    toy_args a = toy_read(args, TOY_POOLER, next, next_bytes);
    (void)scratch;
    int64_t s = task / 2;
    float sum = 0;
    for (int64_t t = call->bounds[s]; t < call->bounds[s + 1]; t++)
        sum = sum * a.weights[0] + (float)a.ids[t] * 0.1f; // rounds at each step: the order shows
    a.out[s * TOY_LD + task % 2] = task % 2 ? (float)a.ids[call->bounds[s]] : sum;
}
static inline void toy_logits(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                              const void *next, int64_t next_bytes) {
    toy_args a = toy_read(args, TOY_LOGITS, next, next_bytes);
    (void)scratch;
    for (int64_t r = task * TOY_TILE; r < (task + 1) * TOY_TILE && r < call->rows; r++)
        for (int v = 0; v < 8; v++) a.out[r * TOY_LD + v] = (float)(10 * a.ids[a.rows[r]] + v);
}
static inline void toy_attend(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                              const void *next, int64_t next_bytes) {
    toy_args a = toy_read(args, TOY_ATTENTION, next, next_bytes);
    (void)scratch;
    int64_t ld = TOY_COLUMNS, from = call->bounds[task / 2], to = call->bounds[task / 2 + 1], h = task % 2;
    for (int64_t t = from; t < to; t++)
        for (int64_t j = from; j < to; j++)
            a.out[(t * 2 + h) * ld + (j - from)] = (float)(1000 * a.ids[t] + a.ids[j]) + 0.5f * (float)h;
}

// --- The descriptor

typedef struct toy_variant {
    const char *name;
    uint64_t features;
    int64_t length, tokens; // length at most TOY_COLUMNS
    const char *isa;        // NULL: "toy"
    const char *class_name; // NULL: none
    uint32_t rank;
} toy_variant;

typedef struct toy_options {
    const toy_variant *variants;
    int variant_count;
    int64_t kernels[TOY_PHASES]; // offsets from the descriptor
    int64_t enter, leave;        // likewise; 0: none
    bertc_position_rule rule;
    int32_t position_start, pad_id;
    const void *task, *tokenizer; // NULL: none
    size_t task_bytes, tokenizer_bytes;
    size_t
        more; // bytes that a later version has at the end of the descriptor and of each row; a multiple of 8
} toy_options;

// Rows with `more` bytes behind each, which nobody may read as something else.
static inline int64_t toy_rows(blob *b, const void *rows, size_t count, size_t size, size_t more) {
    int64_t at = blob_room(b, count * (size + more), 8);
    memset(b->data + at, 0xab, count * (size + more));
    for (size_t i = 0; i < count; i++)
        memcpy(b->data + at + i * (size + more), (const char *)rows + i * size, size);
    return at;
}
#define TOY_ROWS_OF(b, rows, count, more) toy_rows(b, rows, count, sizeof *(rows), more)

static inline void toy_ports(blob *b, size_t more, int64_t *inputs, int64_t *outputs) {
    static const char *const in_names[] = {"ids", "types", "positions", "bounds", "rows", "row_bounds"};
    static const char *const out_names[] = {"last_hidden_state", "pooler_output", "logits", "attentions.0"};
    const uint32_t in_leading[] = {BERTC_T, BERTC_T, BERTC_T, BERTC_S, BERTC_R, BERTC_S};
    bertc_port in[TOY_INPUTS] = {0},
               out[TOY_OUTPUTS] = {
                   [TOY_HIDDEN] = {.leading = BERTC_T, .rank = 1, .shape = {TOY_HIDDEN_WIDTH}},
                   [TOY_POOLER] = {.leading = BERTC_S, .rank = 1, .shape = {2}, .reads_first = 1},
                   [TOY_LOGITS] = {.leading = BERTC_R, .rank = 1, .shape = {8}},
                   [TOY_ATTENTION] = {.leading = BERTC_T, .rank = 2, .ragged = 1, .shape = {2, 0}}};
    for (int i = 0; i < TOY_INPUTS; i++)
        in[i] =
            (bertc_port){.name = blob_string(b, in_names[i]), .elem = BERTC_I32, .leading = in_leading[i]};
    for (int i = 0; i < TOY_OUTPUTS; i++) out[i].name = blob_string(b, out_names[i]);
    *inputs = TOY_ROWS_OF(b, in, TOY_INPUTS, more);
    *outputs = TOY_ROWS_OF(b, out, TOY_OUTPUTS, more);
}

static inline int64_t toy_place(int64_t *end, int64_t elements) {
    int64_t at = *end;
    *end += (elements * 4 + 63) / 64 * 64;
    return at;
}

static inline bertc_variant toy_make_variant(blob *b, const toy_variant *t, const toy_options *o) {
    static const char *const names[] = {"embed", "pool", "logits", "attend"};
    const uint32_t dims[] = {BERTC_T, BERTC_S, BERTC_R, BERTC_S};
    int64_t rows = (t->tokens + TOY_TILE - 1) / TOY_TILE * TOY_TILE, end = 0, ld[TOY_OUTPUTS];
    bertc_slot in[TOY_INPUTS], out[TOY_OUTPUTS];
    for (int i = 0; i < TOY_INPUTS; i++) in[i] = (bertc_slot){toy_place(&end, rows + 1), 1};
    for (int i = 0; i < TOY_OUTPUTS; i++) {
        ld[i] = i == TOY_ATTENTION ? TOY_COLUMNS : TOY_LD;
        out[i] = (bertc_slot){toy_place(&end, rows * ld[i] * (i == TOY_ATTENTION ? 2 : 1)), ld[i]};
    }
    bertc_phase phases[TOY_PHASES];
    for (int i = 0; i < TOY_PHASES; i++) {
        const bertc_arg args[] = {{BERTC_ARG_ARENA, in[TOY_IDS].offset},
                                  {BERTC_ARG_ARENA, in[TOY_TYPE_IDS].offset},
                                  {BERTC_ARG_ARENA, in[TOY_POSITION_IDS].offset},
                                  {BERTC_ARG_ARENA, in[TOY_ROWS].offset},
                                  {BERTC_ARG_WEIGHT, 0},
                                  {BERTC_ARG_ARENA, out[i].offset}};
        bool rowwise = dims[i] != BERTC_S;
        phases[i] = (bertc_phase){.name = blob_string(b, names[i]),
                                  .kernel = o->kernels[i],
                                  .arg_count = 6,
                                  .result_count = 1,
                                  .args = TOY_ROWS_OF(b, args, 6, o->more),
                                  .dim = dims[i],
                                  .unit = rowwise ? TOY_TILE : 1,
                                  .inner = rowwise ? 1 : 2,
                                  .stream = 4,
                                  .stream_step = rowwise ? 0 : TOY_STREAM,
                                  .stream_bytes = rowwise ? 0 : TOY_STREAM,
                                  .node = i,
                                  .flops_call = 1,
                                  .flops_row = 2,
                                  .flops_pair = 3,
                                  .weight_bytes = 4,
                                  .row_bytes = 5};
    }
    int64_t at = TOY_ROWS_OF(b, phases, TOY_PHASES, o->more);
    return (bertc_variant){.name = blob_string(b, t->name),
                           .isa = blob_string(b, t->isa ? t->isa : "toy"),
                           .rank = t->rank,
                           .class_name = t->class_name ? blob_string(b, t->class_name) : 0,
                           .enter = o->enter,
                           .leave = o->leave,
                           .features = t->features,
                           .length = t->length,
                           .sequences = t->tokens,
                           .tokens = t->tokens,
                           .arena_bytes = end,
                           .scratch_bytes = 256,
                           .row_tile = TOY_TILE,
                           .inputs = TOY_ROWS_OF(b, in, TOY_INPUTS, o->more),
                           .outputs = TOY_ROWS_OF(b, out, TOY_OUTPUTS, o->more),
                           .phases = {at, at, at, at},
                           .phase_count = {TOY_PHASES, TOY_PHASES, TOY_PHASES, TOY_PHASES}};
}

// Writes a descriptor at the block's start; the block must be empty.
static inline void toy_build(blob *b, const toy_options *o) {
    const char json[] = "{\"toy\": true}";
    _Alignas(64) const float weights[16] = {1.0009765625f};
    bertc_descriptor d = {.magic = "BERTCar",
                          .abi_version = BERTC_ABI_VERSION,
                          .size = (uint32_t)(sizeof d + o->more),
                          .row_bytes = BERTC_ROW_BYTES,
                          .input_count = TOY_INPUTS,
                          .output_count = TOY_OUTPUTS,
                          .variant_count = (uint32_t)o->variant_count,
                          .vocab_size = TOY_VOCAB,
                          .type_vocab_size = TOY_TYPES,
                          .position_count = TOY_POSITIONS,
                          .position_rule = o->rule,
                          .position_start = o->position_start,
                          .pad_id = o->pad_id,
                          .weights_bytes = sizeof weights,
                          .task_bytes = (int64_t)o->task_bytes,
                          .tokenizer_bytes = (int64_t)o->tokenizer_bytes,
                          .json_bytes = sizeof json};
    bertc_variant variants[8];
    memcpy(d.magic, BERTC_MAGIC, sizeof d.magic);
    for (int i = 0; i < BERTC_ROW_COUNT; i++) d.row_bytes[i] += (uint32_t)o->more;
    memset(b->data + blob_room(b, sizeof d + o->more, 64), 0xab, sizeof d + o->more);
    toy_ports(b, o->more, &d.inputs, &d.outputs);
    toy_check(o->variant_count <= 8);
    for (int i = 0; i < o->variant_count; i++) variants[i] = toy_make_variant(b, &o->variants[i], o);
    d.variants = TOY_ROWS_OF(b, variants, (size_t)o->variant_count, o->more);
    d.weights = blob_put(b, weights, sizeof weights, 64);
    d.json = blob_put(b, json, sizeof json, 1);
    if (o->task) d.task = blob_put(b, o->task, o->task_bytes, 8);
    if (o->tokenizer) d.tokenizer = blob_put(b, o->tokenizer, o->tokenizer_bytes, 64);
    memcpy(b->data, &d, sizeof d);
}

static inline blob blob_new(size_t capacity) {
    blob b = {.data = aligned_alloc(64, capacity), .capacity = capacity};
    toy_check(b.data);
    memset(b.data, 0, capacity);
    return b;
}

// A descriptor in memory with the kernels above; free(blob.data) when its model is unloaded.
static inline blob toy_memory(toy_options o) {
    const bertc_kernel kernels[TOY_PHASES] = {toy_embed, toy_pool, toy_logits, toy_attend};
    blob b = blob_new(1 << 16);
    for (int i = 0; i < TOY_PHASES; i++) o.kernels[i] = (int64_t)((uintptr_t)kernels[i] - (uintptr_t)b.data);
    if (toy_counts) o.enter = (int64_t)((uintptr_t)toy_enter - (uintptr_t)b.data);
    if (toy_counts) o.leave = (int64_t)((uintptr_t)toy_leave - (uintptr_t)b.data);
    toy_build(&b, &o);
    return b;
}

#endif
