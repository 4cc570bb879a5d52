// Texts with NUL characters through cJSON, whose strings end at one: on the way in each \u0000 is a byte that
// UTF-8 never has.
#ifndef BERTC_CLI_NUL_H
#define BERTC_CLI_NUL_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

typedef struct nul_line {
    char *copy;    // the line with the byte in place of each \u0000; NULL: it has none
    size_t size;   // of the copy, which ends in NUL
    char stand_in; // the byte
} nul_line;

// False, with *why, where the line can't be read so: a NUL byte stands in it, or no byte is left that neither it
// nor `beside` (NULL: nothing) holds. nul_close in all cases.
bool nul_open(nul_line *x, const char *line, size_t size, const char *beside, const char **why);
void nul_close(nul_line *x);
// Puts NULs in place of the byte.
void nul_restore(const nul_line *x, char *text, size_t size);

// A JSON string of a text that may hold NULs, and U+FFFD for each byte that is no UTF-8. NULL: out of memory.
cJSON *nul_string(const char *text, size_t size);

#endif
