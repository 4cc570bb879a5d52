// The pre-tokeniser of tokenizer.json as steps. A component or an option that is not known is an error with
// its JSON path.
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

bool tokenizer_byte_characters(tokenizer_spec *s) {
    if (!s->byte_level) return true;
    s->byte_level = false;
    return tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){.kind = BERTC_STEP_SPLIT_BYTES},
                              "pre_tokenizer");
}

static bool add_pretokenizer(tokenizer_spec *s, bertc_split_kind kind, uint32_t flags, const char *text,
                             const char *path) {
    if (!tokenizer_byte_characters(s)) return false; // steps after ByteLevel see its characters
    s->byte_level = kind == BERTC_STEP_BYTE_LEVEL;
    return tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){kind, flags, text, NULL}, path);
}

static bool behaviour(const tokenizer_spec *s, const char *name, const char *path, uint32_t *out) {
    static const char *const known[][2] = {
        [BERTC_SPLIT_REMOVED] = {"Removed", "removed"},
        [BERTC_SPLIT_ISOLATED] = {"Isolated", "isolated"},
        [BERTC_SPLIT_WITH_PREVIOUS] = {"MergedWithPrevious", "merged_with_previous"},
        [BERTC_SPLIT_WITH_NEXT] = {"MergedWithNext", "merged_with_next"},
        [BERTC_SPLIT_CONTIGUOUS] = {"Contiguous", "contiguous"}};
    for (*out = 0; *out < sizeof known / sizeof *known; ++*out) {
        if (!strcmp(name, known[*out][0]) || !strcmp(name, known[*out][1])) return true;
    }
    return tokenizer_wrong(s, path, "behavior `%s` is not known", name);
}

static bool split_at_pattern(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *name = NULL, *text = NULL;
    bool invert = false, regex = false;
    uint32_t flags;
    if (!tokenizer_keys(s, v, path, "type pattern behavior invert") ||
        !hub_field_text(&f, "behavior", true, &name) || !behaviour(s, name, path, &flags) ||
        !hub_field_bool(&f, "invert", false, &invert) || !tokenizer_read_pattern(s, v, path, &text, &regex))
        return false;
    if (!*text && !invert) return true; // cuts nowhere
    if (!*text) return tokenizer_wrong(s, path, "an empty pattern, inverted");
    return add_pretokenizer(s, regex ? BERTC_STEP_SPLIT_PATTERN : BERTC_STEP_SPLIT_TEXT,
                            flags | (invert ? BERTC_SPLIT_INVERT : 0), text, path);
}

static bool punctuation(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *name = "Isolated";
    uint32_t flags;
    return tokenizer_keys(s, v, path, "type behavior") && hub_field_text(&f, "behavior", false, &name) &&
           behaviour(s, name, path, &flags) && add_pretokenizer(s, BERTC_STEP_PUNCTUATION, flags, NULL, path);
}

static bool digits(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool single;
    return tokenizer_keys(s, v, path, "type individual_digits") &&
           tokenizer_flag(s, v, path, "individual_digits", false, &single) &&
           add_pretokenizer(s, BERTC_STEP_DIGITS, single ? BERTC_SPLIT_ISOLATED : BERTC_SPLIT_CONTIGUOUS,
                            NULL, path);
}

static bool is_character(const char *text) {
    size_t n = 0;
    for (; *text; text++) n += (*text & 0xc0) != 0x80;
    return n == 1;
}

static bool delimiter(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *text = NULL;
    if (!tokenizer_keys(s, v, path, "type delimiter") || !hub_field_text(&f, "delimiter", true, &text))
        return false;
    if (!is_character(text)) return tokenizer_wrong(s, path, "delimiter is not one character");
    return add_pretokenizer(s, BERTC_STEP_SPLIT_TEXT, BERTC_SPLIT_REMOVED, arena_strdup(s->a, text), path);
}

static bool fixed_length(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    int64_t length = 5;
    return tokenizer_keys(s, v, path, "type length") &&
           hub_field_int(&f, "length", false, 1, UINT32_MAX, &length) &&
           add_pretokenizer(s, BERTC_STEP_FIXED_LENGTH, (uint32_t)length, NULL, path);
}

static bool metaspace(tokenizer_spec *s, const cJSON *v, const char *path) {
    const hub_fields f = {s->file, path, v, s->d};
    const char *mark = NULL, *scheme = NULL;
    bool prefix = true, splits = true;
    if (!tokenizer_keys(s, v, path, "type replacement prepend_scheme split add_prefix_space str_rep") ||
        !hub_field_text(&f, "replacement", true, &mark) ||
        !hub_field_text(&f, "prepend_scheme", false, &scheme) ||
        !hub_field_bool(&f, "add_prefix_space", false, &prefix) ||
        !hub_field_bool(&f, "split", false, &splits))
        return false;
    if (!scheme) scheme = prefix ? "always" : "never"; // as older files say it
    bool always = !strcmp(scheme, "always"), first = !strcmp(scheme, "first");
    if (!always && !first && strcmp(scheme, "never"))
        return tokenizer_wrong(s, path, "prepend_scheme `%s` is not known", scheme);
    if (!is_character(mark)) return tokenizer_wrong(s, path, "replacement is not one character");
    return add_pretokenizer(s, BERTC_STEP_METASPACE,
                            (always ? BERTC_METASPACE_ALWAYS : 0) | (first ? BERTC_METASPACE_FIRST : 0) |
                                (splits ? BERTC_METASPACE_SPLIT : 0),
                            arena_strdup(s->a, mark), path);
}

static bool byte_level(tokenizer_spec *s, const cJSON *v, const char *path) {
    bool prefix, trim, regex;
    if (!tokenizer_keys(s, v, path, "type add_prefix_space trim_offsets use_regex") ||
        !tokenizer_flag(s, v, path, "add_prefix_space", true, &prefix) ||
        !tokenizer_flag(s, v, path, "trim_offsets", true, &trim) || // the post-processor's
        !tokenizer_flag(s, v, path, "use_regex", true, &regex))
        return false;
    return add_pretokenizer(s, BERTC_STEP_BYTE_LEVEL,
                            (prefix ? BERTC_BYTE_LEVEL_PREFIX : 0) | (regex ? BERTC_BYTE_LEVEL_SPLIT : 0),
                            NULL, path);
}

bool tokenizer_pretokenizer(tokenizer_spec *s, const cJSON *v, const char *path) {
    if (!v || cJSON_IsNull(v)) return true;
    if (tokenizer_is(v, "Sequence"))
        return tokenizer_each(s, v, path, "pretokenizers", tokenizer_pretokenizer);
    if (tokenizer_is(v, "Metaspace")) return metaspace(s, v, path);
    if (tokenizer_is(v, "ByteLevel")) return byte_level(s, v, path);
    if (tokenizer_is(v, "BertPreTokenizer"))
        return tokenizer_keys(s, v, path, "type") &&
               add_pretokenizer(s, BERTC_STEP_BERT_SPLIT, 0, NULL, path);
    if (tokenizer_is(v, "WhitespaceSplit"))
        return tokenizer_keys(s, v, path, "type") &&
               add_pretokenizer(s, BERTC_STEP_WHITESPACE_SPLIT, 0, NULL, path);
    if (tokenizer_is(v, "Whitespace"))
        return tokenizer_keys(s, v, path, "type") && add_pretokenizer(s, BERTC_STEP_WORDS, 0, NULL, path);
    if (tokenizer_is(v, "Split")) return split_at_pattern(s, v, path);
    if (tokenizer_is(v, "Punctuation")) return punctuation(s, v, path);
    if (tokenizer_is(v, "Digits")) return digits(s, v, path);
    if (tokenizer_is(v, "CharDelimiterSplit")) return delimiter(s, v, path);
    if (tokenizer_is(v, "FixedLength")) return fixed_length(s, v, path);
    return tokenizer_wrong(s, path, "pre-tokeniser `%s` is not known", tokenizer_type(v));
}
