// WordPiece: takes the longest piece of the vocabulary again and again; after the first, pieces with the
// continuing prefix. And WordLevel, in which a word is a piece or unknown.
#include "runtime/tokenizer/encoder.h"

static bool too_long(const uint8_t *p, size_t size, uint32_t max_chars) {
    if (size <= max_chars) return false;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += (p[i] & 0xc0) != 0x80;
    return n > max_chars;
}

// The longest piece that may be a token.
static size_t longest_piece(encoder *e, uint32_t node, const uint8_t *p, size_t size, uint32_t *id,
                            size_t *work) {
    size_t n = trie_longest(&e->t->pieces_trie, node, p, size, id, work);
    while (n && !encoder_takes(e, *id)) n = trie_longest(&e->t->pieces_trie, node, p, n - 1, id, work);
    return n;
}

void wordpiece_encode(encoder *e, const span *s, split word) {
    const tokenizer *t = e->t;
    size_t first = e->raw_count, at = word.start, work = 0;
    uint32_t node = 0, id = 0;
    text_place begin = e->at;
    bool known = !too_long(s->bytes + word.start, word.end - word.start, t->table->max_chars);
    while (known && at < word.end && work <= e->work) {
        size_t n = node == TRIE_NONE ? 0 : longest_piece(e, node, s->bytes + at, word.end - at, &id, &work);
        known = n != 0;
        if (known) text_token(e, s, at, at + n, id);
        at += n;
        node = t->continuing;
    }
    if (!encoder_work(e, work) || known) return;
    e->raw_count = first;
    e->at = begin; // counting again from the text's start would make the whole quadratic
    text_unknown(e, s, word.start, word.end);
}

void wordlevel_encode(encoder *e, const span *s, split word) {
    uint32_t id = 0;
    size_t n = word.end - word.start, work = 0;
    if (trie_longest(&e->t->pieces_trie, 0, s->bytes + word.start, n, &id, &work) == n &&
        encoder_takes(e, id))
        text_token(e, s, word.start, word.end, id);
    else
        text_unknown(e, s, word.start, word.end);
}
