#include "frontend/cli/run/sink_matrix.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

// The next character of UTF-8; U+FFFD for a byte that begins none. Steps *at on.
static uint32_t next_character(const char **at) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)*at, -1, &c);
    *at += n > 0 ? n : 1;
    return n > 0 ? (uint32_t)c : 0xFFFD;
}

static int64_t characters(const char *text) {
    int64_t n = 0;
    while (*text) next_character(&text), n++;
    return n;
}

// Each in as many characters as the longest has, as numpy pads them.
static bool put_labels(matrix_sink *s, const char *const *labels, diag *d) {
    int64_t longest = 1;
    for (int64_t i = 0; i < s->width; i++) {
        int64_t n = characters(labels[i]);
        if (n > longest) longest = n;
    }
    snprintf(s->descr, sizeof s->descr, "<U%lld", (long long)longest);
    s->labels = npz_add(&s->file, "labels", s->descr, d);
    for (int64_t i = 0; s->labels && i < s->width; i++) {
        const char *at = labels[i];
        for (int64_t k = 0; k < longest; k++) {
            uint32_t c = *at ? next_character(&at) : 0;
            const unsigned char bytes[4] = {(unsigned char)c, (unsigned char)(c >> 8),
                                            (unsigned char)(c >> 16), (unsigned char)(c >> 24)};
            if (!npz_append(&s->file, s->labels, bytes, sizeof bytes, d)) return false;
        }
    }
    return s->labels != NULL;
}

bool matrix_sink_begin(matrix_sink *s, const char *path, int64_t width, const char *const *labels, diag *d) {
    *s = (matrix_sink){.width = width};
    npz_begin(&s->file, path);
    s->rows = npz_add(&s->file, labels ? "scores" : "embeddings", "<f4", d);
    if (s->rows && (!labels || put_labels(s, labels, d))) return true;
    npz_drop(&s->file);
    return false;
}

bool matrix_sink_put(matrix_sink *s, const row *r, diag *d) {
    static const float nothing[1] = {NAN};
    s->count++;
    if (!r->error) return npz_append(&s->file, s->rows, r->embedding, (size_t)s->width * sizeof(float), d);
    for (int64_t i = 0; i < s->width; i++)
        if (!npz_append(&s->file, s->rows, nothing, sizeof *nothing, d)) return false;
    return true;
}

bool matrix_sink_end(matrix_sink *s, bool whole, diag *d) {
    s->rows->rank = 2;
    s->rows->shape[0] = s->count;
    s->rows->shape[1] = s->width;
    if (s->labels) {
        s->labels->rank = 1;
        s->labels->shape[0] = s->width;
    }
    bool ok = !whole || npz_end(&s->file, d);
    npz_drop(&s->file);
    return ok;
}
