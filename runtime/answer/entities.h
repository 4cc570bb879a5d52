// Entities of a text, from the labels of its tokens: tokens are joined to words, words have labels, and words
// with labels of one type are an entity. Pure functions over tokens and logits; none allocates.
#ifndef BERTC_ENTITIES_H
#define BERTC_ENTITIES_H

#include "runtime/answer/label.h"
#include "runtime/load/model.h"

// A token's best label: its number (-1: there are no labels), probability and logit.
typedef struct entity_label {
    int id;
    float score, logit;
} entity_label;
entity_label entity_label_of(const float *logits, int n);

// What entities are made of.
typedef struct entity_view {
    const bertc_model *model;
    const label_mark *marks; // of the model's labels
    const bertc_text *text;
    const bertc_token *tokens;  // those of other texts are stepped over
    int count, before;          // how many; and how many of the sequence come before them
    const entity_label *labels; // [count]
    // Of BERTC_AGGREGATE_AVERAGE alone: [count, labels], and room for a number a label.
    const float *logits;
    double *sums;
    bertc_aggregation how; // with words of the text's own: BERTC_AGGREGATE_WORDS
    bool raw;              // scores are logits
} entity_view;

// Writes the entities to `out`, which has room for `count`. Returns how many.
int entities_find(const entity_view *v, bertc_entity *out);

// The label of each of the text's own words: its first token's. A word without a token: NULL, -1.
void entities_of_words(const entity_view *v, bertc_score *out);

#endif
