#include "runtime/answer/words.h"

#include "runtime/tokenizer/unicode.h"

// Scripts that put no spaces between words.
static bool is_unspaced(uint32_t c) {
    static const uint32_t ranges[][2] = {
        {0x0e00, 0x0eff},   // Thai, Lao
        {0x0f00, 0x0fff},   // Tibetan
        {0x1000, 0x109f},   // Myanmar
        {0x1780, 0x17ff},   // Khmer
        {0x1950, 0x1aaf},   // Tai Le, New Tai Lue, Khmer symbols, Buginese, Tai Tham
        {0x1b00, 0x1b7f},   // Balinese
        {0x2e80, 0x312f},   // radicals, Hiragana, Katakana, Bopomofo
        {0x31a0, 0x9fff},   // their extensions, CJK ideographs
        {0xa000, 0xa4cf},   // Yi
        {0xa980, 0xa9ff},   // Javanese, Myanmar
        {0xaa60, 0xaadf},   // Myanmar, Tai Viet
        {0xf900, 0xfaff},   // CJK
        {0xff66, 0xff9f},   // Katakana of half width
        {0x1aff0, 0x1b16f}, // Kana
        {0x20000, 0x3ffff}, // CJK
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

static bool is_spaced_letter(uint32_t c) {
    return unicode_flags(c) & UNICODE_WORD && !is_unspaced(c);
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
