// Components of tokenizer.json as data: normaliser, pre-tokeniser, post-processor, decoder. A component or an
// option that is not known is an error with its JSON path.
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

static const char *type_of(const cJSON *v) {
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "type"));
    return kind ? kind : "";
}

static bool is(const cJSON *v, const char *kind) {
    return !strcmp(type_of(v), kind);
}

static bool flag(const tokenizer_spec *s, const cJSON *v, const char *path, const char *key, bool usual,
                 bool *out) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(v, key);
    *out = x && !cJSON_IsNull(x) ? cJSON_IsTrue(x) : usual;
    return !x || cJSON_IsNull(x) || cJSON_IsBool(x) ||
           tokenizer_wrong(s, path, "`%s` is %s where true or false is expected", key, hub_json_kind(x));
}

// Calls `one` for each component of a Sequence.
static bool each(tokenizer_spec *s, const cJSON *v, const char *path, const char *key,
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

bool tokenizer_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!v || cJSON_IsNull(v)) return true;
    if (is(v, "Sequence")) return each(s, v, path, "normalizers", tokenizer_normalizer);
    if (!is(v, "BertNormalizer")) return tokenizer_wrong(s, path, "normaliser `%s` is not known", type_of(v));
    bool clean, chinese, lower, strip;
    if (!tokenizer_keys(s, v, path, "type clean_text handle_chinese_chars strip_accents lowercase") ||
        !flag(s, v, path, "clean_text", true, &clean) ||
        !flag(s, v, path, "handle_chinese_chars", true, &chinese) ||
        !flag(s, v, path, "lowercase", true, &lower) || !flag(s, v, path, "strip_accents", lower, &strip))
        return false;
    if (s->normalizer.count) return tokenizer_wrong(s, path, "a second BertNormalizer");
    uint32_t flags = (clean ? BERTC_BERT_CLEAN : 0) | (chinese ? BERTC_BERT_CHINESE : 0) |
                     (strip ? BERTC_BERT_STRIP : 0) | (lower ? BERTC_BERT_LOWERCASE : 0);
    return tokenizer_add_step(s, &s->normalizer,
                              (tokenizer_step){BERTC_STEP_BERT_NORMALIZER, flags, NULL, NULL}, path);
}

bool tokenizer_pretokenizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!v || cJSON_IsNull(v)) return true;
    if (is(v, "Sequence")) return each(s, v, path, "pretokenizers", tokenizer_pretokenizer);
    if (!is(v, "BertPreTokenizer"))
        return tokenizer_wrong(s, path, "pre-tokeniser `%s` is not known", type_of(v));
    if (!tokenizer_keys(s, v, path, "type")) return false;
    if (s->pretokenizer.count) return true; // a second one finds nothing left to split
    return tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){.kind = BERTC_STEP_BERT_SPLIT}, path);
}

bool tokenizer_decoder(tokenizer_spec *s, const cJSON *v, const char *path) {
    static const char *const known[] = {"WordPiece", "ByteLevel", "Metaspace", "BPEDecoder",  "Replace",
                                        "Fuse",      "Strip",     "CTC",       "ByteFallback"};
    if (!v || cJSON_IsNull(v)) return true;
    if (is(v, "Sequence")) return each(s, v, path, "decoders", tokenizer_decoder);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is(v, known[i])) return true; // ids are not decoded, so its options say nothing here
    }
    return tokenizer_wrong(s, path, "decoder `%s` is not known", type_of(v));
}

static bool add_item(tokenizer_spec *s, tokenizer_template *t, bertc_template_item item, const char *path) {
    if (t->count == TOKENIZER_MOST_ITEMS) return tokenizer_wrong(s, path, "a template with too many parts");
    t->at[t->count++] = item;
    return true;
}

static bool read_id(const tokenizer_spec *s, const cJSON *v, const char *path, int32_t *out) {
    int64_t id;
    if (!hub_json_int(v, &id) || id < 0 || id >= TOKENIZER_MOST_IDS)
        return tokenizer_wrong(s, path, "is no token id");
    *out = (int32_t)id;
    return true;
}

static bool special_item(tokenizer_spec *s, tokenizer_template *t, const cJSON *specials, const char *name,
                         int32_t type_id, const char *path) {
    const cJSON *list =
                    cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(specials, name), "ids"),
                *id;
    if (!cJSON_IsArray(list))
        return tokenizer_wrong(s, path, "special token `%s` is not among special_tokens", name);
    cJSON_ArrayForEach(id, list) {
        bertc_template_item item = {.kind = BERTC_TEMPLATE_SPECIAL, .type = type_id};
        if (!read_id(s, id, path, &item.id) || !add_item(s, t, item, path)) return false;
    }
    return true;
}

static bool template_item(tokenizer_spec *s, tokenizer_template *t, const cJSON *specials, const cJSON *v,
                          const char *path) {
    const cJSON *special = cJSON_GetObjectItemCaseSensitive(v, "SpecialToken");
    const cJSON *sequence = cJSON_GetObjectItemCaseSensitive(v, "Sequence"),
                *part = special ? special : sequence;
    if (!part || cJSON_GetArraySize(v) != 1)
        return tokenizer_wrong(s, path, "is neither SpecialToken nor Sequence");
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(part, "id"));
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(part, "type_id");
    int64_t type_id = 0;
    if (!name || (given && !hub_json_int(given, &type_id)) || type_id < 0 || type_id > INT32_MAX)
        return tokenizer_wrong(s, path, "lacks an id, or its type_id is no type");
    if (special) return special_item(s, t, specials, name, (int32_t)type_id, path);
    if (strcmp(name, "A") && strcmp(name, "B"))
        return tokenizer_wrong(s, path, "sequence `%s` is not known", name);
    return add_item(s, t, (bertc_template_item){.kind = *name == 'B', .type = (int32_t)type_id}, path);
}

// A template must hold the text once, and the pair once where there is one.
static bool read_template(tokenizer_spec *s, const cJSON *v, const char *key, bool pair,
                          tokenizer_template *t, const char *path) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(v, key), *child;
    const cJSON *specials = cJSON_GetObjectItemCaseSensitive(v, "special_tokens");
    if (!cJSON_IsArray(list)) return tokenizer_wrong(s, path, "`%s` is no list of parts", key);
    int i = 0, seen[2] = {0, 0};
    cJSON_ArrayForEach(child, list) {
        if (!template_item(s, t, specials, child, arena_printf(s->a, "%s.%s[%d]", path, key, i++)))
            return false;
    }
    for (i = 0; i < t->count; i++) {
        if (t->at[i].kind < 2) seen[t->at[i].kind]++;
    }
    return (seen[0] == 1 && seen[1] == pair) ||
           tokenizer_wrong(s, path, "`%s` must hold each sequence once, A%s", key,
                           pair ? " and B" : " alone");
}

// ["[SEP]", 102]
static bool named_id(const tokenizer_spec *s, const cJSON *v, const char *path, const char *key,
                     int32_t *out) {
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(v, key);
    if (!cJSON_IsArray(x) || cJSON_GetArraySize(x) != 2)
        return tokenizer_wrong(s, path, "`%s` is no token with its id", key);
    return read_id(s, cJSON_GetArrayItem(x, 1), path, out);
}

static bool bert_processing(tokenizer_spec *s, const cJSON *v, const char *path) {
    int32_t cls, sep;
    if (!tokenizer_keys(s, v, path, "type sep cls") || !named_id(s, v, path, "cls", &cls) ||
        !named_id(s, v, path, "sep", &sep))
        return false;
    bertc_template_item begin = {BERTC_TEMPLATE_SPECIAL, cls, 0}, end = {BERTC_TEMPLATE_SPECIAL, sep, 0};
    bertc_template_item last = {BERTC_TEMPLATE_SPECIAL, sep, 1};
    s->single = (tokenizer_template){{begin, {.kind = 0}, end}, 3};
    s->pair = (tokenizer_template){{begin, {.kind = 0}, end, {.kind = 1, .type = 1}, last}, 5};
    return true;
}

bool tokenizer_post_processor(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!v || cJSON_IsNull(v)) return true;
    if (is(v, "Sequence")) return each(s, v, path, "processors", tokenizer_post_processor);
    if (s->single.count) return tokenizer_wrong(s, path, "a second template");
    if (is(v, "BertProcessing")) return bert_processing(s, v, path);
    if (!is(v, "TemplateProcessing"))
        return tokenizer_wrong(s, path, "post-processor `%s` is not known", type_of(v));
    return tokenizer_keys(s, v, path, "type single pair special_tokens") &&
           read_template(s, v, "single", false, &s->single, path) &&
           read_template(s, v, "pair", true, &s->pair, path);
}
