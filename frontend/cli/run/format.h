// The forms in which `bertc run` writes answers: what --format says, or the ending of -o.
#ifndef BERTC_CLI_FORMAT_H
#define BERTC_CLI_FORMAT_H

#include "frontend/cli/run/run.h"

// Adds --format.
void format_options_add(option_table *t, run_options *o);
// Sets o->said and o->json from --format and --json. -1, or the exit status of a usage error.
int format_options_check(const option_table *t, run_options *o);
// Sets o->format by --format, --json and the ending of -o. False, with a diagnostic that lists the endings: -o has one that isn't
// known, and nothing else says it. What is no regular file (/dev/null, a pipe) gets JSON lines.
bool format_choose(run_options *o, diag *d);

// By a path's ending; FORMAT_UNSAID: it isn't known.
answer_format format_of_path(const char *path);
// Does a file of this form grow row by row, so that --resume can go on with it?
bool format_grows(answer_format f);
// Is a row a number of bytes that answer_take makes, a text?
bool format_is_text(answer_format f);

#endif
