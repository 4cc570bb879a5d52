// Texts, each once, in the order in which they came.
#ifndef BERTC_CLI_TEXT_SET_H
#define BERTC_CLI_TEXT_SET_H

#include "frontend/cli/data/data.h"

typedef struct text_set {
    arena *arena; // what the texts and the table are in
    data_text *v;
    int64_t *lines; // in which each came first
    int count, room;
    int *slots; // -1: free; a power of two of them, more than twice `room`
    int slot_count;
} text_set;

// The number of a text, which is copied where it is new.
int text_set_add(text_set *s, const char *text, size_t size, int64_t line);

#endif
