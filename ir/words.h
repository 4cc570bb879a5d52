// Words that people mistype.
#ifndef BERTC_IR_WORDS_H
#define BERTC_IR_WORDS_H
#include <stddef.h>

// Letters that are wrong, missing or too many in the `n` letters of `word` if `other` was meant (Levenshtein 1966). row: room
// for strlen(other) + 1 numbers.
size_t word_distance(const char *word, size_t n, const char *other, size_t *row);

#endif
