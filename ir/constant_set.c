// A hash table with chains. Each chain is in the order in which its constants were added.
#include "ir/constant_set.h"

#include <string.h>

bool constant_eq(const node *a, const node *b) {
    if (a->op != OP_constant || b->op != OP_constant || !type_eq(&a->type, &b->type)) return false;
    if (node_is_state(a) != node_is_state(b)) return false;
    const attr *x = node_attr(a, ATTR_value), *y = node_attr(b, ATTR_value);
    const attr *r = node_attr(a, ATTR_recipe), *s = node_attr(b, ATTR_recipe);
    if (x && y) return x->n == y->n && !memcmp(x->u.literal, y->u.literal, (size_t)x->n * elem_size(x->e));
    return r && s && recipe_eq(r->u.recipe, s->u.recipe);
}

typedef struct entry {
    const node *constant;
    uint64_t hash;
    struct entry *next;
} entry;

typedef struct chain {
    entry *first, *last;
} chain;

struct constant_set {
    arena *arena;
    chain *chains;
    size_t size, count; // size: a power of two
};

#define FIRST_SIZE 64

constant_set *constant_set_new(arena *a) {
    constant_set *s = ARENA_NEW(a, constant_set);
    s->arena = a;
    s->size = FIRST_SIZE;
    s->chains = ARENA_ARRAY(a, chain, s->size);
    return s;
}

// --- Hashes: equal constants have equal ones.

static void mix(uint64_t *h, uint64_t x) {
    *h = (*h ^ x) * 0x9e3779b97f4a7c15ull;
    *h ^= *h >> 32;
}

static void mix_bytes(uint64_t *h, const void *data, size_t size) {
    uint64_t word;
    for (size_t at = 0; at < size; at += sizeof(word)) {
        word = 0;
        memcpy(&word, (const char *)data + at, size - at < sizeof(word) ? size - at : sizeof(word));
        mix(h, word);
    }
}

static void mix_type(uint64_t *h, const type *t) {
    mix(h, (uint64_t)t->e << 16 | (uint64_t)t->layout << 8 | (uint64_t)t->rank);
    for (int i = 0; i < t->rank; i++) mix(h, (uint64_t)t->d[i].n);
}

static void mix_recipe(uint64_t *h, const recipe *r) {
    mix(h, (uint64_t)r->kind);
    mix_type(h, &r->type);
    mix(h, (uint64_t)r->axis);
    mix(h, (uint64_t)r->begin);
    mix_bytes(h, &r->scale, sizeof(r->scale));
    if (recipe_names_tensor(r)) mix_bytes(h, r->tensor, strlen(r->tensor));
    if (r->kind == RECIPE_NUMBERS) mix_bytes(h, r->numbers, recipe_bytes(r));
    for (int i = 0; i < r->part_count; i++) mix_recipe(h, r->parts[i]);
}

uint64_t constant_hash(const node *n) {
    uint64_t h = 0;
    const attr *literal = node_attr(n, ATTR_value), *r = node_attr(n, ATTR_recipe);
    mix_type(&h, &n->type);
    if (literal)
        mix_bytes(&h, literal->u.literal, (size_t)literal->n * elem_size(literal->e));
    else if (r)
        mix_recipe(&h, r->u.recipe);
    return h;
}

// --- The table

static void append(constant_set *s, entry *e) {
    chain *c = &s->chains[e->hash & (s->size - 1)];
    if (c->last)
        c->last->next = e;
    else
        c->first = e;
    c->last = e;
}

static void grow(constant_set *s) {
    chain *old = s->chains;
    size_t n = s->size;
    s->size *= 4;
    s->chains = ARENA_ARRAY(s->arena, chain, s->size);
    for (size_t i = 0; i < n; i++)
        for (entry *e = old[i].first, *next; e; e = next) {
            next = e->next;
            e->next = NULL;
            append(s, e);
        }
}

void constant_set_add(constant_set *s, const node *constant) {
    if (s->count++ == s->size) grow(s);
    entry *e = ARENA_NEW(s->arena, entry);
    e->constant = constant;
    e->hash = constant_hash(constant);
    append(s, e);
}

const node *constant_set_find(const constant_set *s, const node *constant, const node *after) {
    uint64_t h = constant_hash(constant);
    bool behind = !after;
    for (const entry *e = s->chains[h & (s->size - 1)].first; e; e = e->next) {
        if (behind && e->hash == h && constant_eq(e->constant, constant)) return e->constant;
        behind |= e->constant == after;
    }
    return NULL;
}
