// The "model" of tokenizer.json: WordPiece, WordLevel, BPE, Unigram.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

static int by_id(const void *a, const void *b) {
    const tokenizer_piece *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool distinct_ids(const tokenizer_spec *s, const char *path) {
    tokenizer_piece *sorted = arena_dup(s->a, s->pieces, sizeof *sorted * (size_t)s->piece_count);
    qsort(sorted, (size_t)s->piece_count, sizeof *sorted, by_id);
    for (int i = 1; i < s->piece_count; i++) {
        if (sorted[i - 1].id == sorted[i].id)
            return tokenizer_wrong(s, path, "id %d belongs to both `%s` and `%s`", sorted[i].id,
                                   sorted[i - 1].text, sorted[i].text);
    }
    return true;
}

static bool read_vocabulary(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!cJSON_IsObject(v))
        return tokenizer_wrong(s, path, "is %s where an object is expected", hub_json_kind(v));
    int count = cJSON_GetArraySize(v);
    s->pieces = ARENA_ARRAY(s->a, tokenizer_piece, count + 1);
    const cJSON *child;
    cJSON_ArrayForEach(child, v) {
        int64_t id;
        if (!hub_json_int(child, &id) || id < 0 || id >= TOKENIZER_MOST_IDS)
            return tokenizer_wrong(s, path, "`%s` has no id between 0 and %d", child->string,
                                   TOKENIZER_MOST_IDS - 1);
        s->pieces[s->piece_count++] = (tokenizer_piece){arena_strdup(s->a, child->string), (int32_t)id};
    }
    if (!count) return tokenizer_wrong(s, path, "is empty");
    tokenizer_index(s);
    return distinct_ids(s, path);
}

// As in Hugging Face's, an unknown token that is no piece stops those texts alone that need it.
static void find_unknown(tokenizer_spec *s, const char *unknown) {
    s->unk_id = tokenizer_find(s, unknown);
    if (s->unk_id >= 0) return;
    s->flags |= BERTC_TOKENIZER_NO_UNKNOWN;
    diag_note(s->d, s->file,
              "model.unk_token: `%s` is not in the vocabulary: a text that needs it will be an error",
              unknown);
}

static bool read_wordpiece(tokenizer_spec *s, const cJSON *model) {
    const hub_fields f = {s->file, "model", model, s->d};
    const char *prefix = "##", *unknown = "[UNK]";
    int64_t chars = 100;
    if (!tokenizer_keys(s, model, "model",
                        "type unk_token continuing_subword_prefix max_input_chars_per_word vocab") ||
        !hub_field_text(&f, "unk_token", false, &unknown) ||
        !hub_field_text(&f, "continuing_subword_prefix", false, &prefix) ||
        !hub_field_int(&f, "max_input_chars_per_word", false, 0, UINT32_MAX, &chars) ||
        !read_vocabulary(s, cJSON_GetObjectItemCaseSensitive(model, "vocab"), "model.vocab"))
        return false;
    s->model = BERTC_TOKENIZER_WORDPIECE;
    s->prefix = arena_strdup(s->a, prefix);
    s->max_chars = (uint32_t)chars;
    find_unknown(s, unknown);
    return true;
}

static bool read_wordlevel(tokenizer_spec *s, const cJSON *model) {
    const hub_fields f = {s->file, "model", model, s->d};
    const char *unknown = "<unk>";
    if (!tokenizer_keys(s, model, "model", "type unk_token vocab") ||
        !hub_field_text(&f, "unk_token", false, &unknown) ||
        !read_vocabulary(s, cJSON_GetObjectItemCaseSensitive(model, "vocab"), "model.vocab"))
        return false;
    s->model = BERTC_TOKENIZER_WORDLEVEL;
    find_unknown(s, unknown);
    return true;
}

// --- Byte-level BPE

static void byte_text(int byte, char out[3]) {
    uint32_t c = bertc_byte_character((uint8_t)byte);
    if (c < 0x80) {
        out[0] = (char)c;
        out[1] = 0;
    } else {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        out[2] = 0;
    }
}

char *tokenizer_bytes(arena *a, const char *text) {
    uint8_t byte_of[512] = {0};
    for (int b = 0; b < 256; b++) byte_of[bertc_byte_character((uint8_t)b)] = (uint8_t)b;
    char *out = arena_strdup(a, text), *o = out;
    for (const uint8_t *p = (const uint8_t *)text; *p;) {
        uint32_t c = *p++;
        if (c >= 0x80) {
            if (c >= 0xc8 || (*p & 0xc0) != 0x80) return NULL; // characters of two bytes up to U+01FF
            c = (c & 0x1f) << 6 | (*p++ & 0x3f);
        }
        if (!byte_of[c]) return NULL;
        *o++ = (char)byte_of[c];
    }
    *o = 0;
    return out;
}

// `right` without the continuing prefix ("##"). As in Hugging Face's code, as many bytes as the prefix has
// are cut, without comparing them.
static const char *behind_prefix(const tokenizer_spec *s, const char *right) {
    size_t n = s->prefix ? strlen(s->prefix) : 0;
    return strlen(right) < n ? "" : right + n;
}

// Does a merge join U+2581 to another character before it?
static bool joins_space(const char *left, const char *right) {
    static const char mark[] = "\xe2\x96\x81";
    size_t n = strlen(left);
    return !strncmp(right, mark, 3) && (n < 3 || strcmp(left + n - 3, mark));
}

// "a b", or ["a", "b"].
static bool read_merge(tokenizer_spec *s, const cJSON *v, int rank, bertc_merge *out) {
    const char *path = arena_printf(s->a, "model.merges[%d]", rank), *left = NULL, *right = NULL;
    if (cJSON_IsString(v)) {
        const char *space = strchr(v->valuestring, ' ');
        if (space)
            left = arena_strndup(s->a, v->valuestring, (size_t)(space - v->valuestring)), right = space + 1;
    } else if (cJSON_IsArray(v) && cJSON_GetArraySize(v) == 2) {
        left = cJSON_GetStringValue(cJSON_GetArrayItem(v, 0));
        right = cJSON_GetStringValue(cJSON_GetArrayItem(v, 1));
    }
    if (!left || !right) return tokenizer_wrong(s, path, "is no pair of pieces");
    s->joins_space |= joins_space(left, right);
    int32_t ids[3] = {tokenizer_find(s, left), tokenizer_find(s, right),
                      tokenizer_find(s, arena_printf(s->a, "%s%s", left, behind_prefix(s, right)))};
    if (ids[0] < 0 || ids[1] < 0 || ids[2] < 0)
        return tokenizer_wrong(s, path, "merge `%s` `%s`: `%s` is not in the vocabulary", left, right,
                               ids[0] < 0   ? left
                               : ids[1] < 0 ? right
                                            : arena_printf(s->a, "%s%s", left, behind_prefix(s, right)));
    *out = (bertc_merge){(uint32_t)ids[0], (uint32_t)ids[1], (uint32_t)rank, (uint32_t)ids[2]};
    return true;
}

static bool read_merges(tokenizer_spec *s, const cJSON *list) {
    if (!cJSON_IsArray(list))
        return tokenizer_wrong(s, "model.merges", "is %s where an array is expected", hub_json_kind(list));
    bertc_merge *merges = ARENA_ARRAY(s->a, bertc_merge, cJSON_GetArraySize(list) + 1);
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        if (!read_merge(s, v, s->merge_count, &merges[s->merge_count])) return false;
        s->merge_count++;
    }
    s->merges = merges;
    return true;
}

// An option that must be off: null, false, 0 or "".
static bool must_be_off(const tokenizer_spec *s, const cJSON *model, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(model, key);
    bool off = !v || cJSON_IsNull(v) || cJSON_IsFalse(v) || (cJSON_IsString(v) && !*v->valuestring) ||
               (cJSON_IsNumber(v) && v->valuedouble == 0);
    return off || tokenizer_wrong(s, arena_printf(s->a, "model.%s", key), "is set, which is not supported");
}

// The pieces for an unknown text's bytes: "<0x0A>".
static void byte_pieces(tokenizer_spec *s) {
    s->byte_fallback = true;
    for (int b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)b);
        s->byte_ids[b] = (uint32_t)tokenizer_find(s, text); // UINT32_MAX: none
    }
}

// Whether the model reads bytes, all of which are pieces: nothing is unknown.
static bool read_bytes(tokenizer_spec *s) {
    if (!s->byte_level) return false;
    for (int b = 0; b < 256; b++) {
        char text[3];
        byte_text(b, text);
        int32_t id = tokenizer_find(s, text);
        if (id < 0) return false;
        s->byte_ids[b] = (uint32_t)id;
    }
    return true;
}

static bool read_bpe(tokenizer_spec *s, const cJSON *model) {
    const hub_fields f = {s->file, "model", model, s->d};
    const char *unknown = NULL, *prefix = "", *suffix = "";
    bool whole = false, fuse = false, bytes = false;
    if (!tokenizer_keys(
            s, model, "model",
            "type dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk byte_fallback "
            "ignore_merges vocab merges") ||
        !must_be_off(s, model, "dropout") || !hub_field_text(&f, "unk_token", false, &unknown) ||
        !hub_field_text(&f, "continuing_subword_prefix", false, &prefix) ||
        !hub_field_text(&f, "end_of_word_suffix", false, &suffix) ||
        !hub_field_bool(&f, "fuse_unk", false, &fuse) ||
        !hub_field_bool(&f, "byte_fallback", false, &bytes) ||
        !hub_field_bool(&f, "ignore_merges", false, &whole))
        return false;
    if (bytes && (*prefix || *suffix))
        return tokenizer_wrong(s, *prefix ? "model.continuing_subword_prefix" : "model.end_of_word_suffix",
                               "is set, which is not supported with byte_fallback");
    s->prefix = arena_strdup(s->a, prefix);
    s->suffix = arena_strdup(s->a, suffix);
    if (!read_vocabulary(s, cJSON_GetObjectItemCaseSensitive(model, "vocab"), "model.vocab") ||
        !read_merges(s, cJSON_GetObjectItemCaseSensitive(model, "merges")))
        return false;
    s->model = BERTC_TOKENIZER_BPE;
    s->flags |= (whole ? BERTC_TOKENIZER_IGNORE_MERGES : 0) | (fuse ? BERTC_TOKENIZER_FUSE_UNKNOWN : 0);
    if (unknown) s->unk_id = tokenizer_find(s, unknown);
    if (!*prefix && !*suffix && read_bytes(s)) return true;
    if (!tokenizer_byte_characters(s)) return false;
    s->flags |= BERTC_TOKENIZER_CHARACTERS | (unknown ? 0 : BERTC_TOKENIZER_DROP_UNKNOWN);
    if (unknown) find_unknown(s, unknown);
    if (bytes) byte_pieces(s);
    if (unknown && !*prefix && !*suffix && !s->joins_space && tokenizer_find(s, "\xe2\x96\x81") >= 0)
        s->flags |= BERTC_TOKENIZER_SPACE_BEGINS;
    return true;
}

// --- Unigram: [["piece", score], ...]; ids count the pieces.

static bool read_scores(tokenizer_spec *s, const cJSON *list, double *least) {
    if (!cJSON_IsArray(list))
        return tokenizer_wrong(s, "model.vocab", "is %s where an array is expected", hub_json_kind(list));
    s->pieces = ARENA_ARRAY(s->a, tokenizer_piece, cJSON_GetArraySize(list) + 1);
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        const cJSON *score = cJSON_GetArrayItem(v, 1);
        const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(v, 0));
        if (cJSON_GetArraySize(v) != 2 || !text || !cJSON_IsNumber(score) ||
            !(score->valuedouble >= -1e30 && score->valuedouble <= 1e30))
            return tokenizer_wrong(s, arena_printf(s->a, "model.vocab[%d]", s->piece_count),
                                   "is no piece with its score");
        if (s->piece_count == TOKENIZER_MOST_IDS) return tokenizer_wrong(s, "model.vocab", "is too long");
        if (score->valuedouble < *least) *least = score->valuedouble;
        s->pieces[s->piece_count] =
            (tokenizer_piece){arena_strdup(s->a, text), s->piece_count, score->valuedouble};
        s->piece_count++;
    }
    tokenizer_index(s);
    return s->piece_count || tokenizer_wrong(s, "model.vocab", "is empty");
}

static bool read_unigram(tokenizer_spec *s, const cJSON *model) {
    const hub_fields f = {s->file, "model", model, s->d};
    double least = 1e300;
    int64_t unknown = -1;
    bool bytes = false;
    if (!tokenizer_keys(s, model, "model", "type unk_id vocab byte_fallback") ||
        !hub_field_bool(&f, "byte_fallback", false, &bytes) ||
        !read_scores(s, cJSON_GetObjectItemCaseSensitive(model, "vocab"), &least) ||
        !hub_field_int(&f, "unk_id", false, 0, s->piece_count - 1, &unknown))
        return false;
    s->model = BERTC_TOKENIZER_UNIGRAM;
    s->unk_id = (int32_t)unknown;
    if (unknown < 0) {
        s->flags |= BERTC_TOKENIZER_NO_UNKNOWN;
        diag_note(s->d, s->file, "model.unk_id: is not there: a text that needs it will be an error");
    }
    if (bytes) byte_pieces(s);
    s->unk_score = least - 10; // sentencepiece's penalty
    return true;
}

// Files of 2020 name no type.
static const char *guess_kind(const cJSON *model) {
    if (cJSON_GetObjectItemCaseSensitive(model, "merges")) return "BPE";
    if (cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(model, "vocab"))) return "Unigram";
    if (cJSON_GetObjectItemCaseSensitive(model, "continuing_subword_prefix")) return "WordPiece";
    return cJSON_GetObjectItemCaseSensitive(model, "vocab") ? "WordLevel" : NULL;
}

bool tokenizer_model(tokenizer_spec *s, const cJSON *model) {
    if (!cJSON_IsObject(model)) return tokenizer_wrong(s, "model", "is missing");
    const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(model, "type"));
    if (!kind) kind = guess_kind(model);
    if (kind && !strcmp(kind, "WordPiece")) return read_wordpiece(s, model);
    if (kind && !strcmp(kind, "WordLevel")) return read_wordlevel(s, model);
    if (kind && !strcmp(kind, "BPE")) return read_bpe(s, model);
    if (kind && !strcmp(kind, "Unigram")) return read_unigram(s, model);
    return tokenizer_wrong(s, "model.type", "model `%s` is not known", kind ? kind : "");
}
