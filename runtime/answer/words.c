#include "runtime/answer/words.h"

#include "runtime/answer/script.h"
#include "runtime/tokenizer/unicode.h"

static bool is_spaced_letter(uint32_t c) {
    return unicode_flags(c) & UNICODE_WORD && script_has_spaces(c);
}

// The character at `at`; U+FFFD where it is none.
static uint32_t character_at(const bertc_text *text, size_t at) {
    const uint8_t *p = (const uint8_t *)text->text + at;
    size_t bad;
    return at < text->size && utf8_check(p, text->size - at, &bad) ? utf8_next(&p) : 0xfffd;
}

static uint32_t character_before(const bertc_text *text, size_t at) {
    size_t start = at;
    while (start > 0 && at - start < 4) {
        start--;
        if (((uint8_t)text->text[start] & 0xc0) != 0x80) return character_at(text, start);
    }
    return 0xfffd;
}

bool words_join(const bertc_text *text, const bertc_token *a, const bertc_token *b) {
    if (a->text != b->text || a->word != b->word || a->word < 0 || b->byte_start > a->byte_end) return false;
    if (b->byte_start < a->byte_end) return true; // bytes of one character
    return is_spaced_letter(character_before(text, b->byte_start)) &&
           is_spaced_letter(character_at(text, b->byte_start));
}

// --- As Transformers

static uint32_t characters(const char *text) {
    uint32_t n = 0;
    for (; *text; text++) n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

bool words_unknown(const bertc_model *m, const bertc_token *t) {
    return t->id == m->tokenizer.table->unk_id;
}

bool words_join_as_transformers(const bertc_model *m, const bertc_text *text, const bertc_token *b) {
    if (words_unknown(m, b)) return false;
    if (m->tokenizer.table->prefix_size) {
        const char *piece = bertc_token_text(m, b->id);
        return piece && characters(piece) != b->char_end - b->char_start;
    }
    if (b->byte_start == 0) return false;
    bool at_space = b->byte_start < text->size && text->text[b->byte_start] == ' ';
    return text->text[b->byte_start - 1] != ' ' && !at_space;
}
