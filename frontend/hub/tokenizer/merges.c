// vocab.json and merges.txt without tokenizer.json: byte-level BPE as Transformers builds it for RoBERTa
// and its kin, or for DeBERTa, if tokenizer_config.json's class says so.
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

#define CLASSES "Roberta Longformer LED Bart Deberta PreTrained TokenizersBackend"

// The lines of merges.txt as tokenizer.json has them; NULL: an error.
static cJSON *read_lines(tokenizer_spec *s, const char *path, const char *data, size_t size) {
    int lines;
    if (!tokenizer_check_lines(s, path, data, size, &lines)) return NULL;
    cJSON *list = cJSON_CreateArray();
    size_t at = 0;
    for (const char *text; list && (text = tokenizer_line(s, data, size, &at));) {
        if (!*text || !strncmp(text, "#version", 8)) continue;
        cJSON *item = cJSON_CreateString(text);
        if (item && cJSON_AddItemToArray(list, item)) continue;
        cJSON_Delete(item);
        cJSON_Delete(list);
        list = NULL;
    }
    if (!list) diag_error(s->d, path, "out of memory");
    return list;
}

static bool read_model(tokenizer_spec *s, const cJSON *vocab, const char *path, const char *merges,
                       size_t size) {
    cJSON *model = cJSON_CreateObject(), *list = read_lines(s, path, merges, size);
    bool ok = model && list && cJSON_AddStringToObject(model, "type", "BPE") &&
              cJSON_AddItemToObject(model, "merges", list);
    if (!ok) cJSON_Delete(list);
    ok = ok && cJSON_AddItemReferenceToObject(model, "vocab", (cJSON *)vocab) && tokenizer_model(s, model);
    cJSON_Delete(model);
    return ok;
}

// The tokens that the class has whatever its files say. The mask takes the space before it.
static bool add_specials(tokenizer_spec *s, const cJSON *config, bool deberta) {
    const tokenizer_special specials[] = {
        {"cls_token", deberta ? "[CLS]" : "<s>", 0, true, &s->cls_id},
        {"sep_token", deberta ? "[SEP]" : "</s>", 0, true, &s->sep_id},
        {"unk_token", deberta ? "[UNK]" : "<unk>", 0, false, &s->unk_id},
        {"pad_token", deberta ? "[PAD]" : "<pad>", 0, false, &s->pad_id},
        {"mask_token", deberta ? "[MASK]" : "<mask>", BERTC_ADDED_LSTRIP, false, &s->mask_id}};
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (!tokenizer_add_special(s, config, specials[i])) return false;
    return tokenizer_add_listed(s, config);
}

static void set_templates(tokenizer_spec *s, bool deberta) {
    const bertc_template_item begin = {BERTC_TEMPLATE_SPECIAL, s->cls_id, 0},
                              end = {BERTC_TEMPLATE_SPECIAL, s->sep_id, 0},
                              last = {BERTC_TEMPLATE_SPECIAL, s->sep_id, 1};
    s->single = (tokenizer_template){{begin, {.kind = 0}, end}, 3};
    if (deberta)
        s->pair = (tokenizer_template){{begin, {.kind = 0}, end, {.kind = 1, .type = 1}, last}, 5};
    else
        s->pair = (tokenizer_template){{begin, {.kind = 0}, end, end, {.kind = 1}, end}, 6};
}

bool tokenizer_from_merges(tokenizer_spec *s, const cJSON *vocab, const char *path, const char *merges,
                           size_t size, const cJSON *config, const cJSON *added) {
    const hub_fields f = {arena_printf(s->a, "%s: tokenizer_config.json", s->file), "", config, s->d};
    const char *class = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, "tokenizer_class"));
    bool deberta = class && tokenizer_class_is(class, "Deberta"), prefix = false, trim = true;
    if (class && !tokenizer_class_is(class, CLASSES))
        return diag_error(
            s->d, s->file,
            "tokenizer_config.json: what `%s` makes of it is not known; a tokenizer.json would say", class);
    if (config && (!hub_field_bool(&f, "add_prefix_space", false, &prefix) ||
                   !hub_field_bool(&f, "trim_offsets", false, &trim)))
        return false;
    tokenizer_step bytes = {.kind = BERTC_STEP_BYTE_LEVEL,
                            .flags = (prefix ? BERTC_BYTE_LEVEL_PREFIX : 0) | BERTC_BYTE_LEVEL_SPLIT};
    s->byte_level = true;
    if (!tokenizer_add_step(s, &s->pretokenizer, bytes, "") || !read_model(s, vocab, path, merges, size) ||
        !tokenizer_config_added(s, config, added) || !add_specials(s, config, deberta) ||
        !tokenizer_sort_added(s, "added_tokens") || !tokenizer_roles(s, config))
        return false;
    if (trim && !deberta) s->flags |= BERTC_TOKENIZER_TRIM | (prefix ? BERTC_TOKENIZER_TRIM_PREFIXED : 0);
    set_templates(s, deberta);
    return true;
}
