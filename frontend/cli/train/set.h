// The examples of a file, by number: an index of them is kept (36 bytes each), their texts are read again when a batch needs them.
// So a file may be larger than memory, and its examples may be read in any order.
#ifndef BERTC_CLI_TRAIN_SET_H
#define BERTC_CLI_TRAIN_SET_H

#include "frontend/cli/train/features.h"

typedef struct set_entry {
    int64_t offset, line; // of the example in the file
    int32_t part;         // which of its features
    int32_t lines;        // TRAIN_PRETRAIN: lines that the passage is made of; else 1
    int32_t document;     // TRAIN_PRETRAIN: the document that it is from
} set_entry;

typedef struct train_set {
    data_source *source;
    const feature_rule *rule;
    int64_t count;               // features; an example has one or several
    set_entry *entries;          // [count]
    int32_t *lengths;            // [count]: tokens
    int64_t examples;            // good ones
    int64_t without;             // TRAIN_ANSWER: that have no answer
    int64_t ready, ready_labels; // TRAIN_MLM: whose masks the data chose, and these
    int64_t numbers;             // TRAIN_REGRESS, TRAIN_EMBED: of each example
    int64_t documents;           // TRAIN_PRETRAIN: but for the first one
    int64_t specials;            // TRAIN_PRETRAIN: special tokens of a pair, which `lengths` count
    int64_t longest;             // tokens of the longest text
    bool unknown;                // a bad line has a label that the model's head lacks
    uint64_t print;              // of its examples' tokens and labels: another file has another one
} train_set;

typedef struct set_options {
    const char *path;
    data_options data;
    bool skip_bad;                 // bad lines are left out, and not the end
    const progress_hook *progress; // NULL: none
} set_options;

// Reads the file once: every example must be one of the rule's task, or is named and counted. `learn`: NULL, or where labels are
// noted (rule->labels is then NULL). False, with a diagnostic, where there are bad lines (unless they are skipped), no examples, or too
// many. set_close in both cases; the rule lives as long as the set.
bool set_open(train_set *s, const set_options *o, const feature_rule *rule, data_labels *learn, diag *d);
void set_close(train_set *s);
// The feature numbered `i`, in `a`. Not of TRAIN_PRETRAIN, whose passages are made by passage_read. False, with a diagnostic, where the
// file has changed since.
bool set_read(train_set *s, int64_t i, feature *out, arena *a, diag *d);

// --- passage.c: TRAIN_PRETRAIN's entries. A passage is as many lines of one document as fit, or a piece of a longer line.

typedef struct passage {
    int64_t tokens; // no special ones among them
    int32_t *ids, *words;
    int64_t lines; // that it has
    int64_t *cuts; // [lines - 1]: the tokens that its lines begin with, but for the first line
} passage;

// Adds the entries that a line gives (`f`: its pieces); `first`: its document begins with it.
void passage_index(train_set *s, const data_example *e, const feature_list *f, int64_t room, bool first);
bool passage_read(train_set *s, int64_t i, passage *out, arena *a, diag *d);

// --- entries.c

void set_add(train_set *s, set_entry entry, int64_t tokens);
// The features of entry `i`'s first line; data_next goes on behind it.
bool set_line(train_set *s, int64_t i, feature_list *out, arena *a, diag *d);
// "FILE:LINE: is not what it was when the run began"
bool set_changed(const train_set *s, int64_t line, diag *d);

#endif
