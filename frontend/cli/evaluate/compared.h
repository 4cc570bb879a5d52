// What texts are compared by: an embedding, weights of tokens (SPLADE), or a vector for each token (ColBERT).
#ifndef BERTC_CLI_COMPARED_H
#define BERTC_CLI_COMPARED_H

#include "runtime/bertc.h"

typedef enum compared_form {
    COMPARED_EMBEDDING,
    COMPARED_SPARSE, // by ids
    COMPARED_VECTORS
} compared_form;

typedef struct compared_rule {
    compared_form form;
    bertc_similarity how;
} compared_rule;

// Of a text.
typedef struct compared {
    float *numbers; // an embedding, weights, or vectors one behind the other
    int32_t *ids;   // of the weights, ascending; else NULL
    int count;      // numbers of the embedding, weights, or vectors
    int width;      // of a vector
    double length;  // of embedding or weights, for cosines
} compared;

// By what the model's answers are compared; of several, by the embedding. False: it answers with nothing of this kind.
bool compared_rule_of(const bertc_model_info *info, compared_rule *out);
// Copies what is compared. False: there is no memory.
bool compared_take(compared *out, const compared_rule *rule, const bertc_result *result);
void compared_free(compared *x);
// How like each other two are: the larger, the more. Of vectors, x is the query.
double compared_likeness(const compared_rule *rule, const compared *x, const compared *y);

#endif
