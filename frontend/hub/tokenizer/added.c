// Added tokens of tokenizer.json, and those that a class of Transformers adds to them. Hugging Face numbers
// them itself, whatever the files say.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

#define MOST_NOTES 20
// Notes on added tokens: the first of a kind say which, the rest are counted.
typedef struct added_notes {
    int again, renumbered;
} added_notes;

// As the vocabulary numbers it, or the next number.
static int32_t number_of(const tokenizer_spec *s, const char *text) {
    int32_t id = tokenizer_find(s, text);
    int32_t next = s->model == BERTC_TOKENIZER_UNIGRAM ? s->piece_count : s->text_count;
    if (id >= 0) return id;
    return s->next_added > next ? s->next_added : next;
}

static void append(tokenizer_spec *s, const char *text, const char *path, int32_t given, uint32_t flags,
                   added_notes *notes) {
    int32_t id = number_of(s, text);
    if (id != given && notes->renumbered++ < MOST_NOTES)
        diag_note(s->d, s->file, "%s: `%s` has id %d, not %d: so Hugging Face numbers it", path, text, id,
                  given);
    tokenizer_append_added(s, text, id, flags);
}

static void say_rest(const tokenizer_spec *s, const added_notes *notes) {
    if (notes->again > MOST_NOTES)
        diag_note(s->d, s->file, "added_tokens: %d more are there again", notes->again - MOST_NOTES);
    if (notes->renumbered > MOST_NOTES)
        diag_note(s->d, s->file, "added_tokens: %d more have other ids", notes->renumbered - MOST_NOTES);
}

// --- tokenizer.json's

static bool read_flags(tokenizer_spec *s, const cJSON *v, const char *path, uint32_t *flags) {
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

// A token of the list; *text is empty where Hugging Face passes over it too.
static bool read_token(tokenizer_spec *s, const cJSON *v, const char *path, const char **text, int64_t *id,
                       uint32_t *flags) {
    const hub_fields f = {s->file, path, v, s->d};
    return tokenizer_keys(s, v, path, "id content single_word lstrip rstrip normalized special") &&
           hub_field_text(&f, "content", true, text) &&
           hub_field_int(&f, "id", true, 0, TOKENIZER_MOST_IDS - 1, id) && read_flags(s, v, path, flags);
}

bool tokenizer_file_added(tokenizer_spec *s, const cJSON *v) {
    if (!v || cJSON_IsNull(v)) return true;
    if (!cJSON_IsArray(v))
        return tokenizer_wrong(s, "added_tokens", "is %s where an array is expected", hub_json_kind(v));
    added_notes notes = {0};
    const cJSON *child;
    int i = 0;
    cJSON_ArrayForEach(child, v) {
        const char *path = arena_printf(s->a, "added_tokens[%d]", i++), *text = NULL;
        int64_t id = 0;
        uint32_t flags = 0;
        if (!read_token(s, child, path, &text, &id, &flags)) return false;
        tokenizer_added *known = *text ? tokenizer_find_added(s, text) : NULL;
        if (known) {
            known->flags = flags;
            if (notes.again++ < MOST_NOTES)
                diag_note(s->d, s->file, "%s: `%s` is there again; this one's rules count", path, text);
        } else if (*text) {
            append(s, text, path, (int32_t)id, flags, &notes);
        }
    }
    say_rest(s, &notes);
    return true;
}

// --- A class's

typedef struct numbered {
    const char *text;
    int64_t id;
    uint32_t flags;
    int order;
    const char *path; // where it stands
} numbered;

static int by_number(const void *a, const void *b) {
    const numbered *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_id(int64_t id) {
    return id >= 0 && id < TOKENIZER_MOST_IDS;
}

// {"0": {"content": "[PAD]", ...}}
static bool read_decoder(tokenizer_spec *s, const cJSON *decoder, numbered *out, int *count) {
    const cJSON *v;
    cJSON_ArrayForEach(v, decoder) {
        char *end = NULL;
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "content"));
        long id = v->string && *v->string ? strtol(v->string, &end, 10) : -1;
        if (!text || !end || *end || !is_id(id))
            return diag_error(s->d, s->file,
                              "added_tokens_decoder of its tokenizer_config.json: `%s` is no token",
                              v->string ? v->string : "");
        out[*count] = (numbered){text, id, tokenizer_token_flags(v, 0), *count, "added_tokens_decoder"};
        ++*count;
    }
    return true;
}

// added_tokens.json's {"[NEW]": 30522}, and tokenizer.json's list.
static bool read_older(tokenizer_spec *s, const cJSON *config, const cJSON *added, const cJSON *listed,
                       numbered *out, int *count) {
    const cJSON *v;
    int i = 0;
    size_t name_count;
    const char **names = tokenizer_names(s, config, &name_count);
    cJSON_ArrayForEach(v, added) {
        int64_t id;
        if (!v->string || !hub_json_int(v, &id) || !is_id(id))
            return diag_error(s->d, s->file, "added_tokens.json: `%s` has no id", v->string ? v->string : "");
        bool special = tokenizer_is_named(names, name_count, v->string);
        out[*count] = (numbered){v->string, id, special ? BERTC_ADDED_SPECIAL : BERTC_ADDED_NORMALIZED,
                                 *count, "added_tokens.json"};
        ++*count;
    }
    cJSON_ArrayForEach(v, listed) {
        numbered n = {.order = *count, .path = arena_printf(s->a, "added_tokens[%d]", i++)};
        if (!read_token(s, v, n.path, &n.text, &n.id, &n.flags)) return false;
        out[(*count)++] = n;
    }
    return true;
}

// The last one's rules count, but whether a special token matches normalised text is the first one's.
static void put(tokenizer_spec *s, const numbered *n, added_notes *notes) {
    tokenizer_added *known = tokenizer_find_added(s, n->text);
    uint32_t flags = n->flags;
    if (!*n->text) return;
    if (!known) {
        append(s, n->text, n->path, (int32_t)n->id, flags, notes);
    } else if (known->flags & BERTC_ADDED_SPECIAL) {
        known->flags = (flags & ~(uint32_t)BERTC_ADDED_NORMALIZED) | BERTC_ADDED_SPECIAL |
                       (known->flags & BERTC_ADDED_NORMALIZED);
    } else {
        known->flags = flags;
    }
}

static bool add_numbered(tokenizer_spec *s, const cJSON *config, const cJSON *listed) {
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(config, "added_tokens_decoder");
    cJSON *added = NULL;
    if (!decoder && !tokenizer_beside(s, "added_tokens.json", &added)) return false;
    int most = cJSON_GetArraySize(decoder) + cJSON_GetArraySize(added) + cJSON_GetArraySize(listed), n = 0;
    numbered *tokens = ARENA_ARRAY(s->a, numbered, most + 1);
    added_notes notes = {0};
    bool ok =
        decoder ? read_decoder(s, decoder, tokens, &n) : read_older(s, config, added, listed, tokens, &n);
    if (ok) {
        qsort(tokens, (size_t)n, sizeof *tokens, by_number);
        for (int i = 0; i < n; i++) // of those with one number the last counts
            if (i + 1 == n || tokens[i].id != tokens[i + 1].id) put(s, &tokens[i], &notes);
        say_rest(s, &notes);
    }
    cJSON_Delete(added);
    return ok;
}

// One that is there keeps its rules.
static void add_special(tokenizer_spec *s, const cJSON *v, uint32_t more) {
    const char *name = tokenizer_token_text(v);
    if (!name || !*name || tokenizer_find_added(s, name)) return;
    bool plain = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(v, "special")) && !more;
    tokenizer_append_added(s, name, number_of(s, name),
                           tokenizer_token_flags(v, plain ? 0 : BERTC_ADDED_SPECIAL | more));
}

static bool is_special_key(const char *key) {
    for (int i = 0; i < TOKENIZER_SPECIALS; i++)
        if (!strcmp(key, tokenizer_specials[i])) return true;
    return false;
}

// Tokens under other names, such as "image_token", and in lists.
static bool add_extra(tokenizer_spec *s, const cJSON *config) {
    const cJSON *v, *extra = cJSON_GetObjectItemCaseSensitive(config, "extra_special_tokens");
    const char *list = extra ? "extra_special_tokens" : "additional_special_tokens";
    if (!extra) extra = cJSON_GetObjectItemCaseSensitive(config, list);
    cJSON_ArrayForEach(v, config) {
        size_t n = v->string ? strlen(v->string) : 0;
        if (n > 6 && !strcmp(v->string + n - 6, "_token") && !is_special_key(v->string)) add_special(s, v, 0);
    }
    cJSON_ArrayForEach(v, extra) {
        if (!tokenizer_token_text(v))
            return diag_error(s->d, s->file, "tokenizer_config.json: `%s` holds %s where a token is expected",
                              list, hub_json_kind(v));
        add_special(s, v, 0);
    }
    return true;
}

bool tokenizer_class_added(tokenizer_spec *s, const cJSON *config, const cJSON *listed) {
    if (!add_numbered(s, config, listed)) return false;
    for (int i = 0; i < TOKENIZER_SPECIALS; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, tokenizer_specials[i]);
        bool strips =
            s->class.mask_strips && !strcmp(tokenizer_specials[i], "mask_token") && cJSON_IsString(v);
        add_special(s, v, BERTC_ADDED_SPECIAL | (strips ? BERTC_ADDED_LSTRIP : 0));
    }
    return add_extra(s, config);
}
