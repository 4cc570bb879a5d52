// One call of a model for the texts of a batch, and what is kept of its answers.
#ifndef BERTC_CLI_ANSWER_JOBS_H
#define BERTC_CLI_ANSWER_JOBS_H

#include "frontend/cli/serve/engine.h"

// Texts that ask for the same. Each has an answer or an error then.
void answer_jobs(job **jobs, size_t count);

#endif
