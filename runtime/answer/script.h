// Does a script put spaces between its words? Where it doesn't, what a tokenizer takes for a word may be a
// whole sentence.
#ifndef BERTC_SCRIPT_H
#define BERTC_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

// False for characters of scripts that are written without spaces, and for the punctuation of these.
bool script_has_spaces(uint32_t c);

#endif
