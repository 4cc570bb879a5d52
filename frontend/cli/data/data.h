// Data sets for training and evaluation: one example after the other from JSON lines, CSV, TSV or plain text, in the forms that
// Hugging Face `datasets` exports (docs/data.md). Files may be larger than memory; an example can be read again by its offset, so
// that they are shuffled without being held.
//
// A bad line is an example with an error, not the end: the caller names it (data_report), counts it, and goes on.
#ifndef BERTC_CLI_DATA_H
#define BERTC_CLI_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"
#include "runtime/bertc.h"

// What an example has. Names of columns: docs/data.md.
typedef enum data_form {
    DATA_TEXT,   // a text; or token ids with labels, or a text with words for its masks (labels)
    DATA_LABEL,  // a text or a pair, and one label
    DATA_LABELS, // a text or a pair, and any number of labels
    DATA_NUMBER, // a text or a pair, and one number or several
    DATA_TAGS,   // words, and a label for each
    DATA_ANSWER, // a question as the text, its context as the pair, and the answers
    DATA_SCORED, // two texts, and how alike they are: one number
    DATA_RANKED, // a text (query, anchor), positives and, where there are any, negatives
    DATA_EMBED   // DATA_SCORED where the line has a score, else DATA_RANKED: number_count says which
} data_form;

typedef struct data_label {
    const char *name; // NULL: it is a number
    double number;    // NaN: its name is no number
} data_label;

typedef struct data_text {
    const char *text; // NUL-ended
    size_t size;
} data_text;

typedef struct data_answer {
    const char *text;
    size_t size;
    // In the context, where the data say where it is (the text has been found to stand there); else -1.
    int64_t byte_start, byte_end;
} data_answer;

typedef struct data_example {
    int64_t line, offset; // where it begins: its line from 1, and its byte in the file
    const char *error;    // NULL, or why it is none: then nothing below is set
    bertc_text text;      // and the pair, or the words
    // DATA_LABEL: 1; DATA_LABELS; DATA_TAGS: of each word; DATA_TEXT: words that may stand for masks
    int label_count;
    const data_label *labels;
    // DATA_LABELS: all are the numbers 0 and 1. Where they are as many as there are labels, they are a mark for each of them.
    bool marks;
    int number_count; // DATA_NUMBER, DATA_SCORED
    const double *numbers;
    int answer_count; // DATA_ANSWER; 0: the context has none
    const data_answer *answers;
    int positive_count, negative_count; // DATA_RANKED
    const data_text *positives, *negatives;
    // DATA_TEXT: token ids in place of a text, each with a label, a token or -100; types: NULL, or those. 0: there is a text.
    int id_count;
    const int32_t *ids, *id_labels, *id_types;
    const char *group; // the value of `group_by` as text; NULL: the line has none
} data_example;

typedef struct data_options {
    data_form form;
    const char *columns; // NULL, or "text=review,label=stars": what columns are called that have other names
    // NULL, or the column whose value is an example's group; several, with commas between.
    const char *group_by;
    bool skip_bad; // data_report makes notes, not errors
    // DATA_RANKED where the line (of CSV: the header) has none of the form's labels or numbers, but positives.
    bool or_ranked;
    bool again; // examples will be read by data_at: a pipe is copied to a file without a name
} data_options;

typedef struct data_source data_source;

// "-": standard input. By the name's ending: .jsonl, .ndjson, .json are JSON lines, .csv, .tsv, .txt (a text per line). Other names:
// JSON lines where the first line begins with {, else TSV where it has a tab, else CSV; of DATA_TEXT, text. The strings of
// `o` must live as long as the source. NULL, with a diagnostic: it can't be read, or a CSV lacks a column. data_close ends it.
data_source *data_open(const char *path, const data_options *o, diag *d);
void data_close(data_source *s);
const char *data_name(const data_source *s); // for messages
int64_t data_bytes(const data_source *s);    // read so far
int64_t data_size(const data_source *s);     // of a regular file; else -1
// The next example; what it points to is in `a`. Lines of white space are left out, but for those of plain text. False at
// the end, or, with a diagnostic, where the file can't be read.
bool data_next(data_source *s, data_example *e, arena *a, diag *d);
// data_next goes on with the example that begins at that offset, in that line, as it gave them.
bool data_seek(data_source *s, int64_t offset, int64_t line, diag *d);
// That example; data_next goes on behind it.
bool data_at(data_source *s, int64_t offset, int64_t line, data_example *e, arena *a, diag *d);
// Counts a bad example, and names it: the first 50 of them. Any text may be the error: a label that is none, say.
void data_report(data_source *s, const data_example *e, const char *error, diag *d);
// A copy of a name in the data for messages: control characters are "?", and what is no UTF-8 is U+FFFD.
const char *data_printable(const char *text, arena *a);
int64_t data_bad(const data_source *s); // how many were reported

// --- labels.c: names and their numbers

typedef struct data_labels data_labels;
// Empty, in `a`; names come by data_labels_add in their order (a model's), or are learnt.
data_labels *data_labels_new(arena *a);
void data_labels_add(data_labels *l, const char *name);
int data_labels_count(const data_labels *l);
const char *data_labels_name(const data_labels *l, int id);
// Its number; -1: there is none. A label is looked for by its name, then by its name in any case, then, if it is a whole
// number or LABEL_ with one, as a number from 0.
int data_labels_find(const data_labels *l, const data_label *label);
// Learning: each label of the file is noted (any order, any number of times), then they get their numbers. Whole numbers of
// which the least is 0 are the labels' own numbers, named LABEL_0 to the largest; other whole numbers are names, ascending;
// names ascend by their bytes, as Transformers' examples and scikit-learn sort them. False, with *why, where there are none,
// more than 65536, or names beside numbers.
void data_labels_note(data_labels *l, const data_label *label);
// data_labels_note_all notes those of an example of DATA_LABELS; where every example is marks, of one length above 1, the labels
// are so many.
void data_labels_note_all(data_labels *l, const data_example *e);
bool data_labels_settle(data_labels *l, const char **why);
// What a reader of the labels may not expect, of numbers: that some below the largest do not occur and are labels too, or that
// numbers below 0 are names. NULL: nothing.
const char *data_labels_remark(const data_labels *l);
// Of an example of DATA_LABELS: marks[i] is 1 where it has label i, else 0. NULL, or why not, in `a`.
const char *data_labels_mark(const data_labels *l, const data_example *e, float *marks, arena *a);
// "'great' is not one of the labels negative, positive"; in `a`.
#define DATA_LABEL_UNKNOWN "' is not one of the labels "
const char *data_labels_unknown(const data_labels *l, const data_label *label, arena *a);

#endif
