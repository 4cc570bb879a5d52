// BPE: of a word's bytes, or characters, the pair with the lowest rank is merged, of equal ones the
// leftmost, until no pair has a rank.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

#define SHORT_WORD 48 // up to this many symbols a scan for the lowest rank beats a heap
#define NO_MERGE   UINT32_MAX
#define FEW_PROBES 32u

// The merge of two pieces; rank NO_MERGE: there is none.
static bpe_merge find_merge(encoder *e, uint32_t left, uint32_t right) {
    const tokenizer *t = e->t;
    uint32_t mask = t->table->merges.count - 1, slot = bertc_merge_slot(left, right);
    for (uint32_t i = 0; i < t->table->merge_probes; i++) {
        if (i >= FEW_PROBES && !encoder_work(e, 1)) break; // a table may be made so that each look-up is long
        const bertc_merge *m = &t->merges[(slot + i) & mask];
        if (m->rank == NO_MERGE) break;
        if (m->left == left && m->right == right && encoder_takes(e, m->id))
            return (bpe_merge){.rank = m->rank, .id = m->id};
    }
    return (bpe_merge){.rank = NO_MERGE};
}

// ids: of the word's n symbols, starts: where they begin and where the last one ends.
static void merge_short(encoder *e, const span *s, split word, uint32_t *ids, uint32_t *starts, uint32_t n) {
    bpe_merge merges[SHORT_WORD]; // of symbol i and the next
    for (uint32_t i = 0; i + 1 < n; i++) merges[i] = find_merge(e, ids[i], ids[i + 1]);
    while (n > 1) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < n; i++)
            if (merges[i].rank < merges[best].rank) best = i;
        if (merges[best].rank == NO_MERGE) break;
        ids[best] = merges[best].id;
        uint32_t behind = n - best - 2; // symbols after the pair
        memmove(&ids[best + 1], &ids[best + 2], behind * sizeof *ids);
        memmove(&starts[best + 1], &starts[best + 2], (behind + 1) * sizeof *starts);
        if (behind) memmove(&merges[best + 1], &merges[best + 2], (behind - 1) * sizeof *merges);
        n--;
        if (best) merges[best - 1] = find_merge(e, ids[best - 1], ids[best]);
        if (best + 1 < n) merges[best] = find_merge(e, ids[best], ids[best + 1]);
    }
    for (uint32_t i = 0; i < n; i++) text_piece(e, s, starts[i], starts[i + 1], ids[i]);
    cache_put(e, s, word, ids, starts + 1, n);
}

static bool before(const bpe_merge *a, const bpe_merge *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static bool heap_push(encoder *e, size_t *count, bpe_merge m) {
    if (!encoder_room(e, &e->heap, &e->heap_capacity, *count + 1, sizeof *e->heap)) return false;
    size_t i = (*count)++;
    for (; i && before(&m, &e->heap[(i - 1) / 2]); i = (i - 1) / 2) e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = m;
    return true;
}

static bpe_merge heap_pop(encoder *e, size_t *count) {
    bpe_merge top = e->heap[0], m = e->heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && before(&e->heap[child + 1], &e->heap[child])) child++;
        if (!before(&e->heap[child], &m)) break;
        e->heap[i] = e->heap[child];
    }
    e->heap[i] = m;
    return top;
}

static void offer(encoder *e, size_t *count, int32_t at) {
    const bpe_symbol *left = &e->symbols[at];
    if (left->next < 0) return;
    uint32_t right = e->symbols[left->next].id;
    bpe_merge m = find_merge(e, left->id, right);
    m.at = (uint32_t)at;
    m.left = left->id;
    m.right = right;
    if (m.rank != NO_MERGE) heap_push(e, count, m);
}

// Of the first n of e->symbols.
static void merge_long(encoder *e, const span *s, int32_t n) {
    size_t heap = 0;
    for (int32_t i = 0; i < n; i++) offer(e, &heap, i);
    while (heap) {
        bpe_merge m = heap_pop(e, &heap);
        bpe_symbol *left = &e->symbols[m.at];
        if (left->start == left->end || left->next < 0) continue;
        bpe_symbol *right = &e->symbols[left->next];
        if (left->id != m.left || right->id != m.right) { // one of the two has been merged since
            bpe_merge now = find_merge(e, left->id, right->id);
            if (now.rank == NO_MERGE || now.id != m.id) continue;
        }
        left->id = m.id;
        left->end = right->end;
        left->next = right->next;
        right->end = right->start;
        if (left->next >= 0) e->symbols[left->next].before = (int32_t)m.at;
        if (left->before >= 0) offer(e, &heap, left->before);
        offer(e, &heap, (int32_t)m.at);
    }
    for (int32_t i = 0; i >= 0 && n; i = e->symbols[i].next) {
        bpe_symbol symbol = e->symbols[i];
        text_piece(e, s, symbol.start, symbol.end, symbol.id);
    }
}

static void encode_bytes(encoder *e, const span *s, split word) {
    uint32_t ids[SHORT_WORD], starts[SHORT_WORD + 1], n = word.end - word.start;
    if (n <= SHORT_WORD) {
        for (uint32_t i = 0; i < n; i++)
            ids[i] = e->t->byte_ids[s->bytes[word.start + i]], starts[i] = word.start + i;
        starts[n] = word.end;
        merge_short(e, s, word, ids, starts, n);
        return;
    }
    if (!encoder_room(e, &e->symbols, &e->symbol_capacity, n, sizeof *e->symbols)) return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = word.start + i;
        e->symbols[i] = (bpe_symbol){e->t->byte_ids[s->bytes[at]], at, at + 1, (int32_t)i - 1,
                                     i + 1 < n ? (int32_t)i + 1 : -1};
    }
    merge_long(e, s, (int32_t)n);
}

// --- Characters. One that becomes no symbol is left out: offsets after it move, as in Hugging Face's code.

typedef struct symbols {
    encoder *e;
    int32_t count;
    uint32_t at;      // end of the last symbol
    uint32_t unknown; // bytes of an unknown token that waits
} symbols;

static void add_symbol(symbols *x, uint32_t id, uint32_t size) {
    x->e->symbols[x->count] = (bpe_symbol){id, x->at, x->at + size, x->count - 1, x->count + 1};
    x->count++;
    x->at += size;
}

static void add_unknown(symbols *x) {
    if (x->unknown) add_symbol(x, (uint32_t)x->e->t->table->unk_id, x->unknown);
    x->unknown = 0;
}

// The piece of a character with its prefix and suffix, TRIE_NONE where it is none.
static uint32_t character_piece(const tokenizer *t, const uint8_t *p, size_t size, bool first, bool last) {
    const char *suffix = t->strings + t->table->suffix;
    uint32_t node = first ? 0 : t->continuing;
    for (size_t i = 0; i < size && node != TRIE_NONE; i++) node = trie_step(&t->pieces_trie, node, p[i]);
    for (uint32_t i = 0; last && i < t->table->suffix_size && node != TRIE_NONE; i++)
        node = trie_step(&t->pieces_trie, node, (uint8_t)suffix[i]);
    return node == TRIE_NONE ? TRIE_NONE : trie_value(&t->pieces_trie, node);
}

static bool add_byte_pieces(symbols *x, const uint8_t *p, uint32_t size) {
    const tokenizer *t = x->e->t;
    if (t->table->byte_ids.count != 256) return false;
    for (uint32_t i = 0; i < size; i++)
        if (t->byte_ids[p[i]] == UINT32_MAX) return false;
    for (uint32_t i = 0; i < size; i++) add_symbol(x, t->byte_ids[p[i]], 1);
    return true;
}

static void encode_characters(encoder *e, const span *s, split word) {
    const tokenizer *t = e->t;
    symbols x = {.e = e, .at = word.start};
    if (!encoder_room(e, &e->symbols, &e->symbol_capacity, word.end - word.start, sizeof *e->symbols)) return;
    for (uint32_t at = word.start, n; at < word.end; at += n) {
        n = (uint32_t)utf8_length(s->bytes[at]);
        uint32_t id = character_piece(t, s->bytes + at, n, at == word.start, at + n >= word.end);
        if (id != TRIE_NONE && encoder_takes(e, id)) {
            add_unknown(&x);
            add_symbol(&x, id, n);
        } else if (!add_byte_pieces(&x, s->bytes + at, n) &&
                   !(t->table->flags & BERTC_TOKENIZER_DROP_UNKNOWN)) {
            if (t->table->flags & BERTC_TOKENIZER_NO_UNKNOWN) {
                text_unknown(e, s, at, at + n);
                return;
            }
            if (!(t->table->flags & BERTC_TOKENIZER_FUSE_UNKNOWN)) add_unknown(&x);
            x.unknown += n;
        }
    }
    add_unknown(&x);
    if (!x.count) return;
    e->symbols[x.count - 1].next = -1;
    if (x.count > SHORT_WORD) {
        merge_long(e, s, x.count);
        return;
    }
    uint32_t ids[SHORT_WORD], starts[SHORT_WORD + 1];
    for (int32_t i = 0; i < x.count; i++) ids[i] = e->symbols[i].id, starts[i] = e->symbols[i].start;
    starts[x.count] = x.at;
    merge_short(e, s, word, ids, starts, (uint32_t)x.count);
}

#define MARK_SIZE 3 // of U+2581

static bool is_mark(const uint8_t *p) {
    return !memcmp(p, "\xe2\x96\x81", MARK_SIZE);
}

// A text without words, in those that sentencepiece would see: nothing is merged over their bounds.
static void encode_marked(encoder *e, const span *s, split word) {
    for (uint32_t start = word.start, at; start < word.end; start = at) {
        const uint8_t *p = s->bytes;
        for (at = start + 1; at < word.end; at++) {
            if (p[at] != 0xe2 || word.end - at < MARK_SIZE || !is_mark(p + at)) continue;
            if (at < word.start + MARK_SIZE || !is_mark(p + at - MARK_SIZE)) break;
        }
        split part = {start, at};
        if (!cache_give(e, s, part)) encode_characters(e, s, part);
    }
}

void bpe_encode(encoder *e, const span *s, split word) {
    const tokenizer *t = e->t;
    uint32_t id = 0;
    size_t n = word.end - word.start, work = 0;
    if (cache_give(e, s, word)) return;
    if (t->table->flags & BERTC_TOKENIZER_IGNORE_MERGES &&
        trie_longest(&t->pieces_trie, 0, s->bytes + word.start, n, &id, &work) == n && encoder_takes(e, id)) {
        text_piece(e, s, word.start, word.end, id);
        cache_put(e, s, word, &id, &word.end, 1);
    } else if (t->table->flags & BERTC_TOKENIZER_SPACE_BEGINS)
        encode_marked(e, s, word);
    else if (t->table->flags & BERTC_TOKENIZER_CHARACTERS)
        encode_characters(e, s, word);
    else
        encode_bytes(e, s, word);
}
