// Where the sentences of a text are, by a stated rule (docs/running.md, Summary) over Unicode's categories.
#ifndef BERTC_SENTENCES_H
#define BERTC_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sentence {
    size_t start, end;            // in bytes, without the white space around it
    int64_t char_start, char_end; // in characters
} sentence;

// The sentences of `size` bytes of text, in order; *out is the caller's to free. False: out of memory. Bytes that are no
// UTF-8 count as a character each.
bool sentences_find(const char *text, size_t size, sentence **out, size_t *count);

#endif
