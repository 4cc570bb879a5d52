// Unigram: splits a word into the pieces with the largest sum of scores. A run of characters that are no
// piece is one unknown token.
#include "runtime/tokenizer/encoder.h"

#define KEPT 8 // pieces of a word that may be kept for its next time

static void reach(unigram_node *to, double score, uint32_t start, uint32_t id) {
    if (to->start == UINT32_MAX || score > to->score) *to = (unigram_node){score, start, id};
}

// Fills e->ways for a word of n bytes: the best way to each of its bytes. False: one has an unknown
// character, for which there is no token.
static bool find_ways(encoder *e, const uint8_t *p, uint32_t n) {
    const tokenizer *t = e->t;
    bool lacks = t->table->flags & BERTC_TOKENIZER_NO_UNKNOWN;
    unigram_node *ways = e->ways;
    for (uint32_t i = 0; i <= n; i++) ways[i].start = UINT32_MAX;
    ways[0].score = 0;
    for (uint32_t at = 0, length; at < n; at += length) {
        uint32_t node = 0, end = at;
        bool single = false;
        double score = ways[at].score;
        length = (uint32_t)utf8_length(p[at]);
        for (uint32_t i = at; i < n; end = ++i) {
            node = trie_step(&t->pieces_trie, node, p[i]);
            if (node == TRIE_NONE) break;
            uint32_t id = trie_value(&t->pieces_trie, node);
            if (id >= t->table->scores.count || !encoder_takes(e, id)) continue;
            reach(&ways[i + 1], score + t->scores[id], at, id);
            single |= i + 1 == at + length;
        }
        if (!encoder_work(e, end - at)) return false;
        if (single) continue;
        unigram_node *to = &ways[at + length];
        reach(to, score + t->table->unk_score, at, (uint32_t)t->table->unk_id);
        if (lacks && to->start == at && to->id == (uint32_t)t->table->unk_id) return false;
    }
    return true;
}

// What is unknown, as one token (which may have the very text of a piece), or as one a byte where each of its
// bytes is a piece; these pieces replace all of it.
static void give_unknown(encoder *e, const span *s, size_t start, size_t end) {
    const tokenizer *t = e->t;
    uint32_t id = 0;
    size_t work = 0;
    bool piece = trie_longest(&t->pieces_trie, 0, s->bytes + start, end - start, &id, &work) == end - start;
    if (piece && encoder_takes(e, id)) {
        text_trim_text(e, text_token(e, s, start, end, id), s->bytes + start, end - start);
        return;
    }
    bool bytes = t->table->byte_ids.count == 256;
    for (size_t i = start; bytes && i < end; i++) bytes = t->byte_ids[s->bytes[i]] != UINT32_MAX;
    if (!bytes) text_trim_text(e, text_unknown(e, s, start, end), s->bytes + start, end - start);
    const bertc_token *all = bytes ? text_token(e, s, start, end, t->byte_ids[s->bytes[start]]) : NULL;
    for (size_t i = start + 1; all && i < end; i++) all = text_again(e, t->byte_ids[s->bytes[i]]);
}

void unigram_encode(encoder *e, const span *s, split word) {
    bool lacks = e->t->table->flags & BERTC_TOKENIZER_NO_UNKNOWN;
    uint32_t n = word.end - word.start, unknown = lacks ? UINT32_MAX : (uint32_t)e->t->table->unk_id;
    if (cache_give(e, s, word)) return;
    if (!encoder_room(e, &e->ways, &e->way_capacity, (size_t)n + 1, sizeof *e->ways)) return;
    if (!find_ways(e, s->bytes + word.start, n)) {
        text_unknown(e, s, word.start, word.end);
        return;
    }
    unigram_node *ways = e->ways;
    // turn the links round: each node of the way then knows where its piece ends
    uint32_t end = n, next = UINT32_MAX, next_id = 0;
    while (end) {
        unigram_node way = ways[end];
        ways[end].start = next;
        ways[end].id = next_id;
        next = end;
        next_id = way.id;
        end = way.start;
        if (end > n) return; // a piece that ends within a character: a broken table
    }
    uint32_t ids[KEPT], ends[KEPT];
    size_t count = 0;
    for (uint32_t at = 0; at < n;) {
        uint32_t to = next, id = next_id;
        next = ways[to].start;
        next_id = ways[to].id;
        while (id == unknown && to < n && next_id == unknown) {
            to = next;
            next = ways[to].start;
            next_id = ways[to].id;
        }
        if (id == unknown) {
            give_unknown(e, s, word.start + at, word.start + to);
            count = KEPT;
        } else {
            text_token(e, s, word.start + at, word.start + to, id);
        }
        if (count < KEPT) ids[count] = id, ends[count] = word.start + to;
        count += count < KEPT;
        at = to;
    }
    if (count < KEPT) cache_put(e, s, word, ids, ends, count);
}
