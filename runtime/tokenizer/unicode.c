#include "runtime/tokenizer/unicode.h"

#include <string.h>

#include <utf8proc.h>

unsigned unicode_find(uint32_t c) {
    size_t low = 0, high = unicode_row_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (unicode_rows[middle] >> UNICODE_FLAG_BITS <= c)
            low = middle;
        else
            high = middle;
    }
    return unicode_rows[low] & ((1u << UNICODE_FLAG_BITS) - 1);
}

bool unicode_is_chinese(uint32_t c) {
    if (c < 0x3400) return false;
    return (c >= 0x4e00 && c <= 0x9fff) || c <= 0x4dbf || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) ||
           (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0x2f800 && c <= 0x2fa1f);
}

bool unicode_is_numeric(uint32_t c) {
    bool young = (c >= 0x11de0 && c <= 0x11de9) || (c >= 0x16ff4 && c <= 0x16ff6);
    return young || unicode_flags(c) & UNICODE_NUMBER;
}

// Lower case of characters younger than the oldest utf8proc that is supported (2.8, Unicode 15).
static const struct {
    uint32_t first, last, step, lower; // every step-th from first to last; first's lower case
} young[] = {
    {0x1c89, 0x1c89, 1, 0x1c8a}, {0xa7cb, 0xa7cb, 1, 0x264},     {0xa7cc, 0xa7cc, 1, 0xa7cd},
    {0xa7ce, 0xa7ce, 1, 0xa7cf}, {0xa7d2, 0xa7d4, 2, 0xa7d3},    {0xa7da, 0xa7da, 1, 0xa7db},
    {0xa7dc, 0xa7dc, 1, 0x19b},  {0x10d50, 0x10d65, 1, 0x10d70}, {0x16ea0, 0x16eb8, 1, 0x16ebb},
};

int unicode_lower(uint32_t c, uint32_t out[2]) {
    if (c == 0x130) return out[0] = 'i', out[1] = 0x307, 2;
    for (size_t i = 0; c >= young[0].first && i < sizeof young / sizeof *young; i++) {
        if (c < young[i].first || c > young[i].last || (c - young[i].first) % young[i].step) continue;
        return out[0] = young[i].lower + (c - young[i].first), 1;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    return 1;
}

// Characters whose part in a grapheme cluster utf8proc 2.8 does not know, or got later.
static const struct {
    uint32_t first, last;
} extends[] = {
    {0x897, 0x897},     {0x1acf, 0x1add},   {0x1ae0, 0x1aeb},   {0x10d69, 0x10d6d}, {0x10efa, 0x10efc},
    {0x113b8, 0x113c0}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5}, {0x113c7, 0x113ca}, {0x113cc, 0x113d0},
    {0x113d2, 0x113d2}, {0x113e1, 0x113e2}, {0x11b60, 0x11b67}, {0x11f5a, 0x11f5a}, {0x1611e, 0x1612f},
    {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6e3}, {0x1e6e6, 0x1e6e6}, {0x1e6ee, 0x1e6ef}, {0x1e6f5, 0x1e6f5},
};

bool unicode_breaks(uint32_t before, uint32_t c, int32_t *state) {
    for (size_t i = 0; c >= extends[0].first && i < sizeof extends / sizeof *extends; i++)
        if (c >= extends[i].first && c <= extends[i].last) c = 0x300; // a mark
    // these two come before the character that they belong to
    if (before == 0x113d1 || before == 0x11a3a) before = 0x600;
    return utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, state);
}

uint32_t unicode_compose(uint32_t a, uint32_t b) {
    // utf8proc takes it for a final consonant
    if (b == 0x11a7) return 0;
    utf8proc_int32_t two[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
    if (utf8proc_normalize_utf32(two, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1) return 0;
    return unicode_flags((uint32_t)two[0]) & UNICODE_NORMALIZES ? (uint32_t)two[0] : 0;
}

int unicode_decompose(uint32_t c, bool compatibility, uint32_t out[UNICODE_LONGEST]) {
    utf8proc_int32_t buffer[UNICODE_LONGEST];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)c, buffer, UNICODE_LONGEST,
        compatibility ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE, &boundary);
    if (n < 1 || n > UNICODE_LONGEST) return out[0] = c, 1;
    for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)buffer[i];
    return (int)n;
}

uint8_t unicode_combining_class(uint32_t c) {
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

size_t utf8_check(const uint8_t *p, size_t left, size_t *bad) {
    *bad = 1;
    uint8_t lead = p[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    size_t n = utf8_length(lead);
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf) {
        if (i == left || p[i] < low || p[i] > high) return *bad = i, 0;
    }
    return n;
}

size_t utf8_prefix(const uint8_t *text, size_t size, bool *ascii) {
    size_t i = 0, bad;
    *ascii = true;
    while (i < size) {
        uint64_t eight;
        if (i + 8 <= size && (memcpy(&eight, text + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t n = utf8_check(text + i, size - i, &bad);
        if (!n) return i;
        if (n > 1) *ascii = false;
        i += n;
    }
    return size;
}

bool utf8_is_valid(const uint8_t *text, size_t size) {
    bool ascii;
    return utf8_prefix(text, size, &ascii) == size;
}
