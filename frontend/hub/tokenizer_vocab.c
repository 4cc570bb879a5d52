// vocab.txt, one piece a line, with what tokenizer_config.json says: the tokenizers of BERT, MPNet and ESM as
// Transformers builds them from these. And what all kinds of tokenizer share: the vocabulary by text, the
// roles of special tokens.
#include <stdlib.h>
#include <string.h>

#include "tokenizer_spec.h"

static int by_text(const void *a, const void *b) {
    const tokenizer_piece *const *x = a, *const *y = b;
    int c = strcmp((*x)->text, (*y)->text);
    return c ? c : *x < *y ? -1 : *x > *y;
}

void tokenizer_index(tokenizer_spec *s) {
    const tokenizer_piece **sorted = ARENA_ARRAY(s->a, const tokenizer_piece *, s->piece_count + 1);
    tokenizer_piece *out = ARENA_ARRAY(s->a, tokenizer_piece, s->piece_count + 1);
    for (int i = 0; i < s->piece_count; i++) sorted[i] = &s->pieces[i];
    qsort(sorted, (size_t)s->piece_count, sizeof *sorted, by_text);
    int n = 0;
    for (int i = 0; i < s->piece_count; i++) {
        bool again = n && !strcmp(out[n - 1].text, sorted[i]->text);
        out[again ? n - 1 : n++] = *sorted[i];
    }
    s->by_text = out;
    s->text_count = n;
}

static int to_piece(const void *text, const void *piece) {
    return strcmp(text, ((const tokenizer_piece *)piece)->text);
}

int32_t tokenizer_find(const tokenizer_spec *s, const char *text) {
    const tokenizer_piece *p =
        s->text_count ? bsearch(text, s->by_text, (size_t)s->text_count, sizeof *p, to_piece) : NULL;
    return p ? p->id : -1;
}

static int added_by_text(const void *a, const void *b) {
    return strcmp(((const tokenizer_added *)a)->text, ((const tokenizer_added *)b)->text);
}

bool tokenizer_sort_added(tokenizer_spec *s, const char *path) {
    tokenizer_added *sorted = ARENA_ARRAY(s->a, tokenizer_added, s->added_count + 1);
    for (int i = 0; i < s->added_count; i++) sorted[i] = s->added[i];
    qsort(sorted, (size_t)s->added_count, sizeof *sorted, added_by_text);
    for (int i = 1; i < s->added_count; i++) {
        if (!strcmp(sorted[i - 1].text, sorted[i].text))
            return tokenizer_wrong(s, path, "`%s` is there twice", sorted[i].text);
    }
    int n = 0;
    for (int special = 1; special >= 0; special--) {
        for (int i = 0; i < s->added_count; i++) {
            if (!(s->added[i].flags & BERTC_ADDED_SPECIAL) == !special) sorted[n++] = s->added[i];
        }
    }
    s->added = sorted;
    return true;
}

// "[CLS]", or {"content": "[CLS]", ...} as older files have it.
const char *tokenizer_token_name(const cJSON *config, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(config, key);
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(v, "content");
    return cJSON_GetStringValue(content ? content : v);
}

int32_t tokenizer_find_any(const tokenizer_spec *s, const char *text) {
    for (int i = 0; i < s->added_count; i++) {
        if (!strcmp(s->added[i].text, text)) return s->added[i].id;
    }
    return tokenizer_find(s, text);
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
        const char *name = tokenizer_token_name(config, roles[i].key);
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

static bool read_lines(tokenizer_spec *s, const char *data, size_t size) {
    int lines = 1;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && ++lines > TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file, "has too many lines");
        if (!data[i]) return diag_error(s->d, s->file, "line %d: a NUL", lines);
    }
    s->pieces = ARENA_ARRAY(s->a, tokenizer_piece, lines + 1);
    for (size_t at = 0; at < size;) {
        const char *end = memchr(data + at, '\n', size - at);
        size_t n = (end ? (size_t)(end - data) : size) - at, next = at + n + 1;
        if (n && data[at + n - 1] == '\r') n--;
        s->pieces[s->piece_count] = (tokenizer_piece){arena_strndup(s->a, data + at, n), s->piece_count};
        s->piece_count++;
        at = next;
    }
    tokenizer_index(s);
    if (s->text_count < s->piece_count)
        diag_note(s->d, s->file, "%d of %d pieces are there twice; the last counts",
                  s->piece_count - s->text_count, s->piece_count);
    return s->piece_count || diag_error(s->d, s->file, "is empty");
}

bool tokenizer_add(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags) {
    int32_t known = tokenizer_find(s, text);
    if (known >= 0 && known != id)
        return diag_error(s->d, s->file, "added token `%s` has id %d, but %d in the vocabulary", text, id,
                          known);
    s->added[s->added_count++] = (tokenizer_added){arena_strdup(s->a, text), id, flags};
    return true;
}

static uint32_t set(const cJSON *v, const char *key, uint32_t flag) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, key)) ? flag : 0;
}

// tokenizer_config.json's "added_tokens_decoder": {"0": {"content": "[PAD]", ...}}, and added_tokens.json's
// {"[NEW]": 30522}.
bool tokenizer_config_added(tokenizer_spec *s, const cJSON *config, const cJSON *added, int room) {
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(config, "added_tokens_decoder");
    s->added =
        ARENA_ARRAY(s->a, tokenizer_added, cJSON_GetArraySize(decoder) + cJSON_GetArraySize(added) + room);
    const cJSON *v;
    cJSON_ArrayForEach(v, decoder) {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(v, "content"));
        char *end = NULL;
        long id = v->string && *v->string ? strtol(v->string, &end, 10) : -1;
        if (!text || !*text || !end || *end || id < 0 || id >= TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file,
                              "added_tokens_decoder of its tokenizer_config.json: `%s` is no token",
                              v->string ? v->string : "");
        if (!tokenizer_add(s, text, (int32_t)id,
                           set(v, "lstrip", BERTC_ADDED_LSTRIP) | set(v, "rstrip", BERTC_ADDED_RSTRIP) |
                               set(v, "single_word", BERTC_ADDED_SINGLE_WORD) |
                               set(v, "normalized", BERTC_ADDED_NORMALIZED) |
                               set(v, "special", BERTC_ADDED_SPECIAL)))
            return false;
    }
    if (decoder) return true; // added_tokens.json then says the same
    cJSON_ArrayForEach(v, added) {
        int64_t id;
        if (!v->string || !*v->string || !hub_json_int(v, &id) || id < 0 || id >= TOKENIZER_MOST_IDS)
            return diag_error(s->d, s->file, "added_tokens.json: `%s` has no id", v->string ? v->string : "");
        if (!tokenizer_add(s, v->string, (int32_t)id, BERTC_ADDED_NORMALIZED)) return false;
    }
    return true;
}

bool tokenizer_is_added(const tokenizer_spec *s, const char *text) {
    for (int i = 0; i < s->added_count; i++) {
        if (!strcmp(s->added[i].text, text)) return true;
    }
    return false;
}

static bool bert_options(tokenizer_spec *s, const cJSON *config) {
    const hub_fields f = {arena_printf(s->a, "%s: tokenizer_config.json", s->file), "", config, s->d};
    bool lower = true, chinese = true, clean = true, basic = true;
    if (config && (!hub_field_bool(&f, "do_lower_case", false, &lower) ||
                   !hub_field_bool(&f, "tokenize_chinese_chars", false, &chinese) ||
                   !hub_field_bool(&f, "clean_text", false, &clean) ||
                   !hub_field_bool(&f, "do_basic_tokenize", false, &basic)))
        return false;
    bool strip = lower;
    if (config && !hub_field_bool(&f, "strip_accents", false, &strip)) return false;
    if (!basic) return hub_field_wrong(&f, "do_basic_tokenize", "is false, which is not supported");
    uint32_t flags = (clean ? BERTC_BERT_CLEAN : 0) | (chinese ? BERTC_BERT_CHINESE : 0) |
                     (strip ? BERTC_BERT_STRIP : 0) | (lower ? BERTC_BERT_LOWERCASE : 0);
    return tokenizer_add_step(s, &s->normalizer,
                              (tokenizer_step){.kind = BERTC_STEP_BERT_NORMALIZER, .flags = flags}, "") &&
           tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){.kind = BERTC_STEP_BERT_SPLIT}, "");
}

enum { UNK, CLS, SEP, PAD, MASK, SPECIALS };

// A class of tokenizers that reads vocab.txt: its tokens where tokenizer_config.json doesn't name them; pad
// and mask may be missing.
typedef struct vocab_class {
    const char *names; // without "Tokenizer" and "Fast"
    const char *usual[SPECIALS];
    enum { FORM_BERT, FORM_MPNET, FORM_ESM } form;
} vocab_class;

static const vocab_class classes[] = {
    {"Bert DistilBert Electra MobileBert SqueezeBert LayoutLM ConvBert Lxmert DPRQuestionEncoder "
     "DPRContextEncoder DPRReader RetriBert Ernie PreTrained TokenizersBackend",
     {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"},
     FORM_BERT},
    {"MPNet", {"[UNK]", "<s>", "</s>", "<pad>", "<mask>"}, FORM_MPNET},
    {"Esm", {"<unk>", "<cls>", "<eos>", "<pad>", "<mask>"}, FORM_ESM},
};

bool tokenizer_class_is(const char *class, const char *names) {
    const char *end = strstr(class, "Tokenizer");
    size_t n = end && end > class ? (size_t)(end - class) : strlen(class);
    for (const char *p = names; *p; p += strspn(p, " ")) {
        size_t size = strcspn(p, " ");
        if (size == n && !strncmp(p, class, n)) return true;
        p += size;
    }
    return false;
}

static const vocab_class *find_class(const tokenizer_spec *s, const cJSON *config) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, "tokenizer_class"));
    if (!name) return &classes[0];
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (tokenizer_class_is(name, classes[i].names)) return &classes[i];
    diag_error(s->d, s->file,
               "tokenizer_config.json: what `%s` makes of it is not known; a tokenizer.json would say", name);
    return NULL;
}

static bool add_specials(tokenizer_spec *s, const vocab_class *class, const cJSON *config) {
    static const char *const keys[] = {"unk_token", "cls_token", "sep_token", "pad_token", "mask_token"};
    int32_t *const ids[] = {&s->unk_id, &s->cls_id, &s->sep_id, &s->pad_id, &s->mask_id};
    for (int i = 0; i < SPECIALS; i++) {
        const char *key = i == SEP && class->form == FORM_ESM ? "eos_token" : keys[i];
        const char *name = tokenizer_token_name(config, key);
        if (!name) name = class->usual[i];
        int32_t id = *ids[i] = tokenizer_find_any(s, name);
        if (id < 0 && i <= SEP) return diag_error(s->d, s->file, "lacks `%s`, its %s", name, key);
        uint32_t flags =
            BERTC_ADDED_SPECIAL | (i == MASK && class->form == FORM_MPNET ? BERTC_ADDED_LSTRIP : 0);
        if (id >= 0 && !tokenizer_is_added(s, name) && !tokenizer_add(s, name, id, flags)) return false;
    }
    return true;
}

// ESM's words are what stands between spaces, and every piece ends a word where it is found.
static bool esm_options(tokenizer_spec *s) {
    s->model = BERTC_TOKENIZER_WORDLEVEL;
    for (int i = 0; i < s->text_count; i++) {
        const tokenizer_piece *piece = &s->by_text[i];
        if (*piece->text && !tokenizer_is_added(s, piece->text) &&
            !tokenizer_add(s, piece->text, piece->id, 0))
            return false;
    }
    return tokenizer_add_step(s, &s->pretokenizer, (tokenizer_step){.kind = BERTC_STEP_WHITESPACE_SPLIT}, "");
}

static void set_templates(tokenizer_spec *s, const vocab_class *class) {
    const bertc_template_item text = {.kind = 0}, pair = {.kind = 1, .type = class->form != FORM_MPNET};
    const bertc_template_item begin = {BERTC_TEMPLATE_SPECIAL, s->cls_id, 0},
                              end = {BERTC_TEMPLATE_SPECIAL, s->sep_id, 0},
                              last = {BERTC_TEMPLATE_SPECIAL, s->sep_id, pair.type};
    s->single = (tokenizer_template){{begin, text, end}, 3};
    if (class->form == FORM_MPNET)
        s->pair = (tokenizer_template){{begin, text, end, end, pair, last}, 6};
    else
        s->pair = (tokenizer_template){{begin, text, end, pair, last}, 5};
}

bool tokenizer_from_vocab(tokenizer_spec *s, const void *data, size_t size, const cJSON *config,
                          const cJSON *added) {
    const vocab_class *class = find_class(s, config);
    s->model = BERTC_TOKENIZER_WORDPIECE;
    s->prefix = "##";
    s->max_chars = 100;
    if (!class || !read_lines(s, data, size) ||
        !tokenizer_config_added(s, config, added, s->text_count + SPECIALS) ||
        !add_specials(s, class, config) ||
        !(class->form == FORM_ESM ? esm_options(s) : bert_options(s, config)) ||
        !tokenizer_sort_added(s, "added_tokens") || !tokenizer_roles(s, config))
        return false;
    set_templates(s, class);
    return true;
}
