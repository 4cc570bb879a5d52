// Files of lines: vocab.txt and merges.txt.
#include <string.h>

#include "frontend/hub/files/text.h"
#include "frontend/hub/tokenizer/spec.h"

bool tokenizer_check_lines(const tokenizer_spec *s, const char *path, const char *data, size_t size,
                           int *count) {
    size_t start = 0;
    *count = 1;
    for (size_t i = 0, n; i < size; i += n) {
        n = hub_utf8_length(data + i, size - i);
        if (!n)
            return diag_error(s->d, path, "line %d: byte %zu of it is no UTF-8 text", *count, i - start + 1);
        if (!data[i]) return diag_error(s->d, path, "line %d: a NUL", *count);
        if (data[i] != '\n') continue;
        start = i + 1;
        if (++*count > TOKENIZER_MOST_IDS) return diag_error(s->d, path, "has too many lines");
    }
    return true;
}

const char *tokenizer_line(const tokenizer_spec *s, const char *data, size_t size, size_t *at) {
    if (*at >= size) return NULL;
    const char *end = memchr(data + *at, '\n', size - *at), *start = data + *at;
    size_t n = end ? (size_t)(end - start) : size - *at;
    *at += n + 1;
    if (n && start[n - 1] == '\r') n--;
    return arena_strndup(s->a, start, n);
}
