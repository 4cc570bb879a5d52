// What a request's keys say of how its texts are answered: text-embeddings-inference's, and the names of `bertc run`'s
// options with _ for -.
#include <math.h>
#include <string.h>
#include <strings.h>

#include "frontend/cli/serve/inputs.h"

static const cJSON *member(const cJSON *object, const char *key) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(object, key);
    return x && !cJSON_IsNull(x) ? x : NULL;
}

bool settings_flag(call *c, const cJSON *object, const char *key, bool *to) {
    const cJSON *x = member(object, key);
    if (!x) return true;
    if (!cJSON_IsBool(x)) return call_wrong(c, "`%s` must be true or false", key);
    *to = cJSON_IsTrue(x);
    return true;
}

bool settings_int(call *c, const cJSON *object, const char *key, int64_t least, int64_t most, int64_t *to) {
    const cJSON *x = member(object, key);
    if (!x) return true;
    double v = cJSON_IsNumber(x) ? x->valuedouble : NAN;
    if (!(v >= (double)least && v <= (double)most && v == floor(v)))
        return call_wrong(c, "`%s` must be a whole number from %lld to %lld", key, (long long)least,
                          (long long)most);
    *to = (int64_t)v;
    return true;
}

bool settings_text(call *c, const cJSON *object, const char *key, const char **to) {
    const cJSON *x = member(object, key);
    if (!x) return true;
    if (!cJSON_IsString(x)) return call_wrong(c, "`%s` must be a string", key);
    *to = x->valuestring;
    return true;
}

// --- Those of the runtime's options

static bool one_of(call *c, const char *key, const char *word, const char *const *words, int count, int *to) {
    char known[120];
    size_t n = 0;
    for (int i = 0; word && i < count; i++)
        if (!strcasecmp(word, words[i])) return *to = i, true;
    if (!word) return true;
    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", words[i]);
    return call_wrong(c, "`%s` is \"%.60s\", which is none of %s", key, word, known);
}

static bool read_long(call *c, const cJSON *o) {
    static const char *const ways[] = {"error", "truncate", "window"};
    static const char *const sides[] = {"right", "left"};
    bertc_text_options *to = &c->work.options;
    const char *how = NULL, *side = NULL;
    bool truncate = c->server->options.auto_truncate;
    int way = 0, end = 0;
    int64_t stride = -1, most = to->max_tokens;
    if (!settings_text(c, o, "long", &how) || !settings_text(c, o, "truncation_direction", &side) ||
        !settings_flag(c, o, "truncate", &truncate) || !settings_int(c, o, "stride", 0, INT32_MAX, &stride) ||
        !settings_int(c, o, "max_tokens", 1, INT32_MAX, &most) || !one_of(c, "long", how, ways, 3, &way) ||
        !one_of(c, "truncation_direction", side, sides, 2, &end))
        return false;
    if (how) truncate = way == 1;
    to->truncation = truncate ? BERTC_TRUNCATE_LONGEST_FIRST : BERTC_TRUNCATE_NEVER;
    to->windows = way == 2;
    if (side) to->truncation_side = end ? BERTC_TRUNCATION_LEFT : BERTC_TRUNCATION_RIGHT;
    if (stride >= 0 && !to->windows) return call_wrong(c, "`stride` goes with `long`: \"window\"");
    to->stride = stride > 0 ? (int)stride : stride == 0 ? -1 : 0;
    to->max_tokens = most;
    return true;
}

static bool read_embedding(call *c, const cJSON *o) {
    static const char *const roles[] = {"", "query", "document"};
    bertc_text_options *to = &c->work.options;
    const char *as = NULL;
    int64_t dimensions = 0;
    int role = 0;
    if (!settings_text(c, o, "prompt_name", &to->prompt_name) ||
        !settings_text(c, o, "prompt", &to->prompt) || !settings_text(c, o, "as", &as) ||
        !settings_flag(c, o, "normalize", &c->normalize) ||
        !settings_int(c, o, "dimensions", 1, INT32_MAX, &dimensions) || !one_of(c, "as", as, roles, 3, &role))
        return false;
    if (to->prompt && to->prompt_name) return call_wrong(c, "takes `prompt` or `prompt_name`, not both");
    to->role = role;
    c->dimensions = (int)dimensions;
    to->dimensions = c->dimensions;
    // An embedding of length 1 stays as it is, unless it is cut.
    to->normalize = c->normalize && (!c->model->unit || dimensions);
    return true;
}

static bool read_answer(call *c, const cJSON *o) {
    static const char *const ways[] = {"words", "first", "simple", "average", "max", "none"};
    static const bertc_aggregation known[] = {BERTC_AGGREGATE_WORDS,  BERTC_AGGREGATE_FIRST,
                                              BERTC_AGGREGATE_SIMPLE, BERTC_AGGREGATE_AVERAGE,
                                              BERTC_AGGREGATE_MAX,    BERTC_AGGREGATE_NONE};
    bertc_text_options *to = &c->work.options;
    const char *how = NULL;
    int64_t top = to->top_k, longest = 0;
    int way = 0;
    if (!settings_flag(c, o, "raw_scores", &to->raw_scores) ||
        !settings_flag(c, o, "plain_text", &to->plain_text) ||
        !settings_flag(c, o, "answer_tokens", &to->answer_as_tokens) ||
        !settings_flag(c, o, "no_answer", &to->no_answer) ||
        !settings_int(c, o, "top_k", 1, INT32_MAX, &top) ||
        !settings_int(c, o, "max_answer", 1, INT32_MAX, &longest) ||
        !settings_text(c, o, "aggregation", &how) || !one_of(c, "aggregation", how, ways, 6, &way))
        return false;
    to->top_k = (int)top;
    to->max_answer_tokens = (int)longest;
    to->aggregation = known[way];
    return true;
}

static bool is_word(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; n && (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ')) return true;
    return false;
}

bool settings_read(call *c, const cJSON *object, const char *others, bool strict) {
    static const char known[] =
        "model truncate truncation_direction long stride max_tokens prompt_name prompt as normalize "
        "dimensions raw_scores plain_text answer_tokens no_answer top_k max_answer aggregation";
    for (const cJSON *x = strict ? object->child : NULL; x; x = x->next)
        if (strchr(x->string, ' ') || (!is_word(known, x->string) && !is_word(others, x->string)))
            return call_wrong(c, "there is no key \"%.80s\" here: %s; and %s", x->string, others, known);
    return read_long(c, object) && read_embedding(c, object) && read_answer(c, object);
}
