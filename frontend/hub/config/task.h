// The task table of an artefact (runtime/abi_task.h), as the frontend writes it.
#ifndef BERTC_HUB_TASK_H
#define BERTC_HUB_TASK_H

#include "frontend/hub/config/config.h"

// What the tokenizer makes of the tokens that a late interaction names: -1: no token of it.
typedef struct hub_late_ids {
    int32_t expansion;
    int32_t *skipped; // [late.skipped_count]; or, of several answers, the special tokens, [special_count]
    int special_count;
} hub_late_ids;

// What the answer is, the labels, and the longest text in tokens (0: no limit but the positions). Memory from
// `a`. Where a score is not what the config asks for, a note.
const void *hub_task_table(const hub_config *c, int64_t max_length, int32_t mask_id, const hub_late_ids *ids,
                           arena *a, size_t *bytes, diag *d);

#endif
