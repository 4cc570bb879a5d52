// What the modes of `bertc run` make of its options and of the model.
#include <string.h>

#include "frontend/cli/run/run.h"

bool truncation_of(const char *word, bertc_truncation *out) {
    if (!word)
        *out = BERTC_TRUNCATE_NEVER;
    else if (!*word || !strcmp(word, "longest"))
        *out = BERTC_TRUNCATE_LONGEST_FIRST;
    else if (!strcmp(word, "first"))
        *out = BERTC_TRUNCATE_ONLY_FIRST;
    else if (!strcmp(word, "second"))
        *out = BERTC_TRUNCATE_ONLY_SECOND;
    else
        return false;
    return true;
}

bool aggregation_of(const char *word, bertc_aggregation *out) {
    static const struct {
        const char *word;
        bertc_aggregation how;
    } known[] = {{"words", BERTC_AGGREGATE_WORDS},   {"first", BERTC_AGGREGATE_FIRST},
                 {"simple", BERTC_AGGREGATE_SIMPLE}, {"average", BERTC_AGGREGATE_AVERAGE},
                 {"max", BERTC_AGGREGATE_MAX},       {"none", BERTC_AGGREGATE_NONE}};
    *out = BERTC_AGGREGATE_WORDS;
    for (size_t i = 0; word && i < sizeof known / sizeof *known; i++)
        if (!strcmp(word, known[i].word)) return *out = known[i].how, true;
    return !word;
}

bertc_text_options run_text_options(const run_options *o) {
    return (bertc_text_options){.truncation = o->truncation,
                                .top_k = (int)o->top_k,
                                .max_answer_tokens = (int)o->max_answer,
                                .answer_as_tokens = o->answer_tokens,
                                .raw_scores = o->raw_scores,
                                .aggregation = o->aggregation,
                                .no_answer = o->no_answer,
                                .dimensions = (int)o->dimensions,
                                .normalize = o->normalize,
                                .max_tokens = o->max_tokens,
                                .prompt_name = o->prompt_name,
                                .prompt = o->prompt,
                                .windows = o->windows,
                                .stride = o->stride > 0 ? (int)o->stride
                                          : o->stride   ? 0
                                                        : -1};
}

int embedding_width(const run_options *o, const bertc_model *model) {
    bertc_model_info info;
    bertc_model_describe(model, &info);
    return info.embedding_size && o->dimensions ? (int)o->dimensions : info.embedding_size;
}

bool check_embedding(const run_options *o, const bertc_model *model, diag *d) {
    bertc_model_info info;
    bertc_model_describe(model, &info);
    const char *given = o->dimensions ? "--dimensions" : o->normalize ? "--normalize" : NULL;
    if (given && !info.embedding_size)
        return diag_error(d, given, "is for embeddings, and the model gives none");
    return o->dimensions <= info.embedding_width || !given ||
           diag_error(d, given, "is %lld, and the model's embeddings have %d numbers",
                      (long long)o->dimensions, info.embedding_width);
}
