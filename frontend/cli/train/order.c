#include "frontend/cli/train/order.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/cli/train/chance.h"
#include "ir/memory.h"

// Fisher and Yates.
static void shuffle(uint32_t *v, int64_t n, uint64_t seed, chance_use use, uint64_t a) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = chance_below(chance_bits(seed, use, a, (uint64_t)i), (uint32_t)i + 1);
        uint32_t kept = v[i];
        v[i] = v[j];
        v[j] = kept;
    }
}

typedef struct placed {
    int32_t length;
    uint32_t place, example;
} placed;

// The longest first; equal ones as they stood.
static int compare_placed(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->length != y->length) return x->length > y->length ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void sort_window(uint32_t *examples, int64_t n, const int32_t *lengths, placed *room) {
    for (int64_t i = 0; i < n; i++) room[i] = (placed){lengths[examples[i]], (uint32_t)i, examples[i]};
    qsort(room, (size_t)n, sizeof *room, compare_placed);
    for (int64_t i = 0; i < n; i++) examples[i] = room[i].example;
}

// Where the batch that begins at `from` ends.
static int64_t batch_end(const order_rule *rule, const uint32_t *examples, const int32_t *lengths,
                         int64_t from, int64_t end) {
    if (!rule->tokens) return from + rule->examples < end ? from + rule->examples : end;
    int64_t sum = 0, at = from;
    for (; at < end && (at == from || sum + lengths[examples[at]] <= rule->tokens); at++)
        sum += lengths[examples[at]];
    return at;
}

// Where the window that begins at `from` ends: ORDER_WINDOW batches of it.
static int64_t window_end(const order_rule *rule, const uint32_t *examples, const int32_t *lengths,
                          int64_t from, int64_t count) {
    order_rule window = *rule;
    window.examples *= ORDER_WINDOW;
    window.tokens *= ORDER_WINDOW;
    return batch_end(&window, examples, lengths, from, count);
}

static void add_batches(order *o, const order_rule *rule, const int32_t *lengths, int64_t from, int64_t end) {
    while (from < end) {
        from = batch_end(rule, o->examples, lengths, from, end);
        o->bounds[++o->batches] = from;
    }
}

// The window's batches from `first` on, in another order: examples and bounds move together.
static void mix_batches(order *o, const order_rule *rule, int64_t first, int64_t epoch) {
    int64_t n = o->batches - first, start = o->bounds[first], size = o->bounds[o->batches] - start, at = 0;
    uint32_t *turn = memory_must(memory_alloc((size_t)n, sizeof *turn));
    uint32_t *examples = memory_must(memory_alloc((size_t)size, sizeof *examples));
    int64_t *bounds = memory_must(memory_alloc((size_t)n + 1, sizeof *bounds));
    for (int64_t i = 0; i < n; i++) turn[i] = (uint32_t)i;
    shuffle(turn, n, rule->seed, CHANCE_BATCH, (uint64_t)epoch << 32 | (uint64_t)first);
    bounds[0] = start;
    for (int64_t i = 0; i < n; i++) {
        int64_t from = o->bounds[first + turn[i]], length = o->bounds[first + turn[i] + 1] - from;
        memcpy(examples + at, o->examples + from, (size_t)length * sizeof *examples);
        at += length;
        bounds[i + 1] = start + at;
    }
    memcpy(o->examples + start, examples, (size_t)size * sizeof *examples);
    memcpy(o->bounds + first, bounds, (size_t)(n + 1) * sizeof *bounds);
    free(turn);
    free(examples);
    free(bounds);
}

void order_make(order *o, const order_rule *rule, const int32_t *lengths, int64_t count, int64_t epoch) {
    *o = (order){.examples = memory_must(memory_alloc((size_t)count, sizeof *o->examples)),
                 .bounds = memory_must(memory_alloc((size_t)count + 1, sizeof *o->bounds))};
    o->bounds[0] = 0;
    for (int64_t i = 0; i < count; i++) o->examples[i] = (uint32_t)i;
    if (!rule->shuffle) {
        add_batches(o, rule, lengths, 0, count);
        return;
    }
    shuffle(o->examples, count, rule->seed, CHANCE_ORDER, (uint64_t)epoch);
    placed *room = memory_must(memory_alloc((size_t)count, sizeof *room));
    for (int64_t from = 0, end; from < count; from = end) {
        int64_t first = o->batches;
        end = window_end(rule, o->examples, lengths, from, count);
        sort_window(o->examples + from, end - from, lengths, room);
        add_batches(o, rule, lengths, from, end);
        mix_batches(o, rule, first, epoch);
    }
    free(room);
}

void order_free(order *o) {
    free(o->examples);
    free(o->bounds);
}

// --- Parts of a batch

order_part order_batch(const order *o, int64_t b) {
    return (order_part){o->examples + o->bounds[b], o->bounds[b + 1] - o->bounds[b]};
}

// The first example of process `rank`'s share: the one that stands behind that part of all tokens.
static int64_t share_by_tokens(const order_part *batch, const int32_t *lengths, int rank, int processes) {
    int64_t all = 0, before = 0, at = 0;
    for (int64_t i = 0; i < batch->count; i++) all += lengths[batch->examples[i]];
    for (; at < batch->count && before * processes < all * rank; at++) before += lengths[batch->examples[at]];
    return at;
}

static int64_t share_first(const order_part *batch, const order_rule *rule, const int32_t *lengths, int rank,
                           int processes) {
    if (rule->tokens) return share_by_tokens(batch, lengths, rank, processes);
    return batch->count * rank / processes;
}

order_part order_share(const order *o, const order_rule *rule, const int32_t *lengths, int64_t b, int rank,
                       int processes) {
    order_part batch = order_batch(o, b);
    int64_t first = share_first(&batch, rule, lengths, rank, processes);
    int64_t end = share_first(&batch, rule, lengths, rank + 1, processes);
    return (order_part){batch.examples + first, end - first};
}
