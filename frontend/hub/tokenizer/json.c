// tokenizer.json, part by part.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

// cJSON ends a string at an escaped NUL; a vocabulary that holds one can't be read by it.
static bool no_nul(const tokenizer_spec *s, const char *data, size_t size) {
    for (size_t i = 0; i + 6 <= size; i++) {
        if (data[i] != '\\') continue;
        if (!memcmp(data + i, "\\u0000", 6))
            return diag_error(s->d, s->file, "byte %zu: a NUL in a string", i);
        i++;
    }
    return true;
}

// BPE alone reads bytes.
static bool byte_level_model(tokenizer_spec *s) {
    return s->model == BERTC_TOKENIZER_BPE || tokenizer_byte_characters(s);
}

// Texts are cut on the side that tokenizer_config.json names, else here.
static bool read_truncation(tokenizer_spec *s, const cJSON *v) {
    const hub_fields f = {s->file, "truncation", v, s->d};
    const char *side = "Right";
    if (!v || cJSON_IsNull(v)) return true;
    if (!cJSON_IsObject(v))
        return tokenizer_wrong(s, "truncation", "is %s where an object is expected", hub_json_kind(v));
    if (!hub_field_text(&f, "direction", false, &side)) return false;
    if (!strcmp(side, "Left")) s->flags |= BERTC_TOKENIZER_TRUNCATE_LEFT;
    return !strcmp(side, "Left") || !strcmp(side, "Right") ||
           tokenizer_wrong(s, "truncation", "direction `%s` is neither Left nor Right", side);
}

static bool read_added(tokenizer_spec *s, const cJSON *root, const cJSON *config) {
    const cJSON *listed = cJSON_GetObjectItemCaseSensitive(root, "added_tokens");
    return (s->class.builds || tokenizer_file_added(s, listed)) &&
           (!s->class.known || tokenizer_class_added(s, config, listed)) &&
           tokenizer_sort_added(s, "added_tokens");
}

static bool read_components(tokenizer_spec *s, cJSON *root, const cJSON *config) {
    if (s->class.builds) return tokenizer_class_build(s, config, root);
    return tokenizer_pretokenizer(s, cJSON_GetObjectItemCaseSensitive(root, "pre_tokenizer"),
                                  "pre_tokenizer") &&
           tokenizer_normalizer(s, cJSON_GetObjectItemCaseSensitive(root, "normalizer"), "normalizer");
}

static bool read_template(tokenizer_spec *s, const cJSON *root, const cJSON *config) {
    if (s->class.form != TEMPLATE_FILE) return tokenizer_class_template(s, config);
    return tokenizer_post_processor(s, cJSON_GetObjectItemCaseSensitive(root, "post_processor"),
                                    "post_processor");
}

static bool read_all(tokenizer_spec *s, cJSON *root, cJSON *config) {
    // how long texts may be and how they are padded is a call's business
    return tokenizer_keys(s, root, "tokenizer.json",
                          "version truncation padding added_tokens normalizer pre_tokenizer post_processor "
                          "decoder model") &&
           tokenizer_class_find(s, config, root) && read_components(s, root, config) &&
           tokenizer_model(s, cJSON_GetObjectItemCaseSensitive(root, "model")) && byte_level_model(s) &&
           read_added(s, root, config) && read_template(s, root, config) &&
           tokenizer_decoder(s, cJSON_GetObjectItemCaseSensitive(root, "decoder"), "decoder") &&
           read_truncation(s, cJSON_GetObjectItemCaseSensitive(root, "truncation"));
}

bool tokenizer_from_json(tokenizer_spec *s, const void *data, size_t size, cJSON *config) {
    cJSON *root = hub_json_parse(s->file, data, size, s->d);
    if (!root) return false;
    bool ok = no_nul(s, data, size) && read_all(s, root, config);
    cJSON_Delete(root);
    return ok;
}
