// The counts of all examples, and of each group of them.
#ifndef BERTC_CLI_TALLY_H
#define BERTC_CLI_TALLY_H

#include "frontend/cli/metrics/metrics.h"

typedef enum evaluate_kind {
    EVALUATE_LABEL,
    EVALUATE_LABELS,
    EVALUATE_NUMBER,
    EVALUATE_TAGS,
    EVALUATE_ANSWER,
    EVALUATE_SCORED, // likeness of pairs
    EVALUATE_RANKED,
    EVALUATE_RERANKED,
    EVALUATE_TEXT // perplexity
} evaluate_kind;
const char *evaluate_kind_name(evaluate_kind kind); // "classify"; in JSON, too

typedef struct tally {
    const char *group; // NULL: of all examples
    int64_t count;
    int64_t cut; // words that were cut off, and not counted
    // Of these the one of the kind.
    label_metrics label;
    multi_label_metrics marks;
    number_metrics numbers;
    span_metrics spans;
    answer_metrics answers;
    rank_metrics ranks;
    double loss; // of tokens, in all
    int64_t tokens, right_tokens;
} tally;

typedef struct tallies {
    arena *arena;
    evaluate_kind kind;
    int labels;
    bool strict;
    const int64_t *cuts;
    int cut_count;
    tally all;
    int count, room;
    tally **groups;    // ascending by name, when all are there (tallies_sort)
    int64_t ungrouped; // examples without a group
} tallies;

// The other fields are the caller's.
void tallies_open(tallies *t);
// That of a group, which is made where there is none yet. NULL: there are GROUPS_MAX already.
tally *tallies_group(tallies *t, const char *group);
void tallies_sort(tallies *t);
void tally_list(const tallies *t, const tally *one, metric_list *out);
// Of label `positive`, for EVALUATE_LABEL and EVALUATE_LABELS.
group_rates tally_rates(const tallies *t, const tally *one, int positive);

#endif
