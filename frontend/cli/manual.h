// A command's options as a man page, and as words for bash: what --help=man and --help=bash print. The build makes the files that are
// installed of them (cmake/Manual.cmake), so they say what the program takes.
#ifndef BERTC_CLI_MANUAL_H
#define BERTC_CLI_MANUAL_H

#include "frontend/cli/options.h"

// "bertc-run.1"
void manual_page(const option_table *t);
// A branch of `case $command in` that sets `options`, and `values`, those whose argument is no file.
void manual_words(const option_table *t);
// Text for roff: backslashes, and dots and quotes at the start of a line, are text; hyphens are minus signs.
void manual_text(const char *text);

#endif
