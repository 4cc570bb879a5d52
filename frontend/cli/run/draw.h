// Drawings of an answer for a browser: SVG and HTML files that need no other file. Text is escaped; bytes
// that are no UTF-8 become U+FFFD.
#ifndef BERTC_CLI_DRAW_H
#define BERTC_CLI_DRAW_H

#include <stdio.h>

#include "frontend/cli/cli.h"

// Who looks at whom: n x n weights from 0 to 1, row i: whom token i looks at.
typedef struct attention_map {
    int64_t layer, head, n;
    char **tokens;
    const float *weights;
} attention_map;
void draw_attention(FILE *f, const attention_map *m);

// What each word of a text did for its label: above 0 for it, below against it.
typedef struct word_weight {
    int text; // 0, or 1: of the pair
    size_t start, end;
    double weight;
} word_weight;
typedef struct explanation {
    bertc_text text;
    const char *label;
    double score;
    word_weight *words;
    size_t count;
} explanation;
void draw_explanation_start(FILE *f);
void draw_explanation(FILE *f, const explanation *x);
void draw_explanation_end(FILE *f);
// Of the strongest word, for the strength of a colour; 1e-9 at least.
double explanation_largest(const explanation *x);

#endif
