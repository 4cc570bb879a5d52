// Double-array tries, as abi_tokenizer.h lays them out.
//
// Nodes are placed breadth first. A node's children need a base whose XOR with each of their bytes is free;
// only the last blocks of 256 are searched, so that building stays linear, and what older blocks have left
// stays unused.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"
#include "ir/memory.h"

#define BLOCK      256u
#define SEARCHED   16u // blocks
#define NO_PARENT  UINT32_MAX
#define MOST_NODES (1u << 28)

typedef struct work {
    uint32_t node;
    size_t low, high, depth; // entries that agree in `depth` bytes
} work;

typedef struct builder {
    const trie_entry *entries;
    bertc_trie_node *nodes;
    uint32_t count, capacity;
    uint32_t next[SEARCHED]; // where the search in a block starts: all before is taken
    work *queue;
    size_t queue_head, queue_count, queue_capacity;
} builder;

static bool add_block(builder *b) {
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 64 * BLOCK;
        if (b->capacity > MOST_NODES) return false;
        b->nodes = memory_must(memory_grow(b->nodes, b->capacity, sizeof *b->nodes));
    }
    for (uint32_t i = 0; i < BLOCK; i++) b->nodes[b->count + i] = (bertc_trie_node){.check = NO_PARENT};
    b->next[b->count / BLOCK % SEARCHED] = 0;
    b->count += BLOCK;
    return true;
}

static bool is_free(const builder *b, uint32_t i) {
    return i && b->nodes[i].check == NO_PARENT; // 0 is the root
}

static bool fits(const builder *b, uint32_t base, const uint8_t *labels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_free(b, base ^ labels[i])) return false;
    }
    return true;
}

// A base that fits, UINT32_MAX where there are too many nodes.
static uint32_t find_base(builder *b, const uint8_t *labels, size_t count) {
    uint32_t blocks = b->count / BLOCK;
    for (uint32_t k = blocks > SEARCHED ? blocks - SEARCHED : 0; k < blocks; k++) {
        uint32_t *next = &b->next[k % SEARCHED];
        while (*next < BLOCK && !is_free(b, k * BLOCK + *next)) ++*next;
        for (uint32_t i = *next; i < BLOCK; i++) {
            uint32_t base = (k * BLOCK + i) ^ labels[0];
            if (is_free(b, k * BLOCK + i) && fits(b, base, labels, count)) return base;
        }
    }
    if (!add_block(b)) return UINT32_MAX;
    return (b->count - BLOCK) ^ labels[0];
}

static void push(builder *b, work w) {
    if (b->queue_count == b->queue_capacity) {
        b->queue_capacity = b->queue_capacity ? b->queue_capacity * 2 : 1024;
        b->queue = memory_must(memory_grow(b->queue, b->queue_capacity, sizeof *b->queue));
    }
    b->queue[b->queue_count++] = w;
}

static bool place_node(builder *b, work w) {
    uint8_t labels[256];
    size_t count = 0;
    for (size_t i = w.low; i < w.high; i++) {
        uint8_t c = (uint8_t)b->entries[i].text[w.depth];
        if (!count || labels[count - 1] != c) labels[count++] = c;
    }
    uint32_t base = find_base(b, labels, count);
    if (base == UINT32_MAX) return false;
    b->nodes[w.node].base = base | (labels[0] ? 0 : BERTC_TRIE_VALUE);
    size_t low = w.low;
    for (size_t i = 0; i < count; i++) {
        uint32_t child = base ^ labels[i];
        b->nodes[child].check = w.node;
        size_t high = low;
        while (high < w.high && (uint8_t)b->entries[high].text[w.depth] == labels[i]) high++;
        if (!labels[i])
            b->nodes[child].base = b->entries[low].value;
        else
            push(b, (work){child, low, high, w.depth + 1});
        low = high;
    }
    return true;
}

bertc_trie_node *trie_build(const trie_entry *entries, size_t count, uint32_t *node_count) {
    builder b = {.entries = entries};
    bool ok = add_block(&b);
    if (count) push(&b, (work){.high = count});
    while (ok && b.queue_head < b.queue_count) {
        work w = b.queue[b.queue_head++];
        ok = place_node(&b, w);
    }
    free(b.queue);
    if (!ok) {
        free(b.nodes);
        return NULL;
    }
    *node_count = b.count;
    return b.nodes;
}
