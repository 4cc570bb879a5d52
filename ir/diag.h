// Diagnostics: errors are data. Each has a place (file, tensor, JSON path, line, pass and node) and a cause. They are
// collected here and printed by `main`. Nothing but `main` prints them or exits.
#ifndef BERTC_IR_DIAG_H
#define BERTC_IR_DIAG_H

#include <stdbool.h>
#include <stdio.h>

typedef enum diag_kind { DIAG_ERROR, DIAG_NOTE } diag_kind;

typedef struct diag_item {
    diag_kind kind;
    char *text; // one line, without newline: "PLACE: cause"
} diag_item;

typedef struct diag {
    diag_item *items;
    int count, capacity, errors;
    bool exhausted;      // there was no memory for an error's text
    const char *subject; // the file being worked on: the place of items without one; borrowed; NULL: unknown
} diag;

void diag_init(diag *d);
void diag_free(diag *d);

// Adds "place: message". `place` names the file and the position in it; NULL: the subject. Always returns false, so
// that a failing function can end with `return diag_error(...)`.
bool diag_error(diag *d, const char *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Adds a note, unless the same one was added before.
void diag_note(diag *d, const char *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool diag_failed(const diag *d);

// Prints "bertc: error: PLACE: cause" and "bertc: note: ..." lines; "bertc: error: out of memory" if no error's text
// could be stored.
void diag_print(const diag *d, FILE *out);

#endif
