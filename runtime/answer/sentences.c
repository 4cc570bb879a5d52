#include "runtime/answer/sentences.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/memory.h"

typedef struct reader {
    const char *text;
    size_t size;
    sentence *found;
    size_t count, room;
} reader;

// The character at `at`, and its bytes: U+FFFD and 1 where there is none.
static utf8proc_int32_t character(const reader *r, size_t at, size_t *bytes) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)r->text + at, (utf8proc_ssize_t)(r->size - at), &c);
    *bytes = n > 0 ? (size_t)n : 1;
    return n > 0 ? c : 0xfffd;
}

// --- Kinds of characters

static bool is_space(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return (c >= '\t' && c <= '\r') || c == 0x85 || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP;
}

// Ends a sentence where white space or the text's end follows.
static bool is_stop(utf8proc_int32_t c) {
    static const utf8proc_int32_t stops[] = {'.',    '!',    '?',    0x203c, 0x203d, 0x2026, 0x2047,
                                             0x2048, 0x2049, 0x0589, 0x061f, 0x06d4, 0x0964, 0x0965,
                                             0x1362, 0x1367, 0x104a, 0x104b, 0x17d4, 0x17d5};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (c == stops[i]) return true;
    return false;
}

// Ends one wherever it stands: scripts that put no spaces between sentences.
static bool is_wide_stop(utf8proc_int32_t c) {
    return c == 0x3002 || c == 0xff01 || c == 0xff0e || c == 0xff1f || c == 0xff61;
}

// Belongs to the sentence that ends before it: quotes and brackets.
static bool is_closing(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return c == '"' || c == '\'' || k == UTF8PROC_CATEGORY_PE || k == UTF8PROC_CATEGORY_PF;
}

// --- Full stops that end no sentence

// The word that ends at `end`, from the last white space or opening bracket on.
static size_t word_before(const reader *r, size_t from, size_t end) {
    size_t at = end;
    while (at > from && !strchr(" \t\r\n\v\f([{\"'", r->text[at - 1])) at--;
    return at;
}

static bool is_abbreviation(const char *word, size_t n) {
    static const char *const known[] = {
        "mr",  "mrs", "ms",  "dr",  "prof", "st",  "sr",  "jr",  "rev",  "gen",  "col",  "sgt",    "capt",
        "lt",  "gov", "sen", "rep", "hon",  "vs",  "etc", "cf",  "al",   "fig",  "figs", "eq",     "no",
        "nos", "vol", "pp",  "ed",  "eds",  "inc", "ltd", "co",  "corp", "dept", "est",  "approx", "ca",
        "bzw", "usw", "nr",  "hr",  "fr",   "abs", "vgl", "mme", "mlle", "sra",  "av"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t k = 0;
        while (k < n && known[i][k] && (word[k] | 0x20) == known[i][k]) k++;
        if (k == n && !known[i][k]) return true;
    }
    return false;
}

// Does the full stop behind the word [from, end) belong to the word? `first`: the sentence begins with it.
static bool stops_word(const reader *r, size_t from, size_t end, bool first) {
    size_t bytes, n = end - from;
    if (!n) return false;
    if (memchr(r->text + from, '.', n)) return true; // "U.S", "e.g"
    if (is_abbreviation(r->text + from, n)) return true;
    utf8proc_int32_t c = character(r, from, &bytes);
    if (bytes == n && utf8proc_category(c) == UTF8PROC_CATEGORY_LU) return true; // an initial
    bool number = n <= 3;
    for (size_t i = 0; i < n; i++) number &= r->text[from + i] >= '0' && r->text[from + i] <= '9';
    return number && first; // "1. First"
}

// The first character behind white space from `at` on.
static utf8proc_int32_t next_word(const reader *r, size_t at) {
    size_t bytes;
    while (at < r->size) {
        utf8proc_int32_t c = character(r, at, &bytes);
        if (!is_space(c)) return c;
        at += bytes;
    }
    return 0;
}

// --- Ends

// Two ends of lines with nothing but white space between them, from `at` on.
static bool is_blank_line(const reader *r, size_t at) {
    int lines = 0;
    for (; at < r->size && strchr(" \t\r\n\v\f", r->text[at]) && r->text[at]; at++)
        if (r->text[at] == '\n' && ++lines == 2) return true;
    return false;
}

// Behind the stop of `bytes` at `at`, the sentence's end; 0: it goes on. `start`: where it began. *behind: the end of the
// stops and closing marks, among which no other is looked at.
static size_t end_of(const reader *r, size_t start, size_t at, size_t bytes, utf8proc_int32_t stop,
                     size_t *behind) {
    size_t end = at + bytes, n;
    bool wide = is_wide_stop(stop), alone = stop == '.';
    for (utf8proc_int32_t c; end < r->size; end += n) {
        c = character(r, end, &n);
        if (!is_stop(c) && !is_wide_stop(c) && !is_closing(c)) break;
        wide |= is_wide_stop(c);
        alone &= !is_stop(c) && !is_wide_stop(c);
    }
    *behind = end;
    if (wide) return end;
    if (end < r->size && !is_space(character(r, end, &n))) return 0;
    utf8proc_int32_t next = next_word(r, end);
    if (next && !is_blank_line(r, end)) {
        if (utf8proc_category(next) == UTF8PROC_CATEGORY_LL) return 0;
        size_t from = word_before(r, start, at);
        if (alone && end == at + bytes && stops_word(r, from, at, from == start)) return 0;
    }
    return end;
}

static bool add(reader *r, size_t start, size_t end, int64_t char_start, int64_t chars) {
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        sentence *grown = heap_grow(r->found, room, sizeof *grown);
        if (!grown) return false;
        r->found = grown;
        r->room = room;
    }
    r->found[r->count++] = (sentence){start, end, char_start, char_start + chars};
    return true;
}

// The sentence that begins at `at`: its end, and its characters.
static size_t read_sentence(const reader *r, size_t at, int64_t *chars) {
    size_t start = at, last = at, bytes, behind = at, end = 0; // last: behind what is no white space
    bool space = false, before = false;
    int64_t all = 0;
    *chars = 0;
    for (; at < r->size && !(end && at >= end); at += bytes, before = space) {
        utf8proc_int32_t c = character(r, at, &bytes);
        space = is_space(c);
        if (space && !before && !end && (c == 0x2029 || is_blank_line(r, at))) break;
        all++;
        if (!space) last = at + bytes, *chars = all;
        if (!end && at >= behind && (is_stop(c) || is_wide_stop(c)))
            end = end_of(r, start, at, bytes, c, &behind);
    }
    return last;
}

bool sentences_find(const char *text, size_t size, sentence **out, size_t *count) {
    reader r = {.text = text, .size = size};
    int64_t character_at = 0, chars;
    bool ok = true;
    for (size_t at = 0, bytes; ok && at < size;) {
        if (is_space(character(&r, at, &bytes))) {
            at += bytes;
            character_at++;
            continue;
        }
        size_t end = read_sentence(&r, at, &chars);
        ok = add(&r, at, end, character_at, chars);
        at = end;
        character_at += chars;
    }
    if (!ok) free(r.found);
    *out = ok ? r.found : NULL;
    *count = ok ? r.count : 0;
    return ok;
}
