// Values of records: labels, numbers, text. Fields of a CSV are text that may be meant as a number.
#ifndef BERTC_CLI_VALUES_H
#define BERTC_CLI_VALUES_H

#include <cjson/cJSON.h>

#include "frontend/cli/data/data.h"

// A name, a number, or true and false as 1 and 0. False: it is none of these, or an empty name.
bool value_label(const cJSON *v, arena *a, data_label *out);
// A finite number; of a text, all of it.
bool value_number(const cJSON *v, double *out);
// A text, number or truth value as text; NULL: it is none of these, or it is empty.
const char *value_text(const cJSON *v, arena *a);
// A list of the strings between `separators`; text in brackets is a JSON list. NULL: it is none. cJSON_Delete ends it.
cJSON *value_split(const char *text, const char *separators);

#endif
