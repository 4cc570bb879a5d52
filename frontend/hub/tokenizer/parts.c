// Functions for all components of tokenizer.json. A component or an option that is not known is an error
// with its JSON path.
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

bool tokenizer_wrong(const tokenizer_spec *s, const char *path, const char *format, ...) {
    char cause[400];
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof cause, format, list);
    va_end(list);
    return diag_error(s->d, s->file, "%s: %s", path, cause);
}

bool tokenizer_keys(const tokenizer_spec *s, const cJSON *v, const char *path, const char *known) {
    if (!cJSON_IsObject(v))
        return tokenizer_wrong(s, path, "is %s where an object is expected", hub_json_kind(v));
    const cJSON *child;
    cJSON_ArrayForEach(child, v) {
        size_t n = strlen(child->string);
        const char *at = n ? strstr(known, child->string) : NULL;
        while (at && ((at != known && at[-1] != ' ') || (at[n] && at[n] != ' ')))
            at = strstr(at + 1, child->string);
        if (!at) return tokenizer_wrong(s, path, "option `%s` is not known", child->string);
    }
    return true;
}

bool tokenizer_add_step(tokenizer_spec *s, tokenizer_steps *to, tokenizer_step step, const char *path) {
    if (to->count == TOKENIZER_MOST_STEPS) return tokenizer_wrong(s, path, "one step too many");
    to->at[to->count++] = step;
    return true;
}

const char *tokenizer_type(const cJSON *v) {
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "type"));
    return kind ? kind : "";
}

bool tokenizer_is(const cJSON *v, const char *kind) {
    return !strcmp(tokenizer_type(v), kind);
}

bool tokenizer_flag(const tokenizer_spec *s, const cJSON *v, const char *path, const char *key, bool usual,
                    bool *out) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(v, key);
    *out = x && !cJSON_IsNull(x) ? cJSON_IsTrue(x) : usual;
    return !x || cJSON_IsNull(x) || cJSON_IsBool(x) ||
           tokenizer_wrong(s, path, "`%s` is %s where true or false is expected", key, hub_json_kind(x));
}

// Calls `one` for each component of a Sequence.
bool tokenizer_each(tokenizer_spec *s, const cJSON *v, const char *path, const char *key,
                    bool (*one)(tokenizer_spec *, const cJSON *, const char *)) {
    if (!tokenizer_keys(s, v, path, arena_printf(s->a, "type %s", key))) return false;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(v, key), *child;
    if (!cJSON_IsArray(list)) return tokenizer_wrong(s, path, "`%s` is no array", key);
    int i = 0;
    cJSON_ArrayForEach(child, list) {
        if (!one(s, child, arena_printf(s->a, "%s.%s[%d]", path, key, i++))) return false;
    }
    return true;
}
