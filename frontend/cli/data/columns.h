// Which columns hold what: the names that `datasets` and the data sets on its hub give them, or those that the user says.
#ifndef BERTC_CLI_COLUMNS_H
#define BERTC_CLI_COLUMNS_H

#include "frontend/cli/data/record.h"

typedef enum data_role {
    ROLE_TEXT,
    ROLE_PAIR,
    ROLE_LABEL,
    ROLE_SCORE,
    ROLE_WORDS,
    ROLE_TAGS,
    ROLE_ANSWERS,
    ROLE_POSITIVE,
    ROLE_NEGATIVE,
    ROLE_COUNT
} data_role;

// Does a record have a column of that name?
typedef bool (*column_is_there)(const void *of, const char *name);
// The column that holds `role` of a form; NULL: there is none. A user's name (--columns) goes first, there or not.
const char *column_find(const data_options *o, data_role role, column_is_there is_there, const void *of,
                        arena *a);
// "text, sentence, content": the names that are looked for; in `a`.
const char *column_names(const data_options *o, data_role role, arena *a);
// The roles that an example must have; a bit each.
unsigned column_needs(data_form form);
// Is the user's text such a list (or NULL)? False, with a diagnostic, where it is none, or names a role that there is not.
bool column_check(const data_options *o, diag *d);
// The word of --columns.
const char *column_role_name(data_role role);

#endif
