// The files beside a tokenizer's: tokenizer_config.json, and in older folders special_tokens_map.json,
// added_tokens.json and config.json. They give special tokens and their roles.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/tokenizer/spec.h"

static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};

bool tokenizer_beside(const tokenizer_spec *s, const char *name, cJSON **out) {
    const char *path = hub_path(s->a, hub_path_folder(s->a, s->file), name);
    *out = NULL;
    if (!hub_is_file(path)) return true;
    *out = hub_json_load(path, false, s->d);
    return *out != NULL;
}

bool tokenizer_set_key(const tokenizer_spec *s, cJSON *config, const char *key, cJSON *v) {
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
        return tokenizer_set_key(s, config, key, cJSON_Duplicate(list, true));
    }
    const cJSON *v;
    cJSON_ArrayForEach(v, list) cJSON_AddItemToArray(all, cJSON_Duplicate(v, true));
    return tokenizer_set_key(s, config, key, all);
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
                                : tokenizer_set_key(s, config, v->string, cJSON_Duplicate(v, true)));
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
    bool ok = !class || tokenizer_set_key(s, config, "tokenizer_class", cJSON_CreateString(class));
    cJSON_Delete(model);
    return ok;
}

bool tokenizer_config(const tokenizer_spec *s, bool vocabulary, cJSON **config) {
    if (!tokenizer_beside(s, "tokenizer_config.json", config)) return false;
    if (!*config) *config = cJSON_CreateObject();
    return add_special_map(s, *config) && (!vocabulary || add_class(s, *config));
}

// "model_input_names", or the class's inputs: without token_type_ids the model gets none.
static bool read_inputs(tokenizer_spec *s, const cJSON *config) {
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(config, "model_input_names"), *v;
    bool types = s->class.types || !s->class.known;
    if (names && !cJSON_IsNull(names)) {
        if (!cJSON_IsArray(names))
            return diag_error(s->d, s->file,
                              "tokenizer_config.json: `model_input_names` is %s where an array is expected",
                              hub_json_kind(names));
        types = false;
        cJSON_ArrayForEach(v, names) types |= cJSON_IsString(v) && !strcmp(v->valuestring, "token_type_ids");
    }
    if (!types && names) s->no_types = "model_input_names of tokenizer_config.json has no token_type_ids";
    if (!types && !names)
        s->no_types = arena_printf(s->a,
                                   "Transformers' %s gives a model no token_type_ids (model_input_names in "
                                   "tokenizer_config.json would ask for them)",
                                   s->class.name);
    return true;
}

// The side on which texts are cut, and whether special tokens are text.
static bool read_sides(tokenizer_spec *s, const cJSON *config) {
    const hub_fields f = {arena_printf(s->a, "%s: tokenizer_config.json", s->file), "", config, s->d};
    const char *side = NULL;
    bool splits = false;
    if (!hub_field_text(&f, "truncation_side", false, &side) ||
        !hub_field_bool(&f, "split_special_tokens", false, &splits))
        return false;
    if (side && strcmp(side, "left") && strcmp(side, "right"))
        return hub_field_wrong(&f, "truncation_side", "`%s` is neither left nor right", side);
    if (side) s->flags &= ~(uint32_t)BERTC_TOKENIZER_TRUNCATE_LEFT;
    if (side && *side == 'l') s->flags |= BERTC_TOKENIZER_TRUNCATE_LEFT;
    if (splits) s->flags |= BERTC_TOKENIZER_SPLIT_SPECIAL;
    return true;
}

bool tokenizer_roles(tokenizer_spec *s, const cJSON *config) {
    const struct {
        const char *key, *usual[2];
        int32_t *id;
    } roles[] = {
        {"unk_token", {"[UNK]", "<unk>"}, &s->unk_id},     {"pad_token", {"[PAD]", "<pad>"}, &s->pad_id},
        {"cls_token", {"[CLS]", "<s>"}, &s->cls_id},       {"sep_token", {"[SEP]", "</s>"}, &s->sep_id},
        {"mask_token", {"[MASK]", "<mask>"}, &s->mask_id}, {"eos_token", {NULL, NULL}, &s->eos_id}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const char *name = tokenizer_token_text(cJSON_GetObjectItemCaseSensitive(config, roles[i].key));
        if (*roles[i].id < 0 && name) *roles[i].id = tokenizer_find_any(s, name);
        for (int k = 0; k < 2 && *roles[i].id < 0 && roles[i].usual[k]; k++)
            *roles[i].id = tokenizer_find_any(s, roles[i].usual[k]);
    }
    const cJSON *longest = cJSON_GetObjectItemCaseSensitive(config, "model_max_length");
    // Transformers writes 1e30 where there is no limit
    if (cJSON_IsNumber(longest) && longest->valuedouble >= 1 && longest->valuedouble < 1 << 24)
        s->max_length = (uint32_t)longest->valuedouble;
    return read_inputs(s, config) && read_sides(s, config);
}

bool tokenizer_add_special(tokenizer_spec *s, const cJSON *config, tokenizer_special special) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, special.key);
    const char *name = tokenizer_token_text(v);
    if (!name) name = special.usual;
    *special.id = tokenizer_find_any(s, name);
    if (*special.id < 0)
        return !special.needed ||
               diag_error(s->d, s->file, "the vocabulary has no `%s`, which is its %s", name, special.key);
    uint32_t flags = BERTC_ADDED_SPECIAL | (cJSON_IsObject(v) ? 0 : special.flags);
    return tokenizer_find_added(s, name) ||
           tokenizer_add(s, name, *special.id, tokenizer_token_flags(v, flags));
}

// One that is no piece gets the next id.
static bool add_listed(tokenizer_spec *s, const cJSON *v, const char *list) {
    const char *name = tokenizer_token_text(v);
    if (!name)
        return diag_error(s->d, s->file, "tokenizer_config.json: `%s` holds %s where a token is expected",
                          list, hub_json_kind(v));
    if (!*name || tokenizer_find_added(s, name)) return true;
    int32_t id = tokenizer_find(s, name), next = s->text_count;
    if (s->next_added > next) next = s->next_added;
    return tokenizer_add(s, name, id < 0 ? next : id, tokenizer_token_flags(v, BERTC_ADDED_SPECIAL));
}

bool tokenizer_add_listed(tokenizer_spec *s, const cJSON *config) {
    static const char *const others[] = {"bos_token", "eos_token"};
    for (int i = 0; i < 2; i++) { // where the class has no part for them
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, others[i]);
        if (tokenizer_token_text(v) && tokenizer_find(s, tokenizer_token_text(v)) >= 0 &&
            !add_listed(s, v, others[i]))
            return false;
    }
    for (int i = 0; i < 2; i++) {
        const cJSON *v;
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(
                                  config, lists[i])) if (!add_listed(s, v, lists[i])) return false;
    }
    return true;
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
        if (!tokenizer_add(s, text, (int32_t)id, tokenizer_token_flags(v, 0))) return false;
    }
    if (decoder) return true; // added_tokens.json then says the same
    size_t count;
    const char **names = tokenizer_names(s, config, &count);
    cJSON_ArrayForEach(v, added) {
        int64_t id;
        if (!v->string || !*v->string || !hub_json_int(v, &id) || id < 0 || id >= TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file, "added_tokens.json: `%s` has no id", v->string ? v->string : "");
        bool special = tokenizer_is_named(names, count, v->string);
        uint32_t flags = special ? BERTC_ADDED_SPECIAL : BERTC_ADDED_NORMALIZED;
        if (!tokenizer_add(s, v->string, (int32_t)id, flags)) return false;
    }
    return true;
}
