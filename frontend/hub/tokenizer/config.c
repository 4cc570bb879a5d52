// The files beside a tokenizer's: tokenizer_config.json, and in older folders special_tokens_map.json,
// added_tokens.json and config.json. They give special tokens and their roles.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/tokenizer/spec.h"

bool tokenizer_beside(const tokenizer_spec *s, const char *name, cJSON **out) {
    const char *path = hub_path(s->a, hub_path_folder(s->a, s->file), name);
    *out = NULL;
    if (!hub_is_file(path)) return true;
    *out = hub_json_load(path, false, s->d);
    return *out != NULL;
}

static bool set_key(const tokenizer_spec *s, cJSON *config, const char *key, cJSON *v) {
    cJSON_DeleteItemFromObjectCaseSensitive(config, key);
    if (v && cJSON_AddItemToObject(config, key, v)) return true;
    cJSON_Delete(v);
    return diag_error(s->d, s->file, "out of memory");
}

// Of lists in both, the config's goes before the other's: of tokens that are in both the first counts.
static bool put_list(const tokenizer_spec *s, cJSON *config, const char *key, const cJSON *list) {
    cJSON *all = cJSON_DetachItemFromObjectCaseSensitive(config, key);
    if (!cJSON_IsArray(all)) {
        cJSON_Delete(all);
        return set_key(s, config, key, cJSON_Duplicate(list, true));
    }
    const cJSON *v;
    cJSON_ArrayForEach(v, list) cJSON_AddItemToArray(all, cJSON_Duplicate(v, true));
    return set_key(s, config, key, all);
}

// Transformers reads special_tokens_map.json where tokenizer_config.json doesn't list the added tokens; what
// it says counts.
static bool add_special_map(const tokenizer_spec *s, cJSON *config) {
    cJSON *map = NULL;
    if (cJSON_GetObjectItemCaseSensitive(config, "added_tokens_decoder")) return true;
    if (!tokenizer_beside(s, "special_tokens_map.json", &map)) return false;
    const cJSON *v;
    bool ok = true;
    cJSON_ArrayForEach(v, map) ok =
        ok && (cJSON_IsArray(v) ? put_list(s, config, v->string, v)
                                : set_key(s, config, v->string, cJSON_Duplicate(v, true)));
    cJSON_Delete(map);
    return ok;
}

static const char *text_of(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

// The class is config.json's, or its model's, where tokenizer_config.json names none.
static bool add_class(const tokenizer_spec *s, cJSON *config) {
    static const char *const usual[][2] = {{"mpnet", "MPNetTokenizer"},
                                           {"esm", "EsmTokenizer"},
                                           {"deberta", "DebertaTokenizer"},
                                           {"roformer", "RoFormerTokenizer"}};
    cJSON *model = NULL;
    if (text_of(config, "tokenizer_class")) return true;
    if (!tokenizer_beside(s, "config.json", &model)) return false;
    const char *class = text_of(model, "tokenizer_class"), *family = text_of(model, "model_type");
    for (size_t i = 0; !class && family && i < sizeof usual / sizeof *usual; i++)
        if (!strcmp(family, usual[i][0])) class = usual[i][1];
    bool ok = !class || set_key(s, config, "tokenizer_class", cJSON_CreateString(class));
    cJSON_Delete(model);
    return ok;
}

bool tokenizer_config(const tokenizer_spec *s, bool vocabulary, cJSON **config) {
    if (!tokenizer_beside(s, "tokenizer_config.json", config)) return false;
    if (!*config) *config = cJSON_CreateObject();
    return add_special_map(s, *config) && (!vocabulary || add_class(s, *config));
}

void tokenizer_compare(const tokenizer_spec *s, const cJSON *config) {
    static const struct {
        const char *key, *option;
        uint32_t flag;
    } known[] = {{"do_lower_case", "lowercase", BERTC_BERT_LOWERCASE},
                 {"strip_accents", "strip_accents", BERTC_BERT_STRIP},
                 {"tokenize_chinese_chars", "handle_chinese_chars", BERTC_BERT_CHINESE}};
    const char *class = text_of(config, "tokenizer_class");
    if (!class || s->normalizer.count != 1 || s->normalizer.at[0].kind != BERTC_STEP_BERT_NORMALIZER ||
        !tokenizer_class_is(class, "Bert DistilBert Electra MobileBert SqueezeBert LayoutLM ConvBert MPNet"))
        return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, known[i].key);
        bool here = s->normalizer.at[0].flags & known[i].flag;
        if (cJSON_IsBool(v) && cJSON_IsTrue(v) != here)
            diag_note(s->d, s->file,
                      "normalizer: %s is %s, while %s of tokenizer_config.json is not: this file counts, but "
                      "Transformers goes by that one",
                      known[i].option, here ? "true" : "false", known[i].key);
    }
}

// "[CLS]", or {"content": "[CLS]", ...}.
static const char *token_text(const cJSON *v) {
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(v, "content");
    return cJSON_GetStringValue(content ? content : v);
}

bool tokenizer_roles(tokenizer_spec *s, const cJSON *config) {
    const struct {
        const char *key, *usual[2];
        int32_t *id;
    } roles[] = {{"unk_token", {"[UNK]", "<unk>"}, &s->unk_id},
                 {"pad_token", {"[PAD]", "<pad>"}, &s->pad_id},
                 {"cls_token", {"[CLS]", "<s>"}, &s->cls_id},
                 {"sep_token", {"[SEP]", "</s>"}, &s->sep_id},
                 {"mask_token", {"[MASK]", "<mask>"}, &s->mask_id}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *name = token_text(cJSON_GetObjectItemCaseSensitive(config, roles[i].key));
        if (*roles[i].id < 0 && name) *roles[i].id = tokenizer_find_any(s, name);
        for (int k = 0; k < 2 && *roles[i].id < 0; k++)
            *roles[i].id = tokenizer_find_any(s, roles[i].usual[k]);
    }
    const cJSON *longest = cJSON_GetObjectItemCaseSensitive(config, "model_max_length");
    // Transformers writes 1e30 where there is no limit
    if (cJSON_IsNumber(longest) && longest->valuedouble >= 1 && longest->valuedouble < 1 << 24)
        s->max_length = (uint32_t)longest->valuedouble;
    return true;
}

// The rules in a token's object.
static uint32_t token_flags(const cJSON *v) {
    static const struct {
        const char *key;
        uint32_t flag;
    } known[] = {{"lstrip", BERTC_ADDED_LSTRIP},
                 {"rstrip", BERTC_ADDED_RSTRIP},
                 {"single_word", BERTC_ADDED_SINGLE_WORD},
                 {"normalized", BERTC_ADDED_NORMALIZED},
                 {"special", BERTC_ADDED_SPECIAL}};
    uint32_t flags = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, known[i].key))) flags |= known[i].flag;
    return flags;
}

bool tokenizer_add_special(tokenizer_spec *s, const cJSON *config, tokenizer_special special) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, special.key);
    const char *name = token_text(v);
    if (!name) name = special.usual;
    *special.id = tokenizer_find_any(s, name);
    if (*special.id < 0)
        return !special.needed ||
               diag_error(s->d, s->file, "the vocabulary has no `%s`, which is its %s", name, special.key);
    uint32_t flags = cJSON_IsObject(v) ? token_flags(v) : special.flags;
    return tokenizer_find_added(s, name) || tokenizer_add(s, name, *special.id, flags | BERTC_ADDED_SPECIAL);
}

static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};

// One that is no piece gets the next id.
static bool add_listed(tokenizer_spec *s, const cJSON *v, const char *list) {
    const char *name = token_text(v);
    if (!name)
        return diag_error(s->d, s->file, "tokenizer_config.json: `%s` holds %s where a token is expected",
                          list, hub_json_kind(v));
    if (!*name || tokenizer_find_added(s, name)) return true;
    int32_t id = tokenizer_find(s, name), next = s->text_count;
    if (s->next_added > next) next = s->next_added;
    return tokenizer_add(s, name, id < 0 ? next : id, token_flags(v) | BERTC_ADDED_SPECIAL);
}

bool tokenizer_add_listed(tokenizer_spec *s, const cJSON *config) {
    static const char *const others[] = {"bos_token", "eos_token"};
    for (int i = 0; i < 2; i++) { // where the class has no part for them
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, others[i]);
        if (token_text(v) && tokenizer_find(s, token_text(v)) >= 0 && !add_listed(s, v, others[i]))
            return false;
    }
    for (int i = 0; i < 2; i++) {
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(
                                  config, lists[i])) if (!add_listed(s, v, lists[i])) return false;
    }
    return true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The names of the config's special tokens, ascending.
static const char **named(const tokenizer_spec *s, const cJSON *config, size_t *count) {
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
    size_t most = sizeof keys / sizeof *keys;
    const cJSON *v;
    for (int i = 0; i < 2; i++)
        most += (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(config, lists[i]));
    const char **names = ARENA_ARRAY(s->a, const char *, most);
    *count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *name = token_text(cJSON_GetObjectItemCaseSensitive(config, keys[i]));
        if (name) names[(*count)++] = name;
    }
    for (int i = 0; i < 2; i++) {
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(config, lists[i])) {
            if (token_text(v)) names[(*count)++] = token_text(v);
        }
    }
    qsort(names, *count, sizeof *names, by_name);
    return names;
}

// tokenizer_config.json's "added_tokens_decoder": {"0": {"content": "[PAD]", ...}}, and added_tokens.json's
// {"[NEW]": 30522}.
bool tokenizer_config_added(tokenizer_spec *s, const cJSON *config, const cJSON *added) {
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(config, "added_tokens_decoder");
    const cJSON *v;
    cJSON_ArrayForEach(v, decoder) {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "content"));
        char *end = NULL;
        long id = v->string && *v->string ? strtol(v->string, &end, 10) : -1;
        if (!text || !*text || !end || *end || id < 0 || id >= TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file,
                              "added_tokens_decoder of its tokenizer_config.json: `%s` is no token",
                              v->string ? v->string : "");
        if (!tokenizer_add(s, text, (int32_t)id, token_flags(v))) return false;
    }
    if (decoder) return true; // added_tokens.json then says the same
    size_t count;
    const char **names = named(s, config, &count);
    cJSON_ArrayForEach(v, added) {
        int64_t id;
        if (!v->string || !*v->string || !hub_json_int(v, &id) || id < 0 || id >= TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file, "added_tokens.json: `%s` has no id", v->string ? v->string : "");
        const char *name = v->string;
        bool special = bsearch(&name, names, count, sizeof *names, by_name) != NULL;
        uint32_t flags = special ? BERTC_ADDED_SPECIAL : BERTC_ADDED_NORMALIZED;
        if (!tokenizer_add(s, v->string, (int32_t)id, flags)) return false;
    }
    return true;
}
