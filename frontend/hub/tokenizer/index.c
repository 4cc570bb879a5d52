// Pieces and added tokens by their texts, for all kinds of tokenizer.
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/tokenizer/spec.h"

static int by_text(const void *a, const void *b) {
    const tokenizer_piece *const *x = a, *const *y = b;
    int c = strcmp((*x)->text, (*y)->text);
    return c ? c : *x < *y ? -1 : *x > *y;
}

void tokenizer_index(tokenizer_spec *s) {
    const tokenizer_piece **sorted = ARENA_ARRAY(s->a, const tokenizer_piece *, s->piece_count + 1);
    tokenizer_piece *out = ARENA_ARRAY(s->a, tokenizer_piece, s->piece_count + 1);
    for (int i = 0; i < s->piece_count; i++) sorted[i] = &s->pieces[i];
    qsort(sorted, (size_t)s->piece_count, sizeof *sorted, by_text);
    int n = 0;
    for (int i = 0; i < s->piece_count; i++) {
        bool again = n && !strcmp(out[n - 1].text, sorted[i]->text);
        out[again ? n - 1 : n++] = *sorted[i];
    }
    s->by_text = out;
    s->text_count = n;
}

static int to_piece(const void *text, const void *piece) {
    return strcmp(text, ((const tokenizer_piece *)piece)->text);
}

int32_t tokenizer_find(const tokenizer_spec *s, const char *text) {
    const tokenizer_piece *p =
        s->text_count ? bsearch(text, s->by_text, (size_t)s->text_count, sizeof *p, to_piece) : NULL;
    return p ? p->id : -1;
}

// --- Added tokens

// Where a text is or would be.
static int *added_slot(const tokenizer_spec *s, const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *c = text; *c; c++) h = (h ^ (uint8_t)*c) * 0x100000001b3u;
    for (uint32_t i = (uint32_t)(h ^ h >> 32);; i++) {
        int *slot = &s->added_slots[i & s->slot_mask];
        if (!*slot || !strcmp(s->added[*slot - 1].text, text)) return slot;
    }
}

// Of texts that are there twice the first is found.
static void index_added(tokenizer_spec *s) {
    for (int i = 0; i < s->added_count; i++) {
        int *slot = added_slot(s, s->added[i].text);
        if (!*slot) *slot = i + 1;
    }
}

tokenizer_added *tokenizer_find_added(const tokenizer_spec *s, const char *text) {
    int slot = s->added_slots ? *added_slot(s, text) : 0;
    return slot ? &s->added[slot - 1] : NULL;
}

void tokenizer_append_added(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags) {
    if (s->added_count == s->added_capacity) {
        s->added_capacity = s->added_capacity ? 2 * s->added_capacity : 16;
        tokenizer_added *more = ARENA_ARRAY(s->a, tokenizer_added, s->added_capacity);
        if (s->added_count) memcpy(more, s->added, sizeof *more * (size_t)s->added_count);
        s->added = more;
        s->slot_mask = 2 * (uint32_t)s->added_capacity - 1;
        s->added_slots = ARENA_ARRAY(s->a, int, s->slot_mask + 1);
        index_added(s);
    }
    s->added[s->added_count++] = (tokenizer_added){arena_strdup(s->a, text), id, flags};
    int *slot = added_slot(s, text);
    if (!*slot) *slot = s->added_count;
    if (id >= s->next_added) s->next_added = id + 1;
}

static int added_by_text(const void *a, const void *b) {
    return strcmp(((const tokenizer_added *)a)->text, ((const tokenizer_added *)b)->text);
}

bool tokenizer_sort_added(tokenizer_spec *s, const char *path) {
    tokenizer_added *sorted = ARENA_ARRAY(s->a, tokenizer_added, s->added_count + 1);
    for (int i = 0; i < s->added_count; i++) sorted[i] = s->added[i];
    qsort(sorted, (size_t)s->added_count, sizeof *sorted, added_by_text);
    for (int i = 1; i < s->added_count; i++) {
        if (!strcmp(sorted[i - 1].text, sorted[i].text))
            return tokenizer_wrong(s, path, "`%s` is there twice", sorted[i].text);
    }
    int n = 0;
    for (int special = 1; special >= 0; special--) {
        for (int i = 0; i < s->added_count; i++) {
            if (!(s->added[i].flags & BERTC_ADDED_SPECIAL) == !special) sorted[n++] = s->added[i];
        }
    }
    for (int i = 0; i < n; i++) s->added[i] = sorted[i];
    if (n) memset(s->added_slots, 0, sizeof(int) * (s->slot_mask + (size_t)1));
    index_added(s);
    return true;
}

int32_t tokenizer_find_any(const tokenizer_spec *s, const char *text) {
    const tokenizer_added *added = tokenizer_find_added(s, text);
    return added ? added->id : tokenizer_find(s, text);
}

bool tokenizer_add(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags) {
    int32_t known = tokenizer_find(s, text);
    if (known >= 0 && known != id)
        return diag_error(s->d, s->file, "added token `%s` has id %d, but %d in the vocabulary", text, id,
                          known);
    tokenizer_append_added(s, text, id, flags);
    return true;
}

bool tokenizer_class_is(const char *class, const char *names) {
    const char *end = strstr(class, "Tokenizer");
    size_t n = end && end > class ? (size_t)(end - class) : strlen(class);
    for (const char *p = names; *p; p += strspn(p, " ")) {
        size_t size = strcspn(p, " ");
        if (size == n && !strncmp(p, class, n)) return true;
        p += size;
    }
    return false;
}
