// Answers with the keys of `bertc run --json`: one object for one text, a list for a list.
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/serve/inputs.h"
#include "frontend/cli/serve/routes.h"
#include "ir/memory.h"

static cJSON *key(call *c, const char *name) {
    cJSON *x = cJSON_GetObjectItemCaseSensitive(c->json, name);
    return cJSON_IsNull(x) ? NULL : x;
}

static bool begin(call *c, bool plain, const char *others) {
    c->work.keep = KEEP_JSON;
    c->work.options.plain_text = plain;
    return inputs_read_lines(c, key(c, "inputs"), "inputs") && settings_read(c, c->json, others, true);
}

bool run_begin(call *c) {
    return begin(c, true, "inputs") && inputs_count(c, false);
}

// [MASK] in the text is asked for.
bool mask_begin(call *c) {
    return begin(c, false, "inputs") && inputs_count(c, false);
}

// A question and its context, by Transformers' names, or as texts with pairs.
bool question_begin(call *c) {
    cJSON *question = key(c, "question"), *context = key(c, "context");
    if (!question && !context) return run_begin(c);
    if (!cJSON_IsString(question) || !cJSON_IsString(context))
        return call_wrong(c, "`question` and `context` must both be strings");
    bertc_text text = call_text(c, question), pair = call_text(c, context);
    text.pair = pair.text;
    text.pair_size = pair.size;
    c->work.keep = KEEP_JSON;
    c->work.options.plain_text = true;
    return inputs_read_one(c, text) && settings_read(c, c->json, "question context", true) &&
           inputs_count(c, false);
}

static bool read_labels(call *c) {
    cJSON *labels = key(c, "labels");
    int n = cJSON_IsArray(labels) ? cJSON_GetArraySize(labels) : 0;
    int64_t most = c->server->options.max_client_batch_size;
    if (!cJSON_IsArray(labels)) return call_wrong(c, "missing field `labels`: a list of strings");
    if (!n) return call_fail(c, 400, FAILURE_EMPTY, "Empty", "`labels` cannot be empty");
    if (n > most)
        return call_fail(c, 413, FAILURE_BATCH_SIZE, "Validation",
                         "%d labels > maximum allowed batch size %lld", n, (long long)most);
    const char **list = call_own(c, memory_must(memory_alloc((size_t)n, sizeof *list)));
    n = 0;
    for (const cJSON *x = labels->child; x; x = x->next) {
        if (!cJSON_IsString(x) || !*x->valuestring)
            return call_wrong(c, "`labels` must hold strings that are not empty");
        list[n++] = x->valuestring;
    }
    c->work.labels =
        (bertc_zero_shot_options){BERTC_SIZED(bertc_zero_shot_options), .label_count = n, .labels = list};
    return settings_text(c, c->json, "hypothesis", &c->work.labels.hypothesis) &&
           settings_flag(c, c->json, "multi_label", &c->work.labels.multi_label);
}

bool zero_shot_call_begin(call *c) {
    c->work.kind = WORK_ZERO_SHOT;
    return begin(c, true, "inputs labels hypothesis multi_label") && read_labels(c) && inputs_count(c, false);
}

bool summary_begin(call *c) {
    const cJSON *novelty = key(c, "novelty");
    int64_t sentences = 3;
    c->work.kind = WORK_SUMMARY;
    if (!begin(c, true, "inputs sentences novelty") ||
        !settings_int(c, c->json, "sentences", 1, INT32_MAX, &sentences))
        return false;
    if (novelty && !(cJSON_IsNumber(novelty) && novelty->valuedouble >= 0 && novelty->valuedouble <= 1))
        return call_wrong(c, "`novelty` must be a number from 0 to 1");
    for (int i = 0; i < c->work.count; i++)
        if (c->work.jobs[i].text.pair || c->work.jobs[i].text.words)
            return call_wrong(c, "a text that is summarized has no pair and no words");
    double new = novelty ? novelty->valuedouble : 0;
    c->work.summary = (bertc_summary_options){BERTC_SIZED(bertc_summary_options), .sentence_count = sentences,
                                              .novelty = novelty && new == 0 ? -1 : new};
    c->work.options.truncation = BERTC_TRUNCATE_LONGEST_FIRST; // of sentences
    return inputs_count(c, false);
}

void lines_finish(call *c) {
    if (!c->single) out_text(&c->reply, "[");
    for (int i = 0; i < c->work.count; i++) {
        if (i) out_text(&c->reply, ", ");
        out_text(&c->reply, c->work.jobs[i].json);
    }
    if (!c->single) out_text(&c->reply, "]");
}
