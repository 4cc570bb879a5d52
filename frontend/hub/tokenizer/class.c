// What a class of Transformers makes of tokenizer.json. Most classes read the vocabulary alone from it, and build
// the rest from tokenizer_config.json's options. So does this file: it puts the class's components in place
// of the file's, and says so where that changes something.
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

// By the model's type: config.json's class counts first. The last is of all that is not here.
static const char *const families[][2] = {{"albert", "AlbertTokenizer"},
                                          {"bert", "BertTokenizer"},
                                          {"camembert", "CamembertTokenizer"},
                                          {"convbert", "BertTokenizer"},
                                          {"data2vec-text", "RobertaTokenizer"},
                                          {"deberta", "DebertaTokenizer"},
                                          {"deberta-v2", "DebertaV2Tokenizer"},
                                          {"distilbert", "BertTokenizer"},
                                          {"electra", "BertTokenizer"},
                                          {"ernie", "BertTokenizer"},
                                          {"fnet", "FNetTokenizer"},
                                          {"ibert", "RobertaTokenizer"},
                                          {"jina_embeddings_v3", "XLMRobertaTokenizer"},
                                          {"layoutlm", "BertTokenizer"},
                                          {"longformer", "RobertaTokenizer"},
                                          {"megatron-bert", "BertTokenizer"},
                                          {"mobilebert", "BertTokenizer"},
                                          {"mpnet", "MPNetTokenizer"},
                                          {"nomic_bert", "BertTokenizer"},
                                          {"rembert", "RemBertTokenizer"},
                                          {"roberta", "RobertaTokenizer"},
                                          {"roberta-prelayernorm", "RobertaTokenizer"},
                                          {"squeezebert", "BertTokenizer"},
                                          {"xlm-roberta", "XLMRobertaTokenizer"},
                                          {"xmod", "XLMRobertaTokenizer"}};

// Of these every tokenizer_config.json's class is passed over.
#define PLAIN_FAMILIES "modernbert xlm-roberta-xl nystromformer umt5"

typedef enum class_form {
    FORM_PLAIN, // tokenizer.json as it is
    FORM_BERT,
    FORM_ROBERTA,
    FORM_SPLIT, // sentencepiece's, of words that whitespace separates
    FORM_DEBERTA_V2,
    FORM_REMBERT
} class_form;

typedef struct class_row {
    const char *names; // without "Tokenizer" and "Fast"
    class_form form;
    tokenizer_form template;
    bool types; // its inputs have token_type_ids
    bool trims; // offsets are trimmed unless trim_offsets is false
    // bos, eos, unk, sep, pad, cls, mask, where tokenizer_config.json has no such key; NULL: none.
    const char *special[TOKENIZER_SPECIALS];
} class_row;

#define BERT_TOKENS    {NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}
#define ALBERT_TOKENS  {"[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"}
#define DEBERTA_TOKENS {"[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}
#define ROBERTA_TOKENS {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}

static const class_row rows[] = {
    {"Bert Electra MobileBert SqueezeBert LayoutLM ConvBert Lxmert DPRQuestionEncoder DPRContextEncoder "
     "DPRReader "
     "RetriBert Ernie",
     FORM_BERT, TEMPLATE_BERT, true, false, BERT_TOKENS},
    {"DistilBert", FORM_BERT, TEMPLATE_BERT, false, false, BERT_TOKENS},
    {"MPNet",
     FORM_BERT,
     TEMPLATE_ROBERTA,
     false,
     true,
     {"<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"}},
    {"Roberta Longformer LED Bart", FORM_ROBERTA, TEMPLATE_ROBERTA, false, true, ROBERTA_TOKENS},
    {"Deberta", FORM_ROBERTA, TEMPLATE_ROBERTA, true, false, DEBERTA_TOKENS},
    {"XLMRoberta", FORM_SPLIT, TEMPLATE_XLM_ROBERTA, false, false, ROBERTA_TOKENS},
    {"Camembert", FORM_SPLIT, TEMPLATE_XLM_ROBERTA, false, false, ROBERTA_TOKENS},
    {"Albert", FORM_SPLIT, TEMPLATE_BERT, false, false, ALBERT_TOKENS},
    {"FNet", FORM_PLAIN, TEMPLATE_FILE, true, false, ALBERT_TOKENS},
    {"RemBert", FORM_REMBERT, TEMPLATE_BERT, false, false, ALBERT_TOKENS},
    {"DebertaV2", FORM_DEBERTA_V2, TEMPLATE_BERT, true, false, DEBERTA_TOKENS},
};
static const class_row plain = {"TokenizersBackend", FORM_PLAIN, TEMPLATE_FILE, false, false, {NULL}};

static bool is_one_of(const char *word, const char *list) {
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at++)
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ')) return true;
    return false;
}

static const char *text_of(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const char *family_class(const char *family) {
    for (size_t i = 0; family && i < sizeof families / sizeof *families; i++)
        if (!strcmp(family, families[i][0])) return families[i][1];
    return NULL;
}

static const class_row *find_row(const char *name) {
    for (size_t i = 0; name && i < sizeof rows / sizeof *rows; i++)
        if (tokenizer_class_is(name, rows[i].names)) return &rows[i];
    return &plain;
}

// NULL in *row: neither file is there that AutoTokenizer would ask, and tokenizer.json stands alone.
static bool find_class(const tokenizer_spec *s, const cJSON *config, const class_row **row) {
    cJSON *model = NULL;
    *row = NULL;
    if (!tokenizer_beside(s, "config.json", &model)) return false;
    const char *family = text_of(model, "model_type"), *name = text_of(config, "tokenizer_class");
    if (!name) name = text_of(model, "tokenizer_class");
    if (!name) name = family_class(family);
    if (name || family || config->child) *row = find_row(name);
    if (family && is_one_of(family, PLAIN_FAMILIES)) *row = &plain;
    cJSON_Delete(model);
    return true;
}

// --- Components

static const char *yes(bool is) {
    return is ? "true" : "false";
}

// Reads a component from its text.
static bool read_text(tokenizer_spec *s, const char *text, const char *path,
                      bool (*read)(tokenizer_spec *, const cJSON *, const char *)) {
    cJSON *v = cJSON_Parse(text);
    if (!v) return diag_error(s->d, s->file, "out of memory");
    bool ok = read(s, v, path);
    cJSON_Delete(v);
    return ok;
}

static bool normalizer(tokenizer_spec *s, const char *text) {
    return read_text(s, text, "normalizer", tokenizer_normalizer);
}

static bool pretokenizer(tokenizer_spec *s, const char *text) {
    return read_text(s, text, "pre_tokenizer", tokenizer_pretokenizer);
}

// sentencepiece's map of characters, where the file's normaliser has one at its first or second level.
static bool charsmap(tokenizer_spec *s, const cJSON *v) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(v, "normalizers"), *child;
    if (tokenizer_is(v, "Precompiled")) return tokenizer_normalizer(s, v, "normalizer");
    cJSON_ArrayForEach(child, list) {
        if (tokenizer_is(child, "Precompiled")) return tokenizer_normalizer(s, child, "normalizer");
    }
    return true;
}

static bool bert(tokenizer_spec *s, const hub_fields *f) {
    bool lower = true, chinese = true;
    if (!hub_field_bool(f, "do_lower_case", false, &lower) ||
        !hub_field_bool(f, "tokenize_chinese_chars", false, &chinese))
        return false;
    bool strip = lower;
    return hub_field_bool(f, "strip_accents", false, &strip) &&
           normalizer(
               s, arena_printf(s->a,
                               "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,"
                               "\"strip_accents\":%s,\"lowercase\":%s}",
                               yes(chinese), yes(strip), yes(lower))) &&
           pretokenizer(s, "{\"type\":\"BertPreTokenizer\"}");
}

static bool roberta(tokenizer_spec *s, const hub_fields *f) {
    bool prefix = false;
    return hub_field_bool(f, "add_prefix_space", false, &prefix) &&
           pretokenizer(s,
                        arena_printf(s->a, "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s}", yes(prefix)));
}

#define QUOTES                                                                                               \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},"         \
    "\"content\":\"\\\"\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"''\"},\"content\":\"\\\"\"}"

// ALBERT's and RemBERT's normaliser; the others have the map alone.
static bool letters(tokenizer_spec *s, const hub_fields *f, const cJSON *file, bool lower, bool accents,
                    const char *spaces) {
    return hub_field_bool(f, "do_lower_case", false, &lower) &&
           hub_field_bool(f, "keep_accents", false, &accents) &&
           normalizer(s, arena_printf(s->a, QUOTES "%s%s%s]}", spaces,
                                      accents ? "" : ",{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"}",
                                      lower ? ",{\"type\":\"Lowercase\"}" : "")) &&
           charsmap(s, file);
}

#define METASPACE                                                                                            \
    "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"%s\",\"split\":true}"

static bool metaspace(tokenizer_spec *s, const hub_fields *f, const char *never) {
    bool prefix = true;
    return hub_field_bool(f, "add_prefix_space", false, &prefix) &&
           pretokenizer(s, arena_printf(s->a, METASPACE, prefix ? "always" : never));
}

static bool deberta_v2(tokenizer_spec *s, const hub_fields *f) {
    bool lower = false, punctuation = false;
    return hub_field_bool(f, "do_lower_case", false, &lower) &&
           hub_field_bool(f, "split_by_punct", false, &punctuation) &&
           (!lower || normalizer(s, "{\"type\":\"Lowercase\"}")) &&
           normalizer(s,
                      "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
                      "\"\\\\s{2,}|[\\\\n\\\\r\\\\t]\"},\"content\":\" \"},{\"type\":\"NFC\"},{\"type\":"
                      "\"Strip\",\"strip_left\":false,\"strip_right\":true}]}") &&
           (!punctuation || pretokenizer(s, "{\"type\":\"Punctuation\"}")) && metaspace(s, f, "first");
}

static bool components(tokenizer_spec *s, const class_row *class, const hub_fields *f, const cJSON *file) {
    switch (class->form) {
    case FORM_PLAIN: return true;
    case FORM_BERT: return bert(s, f);
    case FORM_ROBERTA: return roberta(s, f);
    case FORM_SPLIT:
        return (!strcmp(class->names, "Albert") ? letters(s, f, file, true, false, "") : charsmap(s, file)) &&
               pretokenizer(s, "{\"type\":\"WhitespaceSplit\"}") && metaspace(s, f, "never");
    case FORM_REMBERT:
        return letters(s, f, file, false, true,
                       ",{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}") &&
               metaspace(s, f, "never");
    case FORM_DEBERTA_V2: return deberta_v2(s, f);
    }
    return true;
}

// --- The model

static const char *model_of(class_form form) {
    switch (form) {
    case FORM_PLAIN: break;
    case FORM_BERT: return "WordPiece";
    case FORM_ROBERTA: return "BPE";
    case FORM_SPLIT:
    case FORM_DEBERTA_V2:
    case FORM_REMBERT: return "Unigram";
    }
    return NULL;
}

// The number of the piece that a Unigram model has for what is unknown.
static int unknown_piece(const class_row *class, const cJSON *config, const cJSON *vocabulary) {
    const char *unknown = tokenizer_token_text(cJSON_GetObjectItemCaseSensitive(config, "unk_token"));
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(config, "unk_id"), *piece;
    bool camembert = !strcmp(class->names, "Camembert"), deberta = class->form == FORM_DEBERTA_V2;
    int i = 0;
    cJSON_ArrayForEach(piece, vocabulary) {
        const char *text = cJSON_GetStringValue(cJSON_GetArrayItem(piece, 0));
        const cJSON *score = cJSON_GetArrayItem(piece, 1);
        bool is = unknown && text && !strcmp(unknown, text);
        if (is && (camembert ||
                   (deberta && cJSON_IsNumber(score) && !(score->valuedouble < 0 || score->valuedouble > 0))))
            return i;
        i++;
    }
    if (deberta && cJSON_IsNumber(given)) return given->valueint;
    if (camembert) return 0;
    return class->form == FORM_REMBERT ? 2 : deberta || !strcmp(class->names, "Albert") ? 1 : 3;
}

// Leaves of the file's model its vocabulary and merges.
static bool strip_model(tokenizer_spec *s, const class_row *class, const cJSON *config, cJSON *model) {
    static const char *const options[] = {"dropout",  "unk_token",     "continuing_subword_prefix",
                                          "fuse_unk", "byte_fallback", "end_of_word_suffix",
                                          "unk_id",   "ignore_merges", "max_input_chars_per_word"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(model, options[i]);
    const char *unknown = tokenizer_token_text(cJSON_GetObjectItemCaseSensitive(config, "unk_token"));
    bool ok = true;
    if (class->form == FORM_BERT && unknown) ok = cJSON_AddStringToObject(model, "unk_token", unknown);
    const cJSON *vocabulary = cJSON_GetObjectItemCaseSensitive(model, "vocab");
    if (!strcmp(model_of(class->form), "Unigram"))
        ok = cJSON_AddNumberToObject(model, "unk_id", unknown_piece(class, config, vocabulary));
    return ok || diag_error(s->d, s->file, "out of memory");
}

// --- What is said of it

static bool same_steps(const tokenizer_steps *a, const tokenizer_steps *b) {
    if (a->count != b->count) return false;
    for (int i = 0; i < a->count; i++) {
        const tokenizer_step *x = &a->at[i], *y = &b->at[i];
        if (x->kind != y->kind || x->flags != y->flags) return false;
        if (strcmp(x->text ? x->text : "", y->text ? y->text : "")) return false;
        if (strcmp(x->text2 ? x->text2 : "", y->text2 ? y->text2 : "")) return false;
    }
    return true;
}

// What of the file counts no more.
static void add_notes(const tokenizer_spec *s, const tokenizer_spec *file) {
    bool normal = !same_steps(&s->normalizer, &file->normalizer),
         splits = !same_steps(&s->pretokenizer, &file->pretokenizer);
    if (normal || splits)
        diag_note(s->d, s->file,
                  "%s: not taken as %s: Transformers' %s builds its own from tokenizer_config.json, and so "
                  "does bertc",
                  normal && splits ? "normalizer, pre_tokenizer"
                  : normal         ? "normalizer"
                                   : "pre_tokenizer",
                  normal && splits ? "they stand" : "it stands", s->class.name);
}

// --- The class

// The named tokens that tokenizer_config.json has no key for.
static bool add_names(const tokenizer_spec *s, const class_row *class, cJSON *config) {
    for (int i = 0; i < TOKENIZER_SPECIALS; i++) {
        if (!class->special[i] || cJSON_GetObjectItemCaseSensitive(config, tokenizer_specials[i])) continue;
        if (!tokenizer_set_key(s, config, tokenizer_specials[i], cJSON_CreateString(class->special[i])))
            return false;
    }
    bool listed = cJSON_GetObjectItemCaseSensitive(config, "extra_special_tokens") ||
                  cJSON_GetObjectItemCaseSensitive(config, "additional_special_tokens");
    static const char *const unused[] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
    if (listed || strcmp(class->names, "Camembert")) return true;
    return tokenizer_set_key(s, config, "extra_special_tokens", cJSON_CreateStringArray(unused, 3));
}

// Does the class's model match the file's? Transformers would make nonsense of the vocabulary of another.
static bool fits(const tokenizer_spec *s, const class_row *class, const cJSON *model) {
    const char *kind = tokenizer_type(model), *wanted = model_of(class->form);
    if (!wanted || !strcmp(*kind ? kind : wanted, wanted)) return true;
    diag_note(s->d, s->file,
              "model.type: is %s, and not the %s of tokenizer_config.json's class: the file is read as it is",
              kind, wanted);
    return false;
}

static const char *name_of(const tokenizer_spec *s, const class_row *class) {
    if (class == &plain) return plain.names;
    return arena_printf(s->a, "%.*sTokenizer", (int)strcspn(class->names, " "), class->names);
}

bool tokenizer_class_find(tokenizer_spec *s, cJSON *config, const cJSON *root) {
    const class_row *class;
    if (!find_class(s, config, &class)) return false;
    if (!class) return true;
    if (!fits(s, class, cJSON_GetObjectItemCaseSensitive(root, "model"))) class = &plain;
    s->class = (tokenizer_class){.row = class,
                                 .name = name_of(s, class),
                                 .known = true,
                                 .builds = class->form != FORM_PLAIN,
                                 .form = class->template,
                                 .types = class->types,
                                 .mask_strips = is_one_of(class->names, "MPNet Camembert")};
    bool trim = class->trims;
    const hub_fields f = {arena_printf(s->a, "%s: tokenizer_config.json", s->file), "", config, s->d};
    if (trim && class->form == FORM_ROBERTA && !hub_field_bool(&f, "trim_offsets", false, &trim))
        return false;
    bool prefix = false;
    if (class->form == FORM_ROBERTA && !hub_field_bool(&f, "add_prefix_space", false, &prefix)) return false;
    if (trim) s->class.trim = BERTC_TOKENIZER_TRIM | (prefix ? BERTC_TOKENIZER_TRIM_PREFIXED : 0);
    return add_names(s, class, config);
}

bool tokenizer_class_build(tokenizer_spec *s, const cJSON *config, cJSON *root) {
    const hub_fields f = {arena_printf(s->a, "%s: tokenizer_config.json", s->file), "", config, s->d};
    const cJSON *normal = cJSON_GetObjectItemCaseSensitive(root, "normalizer");
    tokenizer_spec file = *s;
    if (!tokenizer_normalizer(&file, normal, "normalizer") ||
        !tokenizer_pretokenizer(&file, cJSON_GetObjectItemCaseSensitive(root, "pre_tokenizer"),
                                "pre_tokenizer") ||
        !components(s, s->class.row, &f, normal) ||
        !strip_model(s, s->class.row, config, cJSON_GetObjectItemCaseSensitive(root, "model")))
        return false;
    add_notes(s, &file);
    return true;
}
