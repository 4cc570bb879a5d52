// Counterfactual texts: words that are swapped for others (he and she), and how the answers change with them.
#ifndef BERTC_CLI_SWAP_H
#define BERTC_CLI_SWAP_H

#include <stdbool.h>

#include "frontend/cli/data/data.h"

#define SWAPS_MAX 256

typedef struct swap_list {
    int count;
    struct {
        const char *from, *to;
    } v[SWAPS_MAX]; // both directions, the command line's first pair first
} swap_list;

// "he:she,his:her": each of a pair becomes the other. A word that stands in several pairs becomes what the first says. NULL, or why
// the text is no such list.
const char *swap_parse(const char *text, swap_list *out, arena *a);
// The text with its words swapped, in `a`: whole words, in any case, and "He" becomes "She", "HE" "SHE". False where none is there.
bool swap_text(const swap_list *l, const char *text, size_t size, const char **out, size_t *out_size,
               arena *a);
// The same of a text and its pair, or of its words one by one.
bool swap_example(const swap_list *l, const bertc_text *text, bertc_text *out, arena *a);

typedef struct swap_counts {
    int64_t texts;   // in which a word was swapped
    int64_t changed; // whose answer changed
    double moved;    // how far the score of the first answer moved, in all
    double most;     // and at most
    int64_t most_line;
} swap_counts;
void swap_count(swap_counts *c, bool changed, double moved, int64_t line);

#endif
