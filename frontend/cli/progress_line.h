// The progress of long work: one line on standard error that is drawn over, on a terminal only.
#ifndef BERTC_CLI_PROGRESS_LINE_H
#define BERTC_CLI_PROGRESS_LINE_H

#include "ir/ir.h"

typedef struct progress_line {
    progress_hook hook; // its user is this struct, so it stays where it is
    const char *what;   // as it was drawn last
    int percent;
    bool drawn;
} progress_line;

// What to hand to the work: NULL where standard error is no terminal.
const progress_hook *progress_line_open(progress_line *l);
// Before anything else is printed, and at the end.
void progress_line_clear(progress_line *l);

#endif
