// Words that people mistype.
#ifndef BERTC_IR_WORDS_H
#define BERTC_IR_WORDS_H
#include <stddef.h>

// How many letters of `word` (`n` letters) are wrong, missing or too many if `other` was meant (Levenshtein 1966).
// row: room for strlen(other) + 1 numbers.
size_t word_distance(const char *word, size_t n, const char *other, size_t *row);

#endif
