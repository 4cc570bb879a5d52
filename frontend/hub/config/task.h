// The task table of an artefact (runtime/abi_task.h), as the frontend writes it.
#ifndef BERTC_HUB_TASK_H
#define BERTC_HUB_TASK_H

#include "frontend/hub/config/config.h"

// What the answer is, the labels, and the longest text in tokens (0: no limit but the positions). Memory from
// `a`. Where a score is not what the config asks for, a note.
const void *hub_task_table(const hub_config *c, int64_t max_length, int32_t mask_id, arena *a, size_t *bytes,
                           diag *d);

#endif
