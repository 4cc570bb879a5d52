// What the modes of `bertc run` make of its options and of the model.
#include <string.h>

#include "frontend/cli/run/run.h"

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

bool role_of(const char *word, bertc_role *out) {
    *out = !word ? BERTC_ROLE_NONE : !strcmp(word, "query") ? BERTC_ROLE_QUERY : BERTC_ROLE_DOCUMENT;
    return *out != BERTC_ROLE_DOCUMENT || !strcmp(word, "document");
}

bertc_text_options run_text_options(const run_options *o) {
    bertc_text_options to = {BERTC_SIZED(bertc_text_options),
                             .top_k = (int)o->top_k,
                             .max_answer_tokens = (int)o->max_answer,
                             .answer_as_tokens = o->answer_tokens,
                             .raw_scores = o->raw_scores,
                             .aggregation = o->aggregation,
                             .no_answer = o->no_answer,
                             .dimensions = (int)o->dimensions,
                             .normalize = o->normalize,
                             .role = o->role};
    reading_apply(&o->read, o->read.windows, &to);
    return to;
}

int embedding_width(const run_options *o, const bertc_model *model) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    return info.embedding_size && o->dimensions ? (int)o->dimensions : info.embedding_size;
}

int64_t sparse_alone(const bertc_model *model) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    return info.embedding_size || info.vector_width ? 0 : info.sparse_width;
}

bool compares_sparse(bertc_similarity how, diag *d) {
    return (how != BERTC_SIMILARITY_MAXSIM && how != BERTC_SIMILARITY_MEAN_MAXSIM) ||
           diag_error(d, "--similarity", "sparse vectors are compared by %s, %s, %s or %s, not by %s",
                      hub_similarity_name(0), hub_similarity_name(1), hub_similarity_name(2),
                      hub_similarity_name(3), hub_similarity_name((int)how));
}

bool check_embedding(const run_options *o, const bertc_model *model, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    const char *given = o->dimensions ? "--dimensions" : o->normalize ? "--normalize" : NULL;
    if (given && !info.embedding_size)
        return diag_error(d, given, "is for embeddings, and the model gives none");
    return o->dimensions <= info.embedding_width || !given ||
           diag_error(d, given, "is %lld, and the model's embeddings have %d numbers",
                      (long long)o->dimensions, info.embedding_width);
}
