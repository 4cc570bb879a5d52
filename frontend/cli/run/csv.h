// Answers as CSV by RFC 4180: a header row, fields in quotes where they need them, CR LF behind each row. A text has as many rows as
// it has labels, entities, answers, words or vectors; `line`, its number from 1, is the first column. The last column is `error`: why
// a text has no answer.
#ifndef BERTC_CLI_CSV_H
#define BERTC_CLI_CSV_H

#include <stdio.h>

#include "frontend/cli/run/run.h"

// What a table's columns depend on.
typedef struct csv_table {
    bertc_task_kind task;
    int64_t width; // of embeddings and vectors
} csv_table;

// The table for a model's answers. False, with a diagnostic: they are of several kinds, which have no columns in common.
bool csv_table_of(csv_table *t, const run_options *o, const bertc_model *model, diag *d);
void csv_header(FILE *out, const csv_table *t);
void csv_answer(FILE *out, const csv_table *t, const run_options *o, int64_t line, const bertc_text *text,
                const bertc_result *r);
// The row of a text that has no answer.
void csv_put_failure(FILE *out, const csv_table *t, int64_t line, const bertc_text *text, const char *why);

#endif
