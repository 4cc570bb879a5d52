// vocab.txt, which has one piece on each line, with tokenizer_config.json: the tokenizers of BERT, MPNet
// and ESM as Transformers builds them from these files.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

static bool read_lines(tokenizer_spec *s, const char *data, size_t size) {
    int lines;
    if (!tokenizer_check_lines(s, s->file, data, size, &lines)) return false;
    s->pieces = ARENA_ARRAY(s->a, tokenizer_piece, lines + 1);
    size_t at = 0;
    for (const char *text; (text = tokenizer_line(s, data, size, &at)); s->piece_count++)
        s->pieces[s->piece_count] = (tokenizer_piece){text, s->piece_count};
    tokenizer_index(s);
    if (s->text_count < s->piece_count)
        diag_note(s->d, s->file, "%d of %d pieces are there twice; the last counts",
                  s->piece_count - s->text_count, s->piece_count);
    return s->piece_count || diag_error(s->d, s->file, "is empty");
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
    const char *words = "basic"; // Japanese models', and of a class that older ones don't name
    if (config && !hub_field_text(&f, "word_tokenizer_type", false, &words)) return false;
    if (strcmp(words, "basic")) return hub_field_wrong(&f, "word_tokenizer_type", "`%s` is not known", words);
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
        const tokenizer_special special = {
            .key = i == SEP && class->form == FORM_ESM ? "eos_token" : keys[i],
            .usual = class->usual[i],
            .flags = i == MASK && class->form == FORM_MPNET ? BERTC_ADDED_LSTRIP : 0,
            .needed = i <= SEP,
            .id = ids[i]};
        if (!tokenizer_add_special(s, config, special)) return false;
    }
    return tokenizer_add_listed(s, config);
}

// ESM's words are separated by spaces, and a piece ends a word wherever it is found.
static bool esm_options(tokenizer_spec *s) {
    s->model = BERTC_TOKENIZER_WORDLEVEL;
    for (int i = 0; i < s->text_count; i++) {
        const tokenizer_piece *piece = &s->by_text[i];
        if (*piece->text && !tokenizer_find_added(s, piece->text) &&
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
    if (!class || !read_lines(s, data, size) || !tokenizer_config_added(s, config, added) ||
        !add_specials(s, class, config) ||
        !(class->form == FORM_ESM ? esm_options(s) : bert_options(s, config)) ||
        !tokenizer_sort_added(s, "added_tokens") || !tokenizer_roles(s, config))
        return false;
    set_templates(s, class);
    return true;
}
