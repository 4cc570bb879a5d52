// Lines of a file, or of standard input, as texts: plain, or JSON with `text`, `pair`, `words`, whose other keys are kept for the
// answer. A line that is neither is a row with an error, not the end.
#ifndef BERTC_CLI_LINES_H
#define BERTC_CLI_LINES_H

#include <stdint.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/data/line_reader.h"

typedef struct row {
    int64_t line; // its number, from 1
    char *bytes;  // what `text` points into
    bertc_word *words;
    bertc_text text;
    char *kept;        // NULL, or the other keys of its JSON, as they stand in its answer: `"id": 7, `
    const char *error; // NULL, or why it has no answer
    char *json;        // its answer: JSON, or other text of json_size bytes; or
    size_t json_size;
    float *embedding;
    int rows;            // of `embedding`, where there may be several
    bertc_score *sparse; // ids and scores alone
    int sparse_count;
} row;
void row_free(row *r);
bool row_fail(row *r, const char *why); // returns false

typedef enum line_format {
    LINES_WHOLE, // the line is the text
    LINES_TEXT,  // a tab stands before the pair
    LINES_JSON,
    LINES_EITHER // JSON where it begins with {
} line_format;

typedef struct line_source {
    line_reader reader;
    line_format format;
    const char *pair; // of lines that have none; NULL: none
    bool limited;     // lines behind number `last` are not read
    int64_t last;
    bool single;            // lines are one text: a tab is part of it, and a JSON pair an error
    const arguments *words; // NULL, or texts of the command line, which are the lines then
} line_source;

// "-": standard input. By the name's ending: .txt is text; .jsonl, .ndjson, .json are JSON; else either.
bool lines_open(line_source *s, const char *path, const char *pair, diag *d);
// The texts of a command line, each as it stands.
void lines_of_words(line_source *s, const arguments *words, const char *pair);
void lines_close(line_source *s);
// Reads a line into *r, which row_free frees. False at the end (or on an error, which is in `d`).
bool lines_next(line_source *s, row *r, diag *d);
// Is the next line, or the end, there without waiting for whoever writes to the pipe or terminal? Always of a
// regular file.
bool lines_ready(line_source *s);
// Steps over `n` lines; false where there are fewer.
bool lines_skip(line_source *s, int64_t n, diag *d);
// Names a line that has an error, of which it is the `count`-th: the first 50 of them.
void lines_report(const line_source *s, const row *r, int64_t count, diag *d);

#endif
