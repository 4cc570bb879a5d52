// Drawings of an answer for a browser: SVG and HTML files that need no other file. Text is escaped; bytes
// that are no UTF-8 become U+FFFD.
#ifndef BERTC_CLI_DRAW_H
#define BERTC_CLI_DRAW_H

#include <stdio.h>

#include "frontend/cli/cli.h"

// A piece of text as XML and HTML want it.
void draw_text(FILE *f, const char *text, size_t size);

// --- draw_attention.c

// Who looks at whom: n x n weights from 0 to 1, row i: whom token i looks at.
typedef struct attention_map {
    int64_t layer, head, n;
    char **tokens;
    const float *weights;
    double largest; // the weight that has the full colour
} attention_map;
bool draw_attention(FILE *f, const attention_map *m); // false: no memory

// --- draw_explanation.c

// What each word of a text did for an answer: above 0 for it, below against it.
typedef struct word_weight {
    int text; // 0, or 1: of the pair
    size_t start, end;
    double weight;
} word_weight;
typedef struct explanation {
    bertc_text text;
    char label[256]; // of the text, or of an entity; "" of an answer
    double score;
    word_weight *words;
    size_t count;
    // Of an entity or an answer: where it stands, in bytes and in characters, in the text or in its pair.
    bool spanned;
    int span_text;
    size_t span_start, span_end;
    uint32_t char_start, char_end;
} explanation;
void draw_explanation_start(FILE *f);
void draw_explanation(FILE *f, const explanation *x);
void draw_explanation_end(FILE *f);
// Of the strongest word, for the strength of a colour; 1e-9 at least.
double explanation_largest(const explanation *x);
// The text that a word, or the span, is of.
const char *explanation_text(const explanation *x, int text);

#endif
