#include "frontend/cli/evaluate/swap.h"

#include <math.h>
#include <string.h>

#include <utf8proc.h>

// One character, and how many bytes it has; U+FFFD of one byte for what is no UTF-8.
static utf8proc_int32_t character(const char *text, size_t left, size_t *bytes) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)left, &c);
    *bytes = n > 0 ? (size_t)n : 1;
    return n > 0 ? c : 0xfffd;
}

// Letters, digits and the marks on them.
static bool is_of_word(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO;
}

static size_t word_size(const char *text, size_t left) {
    size_t at = 0, n;
    while (at < left && is_of_word(character(text + at, left - at, &n))) at += n;
    return at;
}

// Equal in any case?
static bool same_word(const char *text, size_t size, const char *word) {
    size_t left = strlen(word), n, m;
    while (size && left) {
        utf8proc_int32_t a = character(text, size, &n), b = character(word, left, &m);
        if (utf8proc_tolower(a) != utf8proc_tolower(b)) return false;
        text += n, size -= n;
        word += m, left -= m;
    }
    return !size && !left;
}

const char *swap_parse(const char *text, swap_list *out, arena *a) {
    *out = (swap_list){0};
    for (const char *at = text; *at;) {
        size_t size = strcspn(at, ","), colon = strcspn(at, ":");
        if (colon >= size || !colon || colon + 1 == size) return "is not a list of pairs WORD:WORD";
        const char *from = arena_strndup(a, at, colon),
                   *to = arena_strndup(a, at + colon + 1, size - colon - 1);
        if (word_size(from, strlen(from)) != strlen(from) || word_size(to, strlen(to)) != strlen(to))
            return "takes single words of letters and digits";
        for (int i = 0; i < out->count; i += 2)
            if (same_word(from, strlen(from), out->v[i].from) && !same_word(to, strlen(to), out->v[i].to))
                return arena_printf(a, "gives '%s' two words to be swapped with, '%s' and '%s'", from,
                                    out->v[i].to, to);
        if (out->count + 2 > SWAPS_MAX) return "has more than 128 pairs";
        out->v[out->count].from = from;
        out->v[out->count++].to = to;
        out->v[out->count].from = to;
        out->v[out->count++].to = from;
        at += size + (at[size] == ',');
    }
    return out->count ? NULL : "is empty";
}

static const char *other_word(const swap_list *l, const char *text, size_t size) {
    for (int i = 0; i < l->count; i++)
        if (same_word(text, size, l->v[i].from)) return l->v[i].to;
    return NULL;
}

static bool is_upper(utf8proc_int32_t c) {
    return utf8proc_tolower(c) != c;
}

// Writes `word` in the case of the text that it takes the place of; its size.
static size_t put_word(const char *text, size_t size, const char *word, char *out) {
    size_t n, at = 0, used = 0, left = strlen(word);
    bool first = is_upper(character(text, size, &n)), all = first && n < size;
    for (at = n; at < size && all; at += n) all = is_upper(character(text + at, size - at, &n));
    for (at = 0; at < left; at += n) {
        utf8proc_int32_t c = character(word + at, left - at, &n);
        if (all || (first && !at)) c = utf8proc_toupper(c);
        used += (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)out + used);
    }
    return used;
}

bool swap_text(const swap_list *l, const char *text, size_t size, const char **out, size_t *out_size,
               arena *a) {
    size_t room = size, n;
    bool any = false;
    for (size_t at = 0; at < size; at += n) {
        const char *to;
        n = word_size(text + at, size - at);
        if (n && (to = other_word(l, text + at, n))) any = true, room += 4 * strlen(to);
        if (!n) character(text + at, size - at, &n);
    }
    if (!any) return false;
    char *copy = arena_alloc(a, room + 1);
    size_t used = 0;
    for (size_t at = 0; at < size; at += n) {
        n = word_size(text + at, size - at);
        const char *to = n ? other_word(l, text + at, n) : NULL;
        if (!n) character(text + at, size - at, &n);
        if (to)
            used += put_word(text + at, n, to, copy + used);
        else
            memcpy(copy + used, text + at, n), used += n;
    }
    *out = copy;
    *out_size = used;
    return true;
}

// Word by word, with the bounds of each.
static bool swap_words(const swap_list *l, const bertc_text *text, bertc_text *out, arena *a) {
    bertc_word *words = ARENA_ARRAY(a, bertc_word, text->word_count + 1);
    const char **parts = ARENA_ARRAY(a, const char *, text->word_count + 1);
    size_t *sizes = ARENA_ARRAY(a, size_t, text->word_count + 1), all = 0, used = 0;
    bool any = false;
    for (size_t i = 0; i < text->word_count; i++) {
        parts[i] = text->text + text->words[i].start;
        sizes[i] = text->words[i].end - text->words[i].start;
        any |= swap_text(l, parts[i], sizes[i], &parts[i], &sizes[i], a);
        all += sizes[i] + 1;
    }
    char *joined = arena_alloc(a, all + 1);
    for (size_t i = 0; i < text->word_count; i++) {
        if (i) joined[used++] = ' ';
        memcpy(joined + used, parts[i], sizes[i]);
        words[i] = (bertc_word){(uint32_t)used, (uint32_t)(used + sizes[i])};
        used += sizes[i];
    }
    *out = (bertc_text){.text = joined, .size = used, .words = words, .word_count = text->word_count};
    return any;
}

bool swap_example(const swap_list *l, const bertc_text *text, bertc_text *out, arena *a) {
    if (text->words) return swap_words(l, text, out, a);
    *out = *text;
    bool any = swap_text(l, text->text, text->size, &out->text, &out->size, a);
    if (text->pair) any |= swap_text(l, text->pair, text->pair_size, &out->pair, &out->pair_size, a);
    return any;
}

void swap_count(swap_counts *c, bool changed, double moved, int64_t line) {
    c->texts++;
    c->changed += changed;
    c->moved += moved;
    if (c->texts == 1 || moved > c->most) c->most = moved, c->most_line = line;
}
