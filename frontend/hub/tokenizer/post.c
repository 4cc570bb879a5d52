// The post-processor of tokenizer.json as templates. Of its decoder only the names are checked, since ids
// are not decoded.
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

bool tokenizer_decoder(tokenizer_spec *s, const cJSON *v, const char *path) {
    static const char *const known[] = {"WordPiece", "ByteLevel", "Metaspace", "BPEDecoder",  "Replace",
                                        "Fuse",      "Strip",     "CTC",       "ByteFallback"};
    if (!v || cJSON_IsNull(v)) return true;
    if (tokenizer_is(v, "Sequence")) return tokenizer_each(s, v, path, "decoders", tokenizer_decoder);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (tokenizer_is(v, known[i])) return true; // ids are not decoded, so its options say nothing here
    }
    return tokenizer_wrong(s, path, "decoder `%s` is not known", tokenizer_type(v));
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
    if (cJSON_GetArraySize(list) > TOKENIZER_MOST_ITEMS)
        return tokenizer_wrong(s, path, "`%s` has more than %d parts", key, TOKENIZER_MOST_ITEMS);
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

// Offsets without the spaces of byte-level tokens.
static bool trim_offsets(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool trim, prefixed;
    if (!tokenizer_flag(s, v, path, "trim_offsets", true, &trim) ||
        !tokenizer_flag(s, v, path, "add_prefix_space", true, &prefixed))
        return false;
    if (trim) s->flags |= BERTC_TOKENIZER_TRIM | (prefixed ? BERTC_TOKENIZER_TRIM_PREFIXED : 0);
    return true;
}

static bool roberta_processing(tokenizer_spec *s, const cJSON *v, const char *path) {
    int32_t cls, sep;
    if (!tokenizer_keys(s, v, path, "type sep cls trim_offsets add_prefix_space") ||
        !named_id(s, v, path, "cls", &cls) || !named_id(s, v, path, "sep", &sep) || !trim_offsets(s, v, path))
        return false;
    bertc_template_item begin = {BERTC_TEMPLATE_SPECIAL, cls, 0}, end = {BERTC_TEMPLATE_SPECIAL, sep, 0};
    s->single = (tokenizer_template){{begin, {.kind = 0}, end}, 3};
    s->pair = (tokenizer_template){{begin, {.kind = 0}, end, end, {.kind = 1}, end}, 6};
    return true;
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
    if (tokenizer_is(v, "Sequence"))
        return tokenizer_each(s, v, path, "processors", tokenizer_post_processor);
    if (tokenizer_is(v, "ByteLevel"))
        return tokenizer_keys(s, v, path, "type add_prefix_space trim_offsets use_regex") &&
               trim_offsets(s, v, path);
    if (s->single.count) return tokenizer_wrong(s, path, "a second template");
    if (tokenizer_is(v, "BertProcessing")) return bert_processing(s, v, path);
    if (tokenizer_is(v, "RobertaProcessing")) return roberta_processing(s, v, path);
    if (!tokenizer_is(v, "TemplateProcessing"))
        return tokenizer_wrong(s, path, "post-processor `%s` is not known", tokenizer_type(v));
    return tokenizer_keys(s, v, path, "type single pair special_tokens") &&
           read_template(s, v, "single", false, &s->single, path) &&
           read_template(s, v, "pair", true, &s->pair, path);
}

// --- Templates without a file

static void plain_templates(tokenizer_spec *s) {
    if (!s->single.count) s->single = (tokenizer_template){{{.kind = 0}}, 1};
    if (!s->pair.count) s->pair = (tokenizer_template){{{.kind = 0}, {.kind = 1}}, 2};
}

void tokenizer_one_type(tokenizer_spec *s, const char *why) {
    bool others = !s->pair.count; // whose second text then has type 1
    tokenizer_template *const both[] = {&s->single, &s->pair};
    plain_templates(s);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < both[k]->count; i++) {
            others |= both[k]->at[i].type != 0;
            both[k]->at[i].type = 0;
        }
    }
    if (why && others) diag_note(s->d, s->file, "the types of all tokens are 0: %s", why);
}

bool tokenizer_class_template(tokenizer_spec *s, const cJSON *config) {
    bool ends = s->class.form == TEMPLATE_XLM_ROBERTA, pairs = s->class.form == TEMPLATE_BERT;
    const char *const keys[2] = {ends ? "bos_token" : "cls_token", ends ? "eos_token" : "sep_token"};
    int32_t ids[2];
    for (int i = 0; i < 2; i++) {
        const char *name = tokenizer_token_text(cJSON_GetObjectItemCaseSensitive(config, keys[i]));
        ids[i] = name ? tokenizer_find_any(s, name) : -1;
        if (ids[i] < 0)
            return diag_error(s->d, s->file,
                              "tokenizer_config.json: %s: %s has none, and puts it round texts", keys[i],
                              s->class.name);
    }
    const bertc_template_item begin = {BERTC_TEMPLATE_SPECIAL, ids[0], 0},
                              end = {BERTC_TEMPLATE_SPECIAL, ids[1], 0},
                              last = {BERTC_TEMPLATE_SPECIAL, ids[1], 1};
    s->single = (tokenizer_template){{begin, {.kind = 0}, end}, 3};
    if (pairs)
        s->pair = (tokenizer_template){{begin, {.kind = 0}, end, {.kind = 1, .type = 1}, last}, 5};
    else
        s->pair = (tokenizer_template){{begin, {.kind = 0}, end, end, {.kind = 1}, end}, 6};
    s->flags |= s->class.trim;
    return true;
}
