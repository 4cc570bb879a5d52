// Texts as files hold them: UTF-8, and how names end.
#ifndef BERTC_HUB_TEXT_H
#define BERTC_HUB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// Length of the UTF-8 character at `text`, of which `left` bytes are there (at least one); 0: there is none.
static inline size_t hub_utf8_length(const void *text, size_t left) {
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

// Bytes of UTF-8 that a text begins with: `size` where it is valid.
static inline size_t hub_utf8_prefix(const void *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t at = 0;
    for (size_t n; at < size && (n = hub_utf8_length(p + at, size - at)); at += n) {
    }
    return at;
}

static inline bool hub_ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

#endif
