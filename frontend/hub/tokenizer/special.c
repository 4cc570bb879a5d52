// Special tokens as tokenizer_config.json has them: names, or objects with rules.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

const char *const tokenizer_specials[TOKENIZER_SPECIALS] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

const char *tokenizer_token_text(const cJSON *v) {
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(v, "content");
    return cJSON_GetStringValue(content ? content : v);
}

uint32_t tokenizer_token_flags(const cJSON *v, uint32_t more) {
    static const struct {
        const char *key;
        uint32_t flag;
    } known[] = {{"lstrip", BERTC_ADDED_LSTRIP},
                 {"rstrip", BERTC_ADDED_RSTRIP},
                 {"single_word", BERTC_ADDED_SINGLE_WORD},
                 {"normalized", BERTC_ADDED_NORMALIZED},
                 {"special", BERTC_ADDED_SPECIAL}};
    uint32_t flags = more;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, known[i].key))) flags |= known[i].flag;
    bool says = cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(v, "normalized"));
    if (!says && !(flags & BERTC_ADDED_SPECIAL)) flags |= BERTC_ADDED_NORMALIZED;
    return flags;
}

static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **tokenizer_names(const tokenizer_spec *s, const cJSON *config, size_t *count) {
    size_t most = TOKENIZER_SPECIALS;
    const cJSON *v;
    for (int i = 0; i < 2; i++)
        most += (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(config, lists[i]));
    const char **names = ARENA_ARRAY(s->a, const char *, most);
    *count = 0;
    for (int i = 0; i < TOKENIZER_SPECIALS; i++) {
        const char *name =
            tokenizer_token_text(cJSON_GetObjectItemCaseSensitive(config, tokenizer_specials[i]));
        if (name) names[(*count)++] = name;
    }
    for (int i = 0; i < 2; i++) {
        cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(config, lists[i])) {
            if (tokenizer_token_text(v)) names[(*count)++] = tokenizer_token_text(v);
        }
    }
    qsort(names, *count, sizeof *names, by_name);
    return names;
}

bool tokenizer_is_named(const char *const *names, size_t count, const char *name) {
    return bsearch(&name, names, count, sizeof *names, by_name) != NULL;
}
