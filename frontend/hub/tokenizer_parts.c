// The normaliser and the pre-tokeniser of tokenizer.json as steps, and what all its components need. A
// component or an option that is not known is an error with its JSON path.
#include <string.h>

#include "tokenizer_spec.h"

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

static bool add_normalizer(tokenizer_spec *s, bertc_normalizer_kind kind, uint32_t flags, const char *text,
                           const char *text2, const char *path) {
    return tokenizer_add_step(s, &s->normalizer, (tokenizer_step){kind, flags, text, text2}, path);
}

static bool bert_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool clean, chinese, lower, strip;
    if (!tokenizer_keys(s, v, path, "type clean_text handle_chinese_chars strip_accents lowercase") ||
        !tokenizer_flag(s, v, path, "clean_text", true, &clean) ||
        !tokenizer_flag(s, v, path, "handle_chinese_chars", true, &chinese) ||
        !tokenizer_flag(s, v, path, "lowercase", true, &lower) ||
        !tokenizer_flag(s, v, path, "strip_accents", lower, &strip))
        return false;
    for (int i = 0; i < s->normalizer.count; i++) {
        if (s->normalizer.at[i].kind == BERTC_STEP_BERT_NORMALIZER)
            return tokenizer_wrong(s, path, "a second BertNormalizer");
    }
    uint32_t flags = (clean ? BERTC_BERT_CLEAN : 0) | (chinese ? BERTC_BERT_CHINESE : 0) |
                     (strip ? BERTC_BERT_STRIP : 0) | (lower ? BERTC_BERT_LOWERCASE : 0);
    return add_normalizer(s, BERTC_STEP_BERT_NORMALIZER, flags, NULL, NULL, path);
}

// {"pattern": {"String": "``"}, "content": "\""}; of regular expressions the one that files hold.
static bool replace_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(v, "pattern");
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "String"));
    const char *regex = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "Regex"));
    const char *content = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "content"));
    if (!tokenizer_keys(s, v, path, "type pattern content")) return false;
    if (!content || cJSON_GetArraySize(pattern) != 1 || (!text && !regex) || (text && !*text))
        return tokenizer_wrong(s, path, "lacks a pattern or its content");
    if (regex && strcmp(regex, " {2,}"))
        return tokenizer_wrong(s, path, "regular expression `%s` is not known", regex);
    return add_normalizer(s, regex ? BERTC_STEP_COLLAPSE : BERTC_STEP_REPLACE, 0,
                          arena_strdup(s->a, regex ? " " : text), arena_strdup(s->a, content), path);
}

static bool strip_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool left, right;
    return tokenizer_keys(s, v, path, "type strip_left strip_right") &&
           tokenizer_flag(s, v, path, "strip_left", true, &left) &&
           tokenizer_flag(s, v, path, "strip_right", true, &right) &&
           add_normalizer(s, BERTC_STEP_STRIP, (left ? 1u : 0) | (right ? 2u : 0), NULL, NULL, path);
}

static bool prepend_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "prepend"));
    if (!tokenizer_keys(s, v, path, "type prepend")) return false;
    if (!text) return tokenizer_wrong(s, path, "lacks what it prepends");
    return add_normalizer(s, BERTC_STEP_PREPEND, 0, arena_strdup(s->a, text), NULL, path);
}

// Bytes of base64, NULL where it is none.
static uint8_t *decode_base64(arena *a, const char *text, size_t *size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *out = arena_alloc(a, strlen(text) + 4);
    uint32_t bits = 0, count = 0;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit) return NULL;
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count >= 8) count -= 8, out[(*size)++] = (uint8_t)(bits >> count);
    }
    return strspn(text, "=") == strlen(text) ? out : NULL;
}

// sentencepiece's map: the size of its trie, the trie, texts that end in NUL.
static bool charsmap_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "precompiled_charsmap"));
    if (!tokenizer_keys(s, v, path, "type precompiled_charsmap")) return false;
    if (s->charsmap) return tokenizer_wrong(s, path, "a second character map");
    size_t size = 0;
    uint8_t *data = text ? decode_base64(s->a, text, &size) : NULL;
    uint32_t trie = 0;
    if (data && size >= 4) memcpy(&trie, data, 4);
    if (!data || size < 9 || trie % 4 || trie < 4 || trie > size - 5 || data[size - 1])
        return tokenizer_wrong(s, path, "precompiled_charsmap is no character map");
    s->charsmap = data;
    s->charsmap_bytes = size;
    return add_normalizer(s, BERTC_STEP_CHARSMAP, 0, NULL, NULL, path);
}

bool tokenizer_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    static const struct {
        const char *name;
        bertc_normalizer_kind kind;
    } plain[] = {{"NFD", BERTC_STEP_NFD},
                 {"NFKD", BERTC_STEP_NFKD},
                 {"Lowercase", BERTC_STEP_LOWERCASE},
                 {"StripAccents", BERTC_STEP_STRIP_ACCENTS}};
    if (!v || cJSON_IsNull(v)) return true;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (tokenizer_is(v, plain[i].name))
            return tokenizer_keys(s, v, path, "type") &&
                   add_normalizer(s, plain[i].kind, 0, NULL, NULL, path);
    }
    if (tokenizer_is(v, "Sequence")) return tokenizer_each(s, v, path, "normalizers", tokenizer_normalizer);
    if (tokenizer_is(v, "BertNormalizer")) return bert_normalizer(s, v, path);
    if (tokenizer_is(v, "Replace")) return replace_normalizer(s, v, path);
    if (tokenizer_is(v, "Strip")) return strip_normalizer(s, v, path);
    if (tokenizer_is(v, "Prepend")) return prepend_normalizer(s, v, path);
    if (tokenizer_is(v, "Precompiled")) return charsmap_normalizer(s, v, path);
    return tokenizer_wrong(s, path, "normaliser `%s` is not known", tokenizer_type(v));
}

static bool add_pretokenizer(tokenizer_spec *s, bertc_split_kind kind, uint32_t flags, const char *text,
                             bool rewrites, const char *path) {
    if (rewrites && s->rewrites) return tokenizer_wrong(s, path, "a second component that rewrites the text");
    s->rewrites |= rewrites;
    return tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){kind, flags, text, NULL}, path);
}

static bool metaspace(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *mark = NULL, *scheme = NULL;
    bool prefix = true, splits = true;
    if (!tokenizer_keys(s, v, path, "type replacement prepend_scheme split add_prefix_space str_rep") ||
        !hub_field_text(&f, "replacement", true, &mark) ||
        !hub_field_text(&f, "prepend_scheme", false, &scheme) ||
        !hub_field_bool(&f, "add_prefix_space", false, &prefix) ||
        !hub_field_bool(&f, "split", false, &splits))
        return false;
    if (!scheme) scheme = prefix ? "always" : "never"; // as older files say it
    bool always = !strcmp(scheme, "always"), first = !strcmp(scheme, "first");
    if (!always && !first && strcmp(scheme, "never"))
        return tokenizer_wrong(s, path, "prepend_scheme `%s` is not known", scheme);
    if (!*mark) return tokenizer_wrong(s, path, "replacement is empty");
    return add_pretokenizer(s, BERTC_STEP_METASPACE,
                            (always ? BERTC_METASPACE_ALWAYS : 0) | (first ? BERTC_METASPACE_FIRST : 0) |
                                (splits ? BERTC_METASPACE_SPLIT : 0),
                            arena_strdup(s->a, mark), true, path);
}

static bool byte_level(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool prefix, trim, regex;
    if (!tokenizer_keys(s, v, path, "type add_prefix_space trim_offsets use_regex") ||
        !tokenizer_flag(s, v, path, "add_prefix_space", true, &prefix) ||
        !tokenizer_flag(s, v, path, "trim_offsets", true, &trim) || // the post-processor's
        !tokenizer_flag(s, v, path, "use_regex", true, &regex))
        return false;
    return add_pretokenizer(s, BERTC_STEP_BYTE_LEVEL,
                            (prefix ? BERTC_BYTE_LEVEL_PREFIX : 0) | (regex ? BERTC_BYTE_LEVEL_SPLIT : 0),
                            NULL, prefix, path);
}

bool tokenizer_pretokenizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!v || cJSON_IsNull(v)) return true;
    if (tokenizer_is(v, "Sequence"))
        return tokenizer_each(s, v, path, "pretokenizers", tokenizer_pretokenizer);
    if (tokenizer_is(v, "Metaspace")) return metaspace(s, v, path);
    if (tokenizer_is(v, "ByteLevel")) return byte_level(s, v, path);
    if (tokenizer_is(v, "BertPreTokenizer"))
        return tokenizer_keys(s, v, path, "type") &&
               add_pretokenizer(s, BERTC_STEP_BERT_SPLIT, 0, NULL, false, path);
    if (tokenizer_is(v, "WhitespaceSplit"))
        return tokenizer_keys(s, v, path, "type") &&
               add_pretokenizer(s, BERTC_STEP_WHITESPACE_SPLIT, 0, NULL, false, path);
    return tokenizer_wrong(s, path, "pre-tokeniser `%s` is not known", tokenizer_type(v));
}
