// tokenizer.json: the model's vocabulary and the added tokens. parts.c reads the rest.
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

static bool read_added_flags(tokenizer_spec *s, const cJSON *v, const char *path, uint32_t *flags) {
    static const struct {
        const char *key;
        uint32_t flag;
    } known[] = {{"single_word", BERTC_ADDED_SINGLE_WORD},
                 {"lstrip", BERTC_ADDED_LSTRIP},
                 {"rstrip", BERTC_ADDED_RSTRIP},
                 {"normalized", BERTC_ADDED_NORMALIZED},
                 {"special", BERTC_ADDED_SPECIAL}};
    const hub_fields f = {s->file, path, v, s->d};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool set = false;
        if (!hub_field_bool(&f, known[i].key, false, &set)) return false;
        if (set) *flags |= known[i].flag;
    }
    return true;
}

#define MOST_NOTES 20
// Notes on added tokens: the first of a kind say which, the rest are counted.
typedef struct added_notes {
    int again, renumbered;
} added_notes;

// Hugging Face numbers an added token itself, whatever the file says: as the vocabulary does, or from the
// number of pieces on.
static int32_t added_id(const tokenizer_spec *s, const char *text, const char *path, int32_t given,
                        int32_t next, added_notes *notes) {
    int32_t id = tokenizer_find(s, text);
    if (id < 0) id = next;
    if (id != given && notes->renumbered++ < MOST_NOTES)
        diag_note(s->d, s->file, "%s: `%s` has id %d, not %d: so Hugging Face numbers it", path, text, id,
                  given);
    return id;
}

static bool read_added_token(tokenizer_spec *s, const cJSON *v, const char *path, int32_t *next,
                             added_notes *notes) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *text = NULL;
    int64_t id = 0;
    uint32_t flags = 0;
    if (!tokenizer_keys(s, v, path, "id content single_word lstrip rstrip normalized special") ||
        !hub_field_text(&f, "content", true, &text) ||
        !hub_field_int(&f, "id", true, 0, TOKENIZER_MOST_IDS - 1, &id) ||
        !read_added_flags(s, v, path, &flags))
        return false;
    if (!*text) return true; // Hugging Face passes over them too
    tokenizer_added *known = tokenizer_find_added(s, text);
    if (known) {
        known->flags = flags;
        if (notes->again++ < MOST_NOTES)
            diag_note(s->d, s->file, "%s: `%s` is there again; this one's rules count", path, text);
        return true;
    }
    int32_t number = added_id(s, text, path, (int32_t)id, *next, notes);
    if (number >= *next) *next = number + 1;
    tokenizer_append_added(s, text, number, flags);
    return true;
}

static bool read_added(tokenizer_spec *s, const cJSON *v) {
    if (!v || cJSON_IsNull(v)) return true;
    if (!cJSON_IsArray(v))
        return tokenizer_wrong(s, "added_tokens", "is %s where an array is expected", hub_json_kind(v));
    added_notes notes = {0};
    int32_t next = s->model == BERTC_TOKENIZER_UNIGRAM ? s->piece_count : s->text_count;
    const cJSON *child;
    int i = 0;
    cJSON_ArrayForEach(child, v) {
        if (!read_added_token(s, child, arena_printf(s->a, "added_tokens[%d]", i++), &next, &notes))
            return false;
    }
    if (notes.again > MOST_NOTES)
        diag_note(s->d, s->file, "added_tokens: %d more are there again", notes.again - MOST_NOTES);
    if (notes.renumbered > MOST_NOTES)
        diag_note(s->d, s->file, "added_tokens: %d more have other ids", notes.renumbered - MOST_NOTES);
    return tokenizer_sort_added(s, "added_tokens");
}

// BPE alone reads bytes.
static bool byte_level_model(tokenizer_spec *s) {
    return s->model == BERTC_TOKENIZER_BPE || tokenizer_byte_characters(s);
}

static bool read_all(tokenizer_spec *s, const cJSON *root) {
    // truncation and padding are a call's business: Transformers sets them anew with each one as well
    return tokenizer_keys(s, root, "tokenizer.json",
                          "version truncation padding added_tokens normalizer pre_tokenizer post_processor "
                          "decoder model") &&
           tokenizer_pretokenizer(s, cJSON_GetObjectItemCaseSensitive(root, "pre_tokenizer"),
                                  "pre_tokenizer") &&
           tokenizer_model(s, cJSON_GetObjectItemCaseSensitive(root, "model")) && byte_level_model(s) &&
           read_added(s, cJSON_GetObjectItemCaseSensitive(root, "added_tokens")) &&
           tokenizer_normalizer(s, cJSON_GetObjectItemCaseSensitive(root, "normalizer"), "normalizer") &&
           tokenizer_post_processor(s, cJSON_GetObjectItemCaseSensitive(root, "post_processor"),
                                    "post_processor") &&
           tokenizer_decoder(s, cJSON_GetObjectItemCaseSensitive(root, "decoder"), "decoder");
}

bool tokenizer_from_json(tokenizer_spec *s, const void *data, size_t size) {
    cJSON *root = hub_json_parse(s->file, data, size, s->d);
    if (!root) return false;
    bool ok = no_nul(s, data, size) && read_all(s, root);
    cJSON_Delete(root);
    return ok;
}
