// https://www.w3.org/TR/png-3/: signature, IHDR, PLTE, IDAT, IEND.
#include "frontend/cli/run/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ir/memory.h"

static uint8_t *put_number(uint8_t *to, uint32_t v) {
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> (24 - 8 * i));
    return to + 4;
}

// A chunk whose `size` bytes lie at to + 8 already; returns its end.
static uint8_t *end_chunk(uint8_t *to, const char *type, size_t size) {
    put_number(to, (uint32_t)size);
    memcpy(to + 4, type, 4);
    return put_number(to + 8 + size, (uint32_t)crc32(crc32(0, NULL, 0), to + 4, (uInt)size + 4));
}

static uint8_t *put_header(uint8_t *to, uint32_t width, uint32_t height) {
    static const uint8_t rest[5] = {8, 3, 0, 0, 0}; // bits, palette, deflate, filters by row, not interlaced
    put_number(put_number(to + 8, width), height);
    memcpy(to + 16, rest, sizeof rest);
    return end_chunk(to, "IHDR", 13);
}

// The rows, each behind the number of its filter (0: none), compressed to `to`; 0: no memory.
static size_t compress_rows(const uint8_t *pixels, size_t width, size_t height, uint8_t *to, size_t room) {
    uint8_t *rows = memory_zero(height, width + 1);
    uLongf size = (uLongf)room;
    if (!rows) return 0;
    for (size_t y = 0; y < height; y++) memcpy(rows + y * (width + 1) + 1, pixels + y * width, width);
    int status = compress2(to, &size, rows, (uLong)(height * (width + 1)), 9);
    free(rows);
    return status == Z_OK ? (size_t)size : 0;
}

uint8_t *png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, const uint8_t palette[256][3],
                    size_t *size) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    size_t room = compressBound((uLong)height * (width + 1u));
    uint8_t *file = memory_alloc(room + 1024, 1), *at = file;
    if (!file) return NULL;
    memcpy(at, signature, sizeof signature);
    at = put_header(at + sizeof signature, width, height);
    memcpy(at + 8, palette, 768);
    at = end_chunk(at, "PLTE", 768);
    size_t data = compress_rows(pixels, width, height, at + 8, room);
    if (!data) return free(file), NULL;
    at = end_chunk(at, "IDAT", data);
    at = end_chunk(at, "IEND", 0);
    *size = (size_t)(at - file);
    return file;
}
