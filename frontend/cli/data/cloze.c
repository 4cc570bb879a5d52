#include "frontend/cli/data/cloze.h"

#include <string.h>

static const char *find(const char *text, size_t size, const char *mask) {
    return memmem(text, size, mask, strlen(mask));
}

bool cloze_is(const data_example *e, const char *mask) {
    return e->label_count && find(e->text.text, e->text.size, mask);
}

const char *cloze_fill(const data_example *e, const char *mask, bertc_text *out, arena *a) {
    size_t own = strlen(mask), room = e->text.size + 1;
    const char *from = e->text.text, *end = from + e->text.size, *at;
    int n = 0, masks = 0;
    for (at = from; (at = find(at, (size_t)(end - at), mask)); at += own) masks++;
    if (masks != e->label_count)
        return arena_printf(a, "has %d mask token%s and %d label%s: a word for each is wanted", masks,
                            masks == 1 ? "" : "s", e->label_count, e->label_count == 1 ? "" : "s");
    for (int i = 0; i < masks; i++) room += strlen(e->labels[i].name);
    char *text = arena_alloc(a, room), *to = text;
    for (; (at = find(from, (size_t)(end - from), mask)); from = at + own) {
        to = mempcpy(to, from, (size_t)(at - from));
        to = mempcpy(to, e->labels[n].name, strlen(e->labels[n].name));
        n++;
    }
    to = mempcpy(to, from, (size_t)(end - from));
    *to = 0;
    *out = (bertc_text){.text = text, .size = (size_t)(to - text)};
    return NULL;
}

// The last word before the first place where the texts differ.
static const char *blame(const data_example *e, int words, arena *a) {
    return arena_printf(a, "has the label '%s', which is not one token in its place: a mask stands for one",
                        data_printable(e->labels[words ? words - 1 : 0].name, a));
}

const char *cloze_labels(const data_example *e, const bertc_token *masked, size_t n,
                         const bertc_token *filled, size_t filled_n, int32_t mask_id, int32_t *labels,
                         arena *a) {
    int words = 0;
    for (size_t i = 0; i < n; i++) {
        bool mask = masked[i].id == mask_id;
        labels[i] = -100;
        if (i >= filled_n || (!mask && masked[i].id != filled[i].id)) return blame(e, words, a);
        if (!mask) continue;
        labels[i] = filled[i].id;
        if (words < e->label_count) words++;
    }
    return n == filled_n ? NULL : blame(e, words, a);
}
