// Are the files of a checkpoint as they were written? state.json has the hash of each of them.
#ifndef BERTC_CLI_TRAIN_INTACT_H
#define BERTC_CLI_TRAIN_INTACT_H

#include <cjson/cJSON.h>

#include "ir/ir.h"

// "FOLDER/NAME": "xxh64:..." of each file below the folder, by name; but for README.md, which may be edited. NULL, with a diagnostic:
// one can't be read.
cJSON *intact_files(const char *folder, diag *d);
// False, with a diagnostic that names the file: one of them is missing, or has other bytes.
bool intact_check(const char *folder, const cJSON *files, diag *d);

#endif
