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
    s->added = sorted;
    return true;
}

int32_t tokenizer_find_any(const tokenizer_spec *s, const char *text) {
    for (int i = 0; i < s->added_count; i++) {
        if (!strcmp(s->added[i].text, text)) return s->added[i].id;
    }
    return tokenizer_find(s, text);
}

bool tokenizer_is_added(const tokenizer_spec *s, const char *text) {
    for (int i = 0; i < s->added_count; i++) {
        if (!strcmp(s->added[i].text, text)) return true;
    }
    return false;
}

bool tokenizer_add(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags) {
    int32_t known = tokenizer_find(s, text);
    if (known >= 0 && known != id)
        return diag_error(s->d, s->file, "added token `%s` has id %d, but %d in the vocabulary", text, id,
                          known);
    s->added[s->added_count++] = (tokenizer_added){arena_strdup(s->a, text), id, flags};
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
