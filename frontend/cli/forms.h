// The forms of what commands print: text for people, JSON lines, CSV (RFC 4180), and of `bertc run` arrays of numpy. --format says which,
// for every command in the same words; --json is --format jsonl.
#ifndef BERTC_CLI_FORMS_H
#define BERTC_CLI_FORMS_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "frontend/cli/options.h"

typedef enum answer_format {
    FORMAT_UNSAID,
    FORMAT_TEXT,
    FORMAT_JSONL,
    FORMAT_CSV,
    FORMAT_NPY,
    FORMAT_NPZ
} answer_format;

// "csv", of FORMAT_UNSAID NULL.
const char *format_name(answer_format f);
// False for other words; NULL is FORMAT_UNSAID.
bool format_find(const char *word, answer_format *out);

// What a command was asked for that prints text, JSON lines or CSV.
typedef struct form_choice {
    bool json;
    const char *word;
    answer_format form; // form_options_check sets it: FORMAT_TEXT where nothing is said
    cJSON *first;       // of form_row: the row whose keys are the header
} form_choice;

// Adds --json and --format. `table`: CSV is among the forms.
void form_options_add(option_table *t, form_choice *c, const char *json, bool table);
// -1, or the exit status of a usage error, which lists the forms. `mode`: NULL, or an option with which there is no table.
int form_options_check(const option_table *t, form_choice *c, bool table, const char *mode);
// Prints a row, an object of numbers and strings, as a line of JSON or of CSV, and deletes it. The first row's keys are the header of
// CSV; a key that another row lacks is an empty field.
void form_row(form_choice *c, cJSON *row);
void form_end(form_choice *c);

// One field, in quotes where it has a comma, a quote or the end of a line.
void csv_field(FILE *out, const char *text, size_t size);
// The fewest digits that give the float back; nothing where it is not finite.
void csv_number(FILE *out, float x);

#endif
