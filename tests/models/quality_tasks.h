// The tasks of the trained checkpoints: each goes through its dev set, every `step`th line, and counts.
#ifndef BERTC_TESTS_QUALITY_TASKS_H
#define BERTC_TESTS_QUALITY_TASKS_H

#include "quality.h"

typedef struct quality_counts {
    int asked;                // texts, sentences, questions or pairs
    int right, wrong, missed; // SST-2: right; entities: spans; SQuAD: right is exact
    double f1;                // SQuAD: the mean of asked
    double correlation;       // STS-B: Spearman's, of cosines and gold scores
} quality_counts;

#define QUALITY_LENGTH 128 // tokens at which the references of the short tasks were cut
#define QUALITY_WINDOW 384 // of SQuAD

quality_counts quality_sst2(quality *q, int step);
quality_counts quality_entities(quality *q, int step);
quality_counts quality_similarity(quality *q, int step);
// Contexts whole, in windows of QUALITY_WINDOW tokens that share 128.
quality_counts quality_squad(quality *q, int step);

// --- Retrieval: the questions of SQuAD's dev set, each against all contexts.

#define QUALITY_NEIGHBOURS 10

typedef struct quality_embeddings {
    int contexts, questions, size;
    float *context, *question; // [contexts,size], [questions,size], each of length 1
    int *gold;                 // of each question: the context that it was asked of
} quality_embeddings;

// Every `step`th context and, where step is above 1, the first question alone that was asked of it.
quality_embeddings quality_embed(quality *q, int step);
void quality_embeddings_free(quality_embeddings *e);
// nDCG@10: the mean of 1 / log2(1 + rank) of the one right context, 0 beyond rank 10.
double quality_ndcg(const quality_embeddings *e);
// Of each question's 10 nearest contexts, the share that is among the 10 nearest of `reference` too.
double quality_same_neighbours(const quality_embeddings *e, const quality_embeddings *reference);
// The smallest cosine of a text's embedding and that of `reference`.
double quality_worst_cosine(const quality_embeddings *e, const quality_embeddings *reference);

#endif
