// The text that a normaliser step writes: each byte with the character that it comes from.
#include "runtime/tokenizer/encoder.h"

bool norm_room(encoder *e, norm_text *out, size_t more) {
    if (out->capacity - out->size >= more) return true;
    if (more > e->longest - out->size) return encoder_fail(e, ENCODER_TOO_LONG);
    size_t bytes = out->capacity, sources = out->capacity;
    if (!encoder_room(e, &out->bytes, &bytes, out->size + more, 1) ||
        !encoder_room(e, &out->source, &sources, out->size + more, sizeof *out->source))
        return false;
    out->capacity = bytes;
    return true;
}

void norm_put(encoder *e, norm_text *out, uint32_t c, uint32_t source) {
    if (out->capacity - out->size < 4 && !norm_room(e, out, 4)) return;
    size_t n = utf8_put(out->bytes + out->size, c);
    for (size_t i = 0; i < n; i++) out->source[out->size + i] = source;
    out->size += n;
}
