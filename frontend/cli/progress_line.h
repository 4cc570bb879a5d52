// What is shown on a terminal alone: colours, and the progress of long work, a line on standard error that is drawn over.
#ifndef BERTC_CLI_PROGRESS_LINE_H
#define BERTC_CLI_PROGRESS_LINE_H

#include "ir/ir.h"

// Is that stream a terminal whose cursor can be moved (TERM is not "dumb")? And may it be coloured (NO_COLOR)?
bool is_terminal(int fd);
bool shows_colours(int fd);

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
