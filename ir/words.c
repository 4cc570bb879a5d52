#include "ir/words.h"

#include <string.h>

size_t word_distance(const char *word, size_t n, const char *other, size_t *row) {
    size_t m = strlen(other); // row: edits from the letters so far to each start of `other`
    for (size_t k = 0; k <= m; k++) row[k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t across = row[0];
        row[0] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t least = across + (word[i - 1] != other[k - 1]);
            across = row[k];
            if (row[k] + 1 < least) least = row[k] + 1;
            if (row[k - 1] + 1 < least) least = row[k - 1] + 1;
            row[k] = least;
        }
    }
    return row[m];
}
