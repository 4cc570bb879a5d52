// What a run comes to, before it begins: its steps, and the room that its largest batch needs.
#ifndef BERTC_CLI_TRAIN_PLAN_H
#define BERTC_CLI_TRAIN_PLAN_H

#include "frontend/cli/train/order.h"

typedef struct train_plan {
    int64_t steps;
    int64_t tokens; // of the largest micro-batch
} train_plan;

// The rule's batches are those of all `processes`, of which each takes its share (order_share).
// `epochs`: whole ones and a part of the last; `max_steps`: not 0, in place of them. A step is `accumulation` batches; the last one of
// an epoch may be fewer.
train_plan plan_of(const order_rule *rule, const int32_t *lengths, int64_t count, int64_t accumulation,
                   double epochs, int64_t max_steps, int processes);

#endif
