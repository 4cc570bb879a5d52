// In which order examples are read, and which of them are a batch: a function of the seed and the epoch, so that a run that goes
// on after a stop needs to know only how many batches are done.
#ifndef BERTC_CLI_ORDER_H
#define BERTC_CLI_ORDER_H

#include <stdbool.h>
#include <stdint.h>

// Batches of like length are made within windows of so many, as Transformers' group_by_length does.
#define ORDER_WINDOW 50

typedef struct order_rule {
    bool shuffle; // false: as they come
    uint64_t seed;
    int64_t examples; // of a batch; or
    int64_t tokens;   // not 0: as many examples as have so many tokens together, one at least
} order_rule;

// An epoch's batches: batch b is examples[bounds[b]] to examples[bounds[b + 1] - 1].
typedef struct order {
    int64_t batches;
    uint32_t *examples;
    int64_t *bounds;
} order;

// `lengths`: each example's tokens. order_free frees what it holds; *o need not be set before.
void order_make(order *o, const order_rule *rule, const int32_t *lengths, int64_t count, int64_t epoch);
void order_free(order *o);

// Examples of a batch.
typedef struct order_part {
    const uint32_t *examples;
    int64_t count;
} order_part;
// All of batch `b`.
order_part order_batch(const order *o, int64_t b);
// The share of process `rank` of `processes`: neighbouring examples, of nearly equal numbers, or, where batches are made by tokens, of
// nearly equal numbers of these. It may be empty. Shares of all processes in their order are the batch.
order_part order_share(const order *o, const order_rule *rule, const int32_t *lengths, int64_t b, int rank,
                       int processes);

#endif
