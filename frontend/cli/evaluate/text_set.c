#include "frontend/cli/evaluate/text_set.h"

#include <string.h>

// FNV-1a, 64 bits.
static uint64_t hash_of(const char *text, size_t size) {
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
    return h ^ h >> 32;
}

static int *slot_of(const text_set *s, const char *text, size_t size) {
    size_t mask = (size_t)s->slot_count - 1, at = hash_of(text, size) & mask;
    for (; s->slots[at] >= 0; at = (at + 1) & mask) {
        const data_text *x = &s->v[s->slots[at]];
        if (x->size == size && !memcmp(x->text, text, size)) break;
    }
    return &s->slots[at];
}

static void grow(text_set *s) {
    int room = 2 * s->room + 512;
    data_text *v = ARENA_ARRAY(s->arena, data_text, room);
    int64_t *lines = ARENA_ARRAY(s->arena, int64_t, room);
    if (s->count) memcpy(v, s->v, (size_t)s->count * sizeof *v);
    if (s->count) memcpy(lines, s->lines, (size_t)s->count * sizeof *lines);
    s->v = v;
    s->lines = lines;
    s->room = room;
    s->slot_count = 1;
    while (s->slot_count <= 2 * room) s->slot_count *= 2;
    s->slots = ARENA_ARRAY(s->arena, int, s->slot_count);
    for (int i = 0; i < s->slot_count; i++) s->slots[i] = -1;
    for (int i = 0; i < s->count; i++) *slot_of(s, v[i].text, v[i].size) = i;
}

int text_set_add(text_set *s, const char *text, size_t size, int64_t line) {
    if (s->count == s->room) grow(s);
    int *slot = slot_of(s, text, size);
    if (*slot >= 0) return *slot;
    char *copy = arena_strndup(s->arena, text, size);
    s->v[s->count] = (data_text){copy, size};
    s->lines[s->count] = line;
    return *slot = s->count++;
}
