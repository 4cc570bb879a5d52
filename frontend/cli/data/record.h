// A record of a data file, whatever its format: an object of columns. What data_open's files share.
#ifndef BERTC_CLI_RECORD_H
#define BERTC_CLI_RECORD_H

#include <cjson/cJSON.h>
#include <csv.h>

#include "frontend/cli/data/data.h"
#include "frontend/cli/data/line_reader.h"
#include "frontend/cli/data/nul.h"

typedef enum data_format { DATA_JSON, DATA_CSV, DATA_TSV, DATA_PLAIN } data_format;

typedef struct record {
    int64_t line, offset; // where it begins
    const char *error;    // NULL, or why it is none; in the arena
    cJSON *object;        // record_free deletes it
    nul_line nul;         // of texts with NULs (data_string)
} record;
void record_free(record *r);
void record_fail(record *r, arena *a, const char *format, ...) __attribute__((format(printf, 3, 4)));

typedef struct csv_table {
    struct csv_parser parser;
    arena *names; // the header's
    int column_count;
    const char **columns;
} csv_table;

struct data_source {
    line_reader reader;
    data_options options;
    data_format format;
    csv_table csv;
    bool document; // the file is one JSON document, and the reader is in the lines made of it
    bool held;     // the reader's buffer holds a line that is still to be given: `size` bytes
    int64_t size;  // or LINE_OVER
    int64_t bad;
};

// The next line, the one that is held first, without a byte order mark: as line_reader_next.
int64_t source_line(data_source *s, diag *d);

// --- json_record.c: of a line of `n` bytes
void json_record(record *r, const char *line, size_t n, arena *a);

// --- document.c: where the file is one JSON document that holds examples, its lines are read from here on. False, with a diagnostic:
// it can't be read, or is a document of another kind.
bool document_open(data_source *s, diag *d);

// --- csv_record.c
// Reads the header. csv_close in all cases.
bool csv_open(data_source *s, diag *d);
void csv_close(csv_table *t);
// The record that begins with the next line. False at the end.
bool csv_record(data_source *s, record *r, arena *a, diag *d);

// --- example.c
// What the columns are to the source's form; e->error where they are nothing.
void example_read(const data_source *s, record *r, data_example *e, arena *a);
// False, with a diagnostic, where a header lacks a column.
bool example_columns(const data_source *s, diag *d);

#endif
