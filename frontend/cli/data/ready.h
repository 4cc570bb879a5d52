// Examples for masked language models whose masks are chosen already: token ids and labels, as `datasets` exports them, or a text with mask
// tokens and the words that stand for them.
#ifndef BERTC_CLI_READY_H
#define BERTC_CLI_READY_H

#include "frontend/cli/data/record.h"

// Has the record both input_ids and labels?
bool ready_has_ids(const cJSON *object);
// Reads them, and token_type_ids and attention_mask where they are there, into *e. `rows`: values are the fields of a CSV. NULL, or what is
// wrong, in `a`.
const char *ready_read_ids(const cJSON *object, bool rows, data_example *e, arena *a);
// Of labels that are words, a word or a list of them. Others (of classes) are none of masks, and *e stays without.
void ready_read_words(const cJSON *labels, bool rows, data_example *e, arena *a);

#endif
