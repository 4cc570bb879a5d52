// The normaliser of tokenizer.json as steps. A component or an option that is not known is an error with its
// JSON path.
#include <string.h>

#include "frontend/hub/files/text.h"
#include "frontend/hub/tokenizer/spec.h"

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

static bool replace_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(v, "pattern");
    const char *given = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(pattern, "Regex")), *text;
    const char *content = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "content"));
    bool regex;
    if (!tokenizer_keys(s, v, path, "type pattern content")) return false;
    if (!content) return tokenizer_wrong(s, path, "lacks its content");
    if (!tokenizer_read_pattern(s, v, path, &text, &regex)) return false;
    if (!*text) return true; // replaces nothing
    content = arena_strdup(s->a, content);
    if (given && !strcmp(given, " {2,}")) // in every ALBERT; a step of its own is faster
        return add_normalizer(s, BERTC_STEP_COLLAPSE, 0, " ", content, path);
    return add_normalizer(s, regex ? BERTC_STEP_REPLACE_PATTERN : BERTC_STEP_REPLACE, 0, text, content, path);
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
    if (hub_utf8_prefix(data + 4 + trie, size - 4 - trie) < size - 4 - trie)
        return tokenizer_wrong(s, path, "a text in precompiled_charsmap is no UTF-8");
    s->charsmap = data;
    s->charsmap_bytes = size;
    return add_normalizer(s, BERTC_STEP_CHARSMAP, 0, NULL, NULL, path);
}

bool tokenizer_normalizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    static const struct {
        const char *name;
        bertc_normalizer_kind kind;
    } plain[] = {{"NFC", BERTC_STEP_NFC},
                 {"NFKC", BERTC_STEP_NFKC},
                 {"Nmt", BERTC_STEP_NMT},
                 {"ByteLevel", BERTC_STEP_NORMALIZE_BYTES},
                 {"NFD", BERTC_STEP_NFD},
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
