// Walks over the double-array tries of a table. No element is trusted: a broken table gives wrong tokens,
// never a read outside it.
#ifndef BERTC_TOKENIZER_TRIE_H
#define BERTC_TOKENIZER_TRIE_H

#include "runtime/tokenizer/tokenizer.h"

#define TRIE_NONE UINT32_MAX

static inline uint32_t trie_step(const trie *t, uint32_t node, uint8_t c) {
    uint32_t next = (t->nodes[node].base & BERTC_TRIE_BASE) ^ c;
    return c && next < t->count && t->nodes[next].check == node ? next : TRIE_NONE;
}

// The value of an entry that ends at `node`, TRIE_NONE where none does.
static inline uint32_t trie_value(const trie *t, uint32_t node) {
    uint32_t base = t->nodes[node].base, leaf = base & BERTC_TRIE_BASE;
    return base & BERTC_TRIE_VALUE && leaf < t->count && t->nodes[leaf].check == node ? t->nodes[leaf].base
                                                                                      : TRIE_NONE;
}

// The longest entry that `size` bytes at p begin with, walking down from `node`: its length, 0 where none
// does. Adds the bytes that were looked at to *work.
static inline size_t trie_longest(const trie *t, uint32_t node, const uint8_t *p, size_t size,
                                  uint32_t *value, size_t *work) {
    size_t best = 0, i = 0;
    uint32_t end = TRIE_NONE;
    for (; i < size; i++) {
        node = trie_step(t, node, p[i]);
        if (node == TRIE_NONE) break;
        if (t->nodes[node].base & BERTC_TRIE_VALUE) best = i + 1, end = node;
    }
    *work += i;
    if (best) *value = trie_value(t, end);
    return best && *value != TRIE_NONE ? best : 0;
}

#endif
