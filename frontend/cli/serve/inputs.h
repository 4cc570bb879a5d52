// The texts and settings of a request's JSON.
#ifndef BERTC_CLI_INPUTS_H
#define BERTC_CLI_INPUTS_H

#include "frontend/cli/serve/call.h"

// Fills in c->work.jobs, and c->single. NULL or a value of another kind: a reply that names `key`.
// A string, or token ids, or a list of such: text-embeddings-inference's Input. Ids need c->work.output.
bool inputs_read(call *c, cJSON *inputs, const char *key);
// A text, a pair [a, b], or a list of lists of one or two: its PredictInput.
bool inputs_read_pairs(call *c, cJSON *inputs);
// A string, an object with text, pair or words, or a list of such.
bool inputs_read_lines(call *c, cJSON *inputs, const char *key);
// One text for each of `texts`, as the second one of a pair with `query` in front of it; query NULL: each alone.
bool inputs_read_list(call *c, const bertc_text *query, cJSON *texts, const char *key);
// One text.
bool inputs_read_one(call *c, bertc_text text);

// Reads the settings among the object's keys into c->work.options and c->labels. `strict`: a key that is none, and none of
// `others` (separated by spaces), is an error.
bool settings_read(call *c, const cJSON *object, const char *others, bool strict);
// A member of that kind; *out stays as it is where there is none, or null.
bool settings_flag(call *c, const cJSON *object, const char *key, bool *out);
bool settings_int(call *c, const cJSON *object, const char *key, int64_t least, int64_t most, int64_t *out);
bool settings_text(call *c, const cJSON *object, const char *key, const char **out);

// A text of so many characters that no cut of it is read: 413. Adds them to c->characters.
bool inputs_check_length(call *c, const bertc_text *text, bool limited);
// Counts the texts' tokens, holds them against the limits, and gives the work its key. `ids`: keeps them, for WORK_OUTPUT.
bool inputs_count(call *c, bool ids);

#endif
