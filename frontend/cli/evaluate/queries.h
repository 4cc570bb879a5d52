// Queries and the documents that they should find, from a data set. All documents of the file are one list, each text once.
#ifndef BERTC_CLI_QUERIES_H
#define BERTC_CLI_QUERIES_H

#include "frontend/cli/evaluate/evaluate.h"
#include "frontend/cli/evaluate/text_set.h"

typedef struct document_list {
    int count, room;
    int *v; // documents, each once
} document_list;

typedef struct query {
    const char *group; // of the line that it came with first
    document_list positives, negatives;
} query;

typedef struct query_set {
    evaluation *v;
    text_set texts, documents;
    query *queries; // one for each text
    int room;
} query_set;

// Reads the file to its end; `first` is read already. Lines that are none are reported. In v->arena.
void queries_read(query_set *q, evaluation *v, const data_example *first, diag *d);
bool document_listed(const document_list *list, int document);
// Counts the ranks of query `at`, one for each positive, in any order, which becomes ascending.
bool queries_count(query_set *q, int at, int64_t *ranks, diag *d);

#endif
