// The command line: each command has a table of options, which is what it parses and what --help prints.
#ifndef BERTC_CLI_OPTIONS_H
#define BERTC_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef enum option_kind {
    OPTION_FLAG,    // bool, no argument
    OPTION_TEXT,    // const char *
    OPTION_TEXTS,   // text_list: each time that the option is given
    OPTION_INT,     // int64_t, from `least` to `most`
    OPTION_INTS,    // int_list, each from `least` to `most`
    OPTION_NUMBER,  // double, from `floor` to `ceiling`
    OPTION_OPTIONAL // const char *: "--report" alone sets it to "", "--report=x" to x
} option_kind;

#define INT_LIST_MAX 16
typedef struct int_list {
    int count;
    int64_t v[INT_LIST_MAX];
} int_list;

#define TEXT_LIST_MAX 16
typedef struct text_list {
    int count;
    const char *v[TEXT_LIST_MAX];
} text_list;

typedef struct option_row {
    const char *name; // without the dashes
    char letter;      // 0: none
    option_kind kind;
    const char *argument; // in the help: "FILE"
    const char *help;
    void *out;
    int64_t least, most;   // most 0: INT32_MAX, so that it may be kept as an int
    const char *group;     // options_add fills it in
    double floor, ceiling; // ceiling 0: none
} option_row;

#define OPTION_ROWS_MAX 64
typedef struct option_table {
    const char *usage;   // "bertc run MODEL TEXT..."
    const char *summary; // what it does, in a sentence or two
    const char *example; // NULL, or a line that works
    const char *group;   // what the help calls the options that are added from here on; NULL: nothing
    int count;
    option_row rows[OPTION_ROWS_MAX];
} option_table;

void options_add(option_table *t, option_row row);

typedef struct arguments {
    int count;
    char **v;
} arguments;

// Parses argv[1..]; arguments that are no options are left in `rest` (in argv's own array). Returns -1 to
// go on, else the exit status: help was printed, or a usage error was written to stderr.
int options_parse(const option_table *t, int argc, char **argv, arguments *rest);
// "bertc run: MESSAGE" and where the help is; returns EXIT_USAGE.
int usage_error(const option_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

// How many letters are wrong, missing or too many in `word` (n letters) if `other` was meant? -1: more than
// one in three, so it was not.
int word_edits(const char *word, size_t n, const char *other);

#endif
