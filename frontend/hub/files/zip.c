// The format: local headers with the entries' bytes, then the central directory, then its end record, which is found
// from the end of the file. Sizes beyond 32 bits stand in "zip64" extra fields and in an end record of its own.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
#include "frontend/hub/files/zip.h"

#include <inttypes.h>
#include <string.h>

enum { LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR = 20, END64 = 56, COMMENT_MOST = 65535 };

static uint64_t number(const unsigned char *p, int bytes) {
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static bool signature(const unsigned char *p, unsigned char third, unsigned char fourth) {
    return p[0] == 'P' && p[1] == 'K' && p[2] == third && p[3] == fourth;
}

bool zip_starts(const unsigned char *file, size_t size) {
    return size >= 4 && (signature(file, 3, 4) || signature(file, 5, 6));
}

// --- CRC-32, reflected, 0xedb88320: eight bytes a step, by a table for each of them

typedef struct crc_tables {
    uint32_t of[8][256];
} crc_tables;

static void crc_fill(crc_tables *t) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        t->of[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++) t->of[k][i] = t->of[0][t->of[k - 1][i] & 255] ^ t->of[k - 1][i] >> 8;
}

uint32_t zip_crc(uint32_t crc, const void *data, size_t size) {
    const unsigned char *p = data;
    crc_tables t;
    crc_fill(&t);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t x = number(p, 8) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++) crc ^= t.of[7 - k][x >> (8 * k) & 255];
    }
    for (; size; size--) crc = t.of[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

// --- The directory

typedef struct directory {
    uint64_t count, size, offset;
} directory;

// The end record is the last place where its signature stands and its comment ends with the file.
static const unsigned char *find_end(const unsigned char *file, size_t size) {
    size_t most = size < END + COMMENT_MOST ? size : END + COMMENT_MOST;
    for (size_t back = END; back <= most; back++) {
        const unsigned char *p = file + size - back;
        if (signature(p, 5, 6) && number(p + 20, 2) == back - END) return p;
    }
    return NULL;
}

static bool read_end(const zip_index *z, directory *out, diag *d) {
    const unsigned char *end = find_end(z->file, z->file_size);
    if (!end) return diag_error(d, z->path, "is no whole zip file: the record at its end is missing");
    *out = (directory){number(end + 10, 2), number(end + 12, 4), number(end + 16, 4)};
    uint64_t disk = number(end + 4, 2), here = number(end + 8, 2), limit = (uint64_t)(end - z->file);
    bool wide = limit >= LOCATOR && signature(end - LOCATOR, 6, 7);
    if (wide) {
        uint64_t at = number(end - LOCATOR + 8, 8);
        if (limit - LOCATOR < END64 || at > limit - LOCATOR - END64 || !signature(z->file + at, 6, 6))
            return diag_error(d, z->path, "its zip64 end record is not where its locator says");
        const unsigned char *p = z->file + at;
        *out = (directory){number(p + 32, 8), number(p + 40, 8), number(p + 48, 8)};
        disk = number(p + 16, 4), here = number(p + 24, 8);
        limit = at;
    }
    if (disk != 0 || here != out->count)
        return diag_error(d, z->path, "is one part of a zip file in several parts");
    if (out->size > limit || out->offset > limit - out->size || out->count > out->size / CENTRAL)
        return diag_error(d, z->path, "its zip directory lies outside of the file");
    return true;
}

// Sizes and the offset that don't fit 32 bits stand in the extra field of kind 1, in this order, and only these.
static bool read_wide(const unsigned char *p, size_t size, uint64_t *const *wide, int count) {
    while (count && size >= 4) {
        size_t kind = (size_t)number(p, 2), n = (size_t)number(p + 2, 2);
        if (n > size - 4) return false;
        for (size_t at = 0; kind == 1 && count && at + 8 <= n; at += 8, count--, wide++)
            **wide = number(p + 4 + at, 8);
        p += 4 + n;
        size -= 4 + n;
    }
    return count == 0;
}

// Reads an entry of the directory; *used: its bytes. False: it doesn't fit.
static bool read_entry(const unsigned char *p, size_t left, arena *a, zip_entry *e, size_t *used) {
    if (left < CENTRAL || !signature(p, 1, 2)) return false;
    size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2),
           comment = (size_t)number(p + 32, 2);
    *used = CENTRAL + name + extra + comment;
    if (*used > left || memchr(p + CENTRAL, 0, name)) return false;
    *e = (zip_entry){.name = arena_strndup(a, (const char *)p + CENTRAL, name),
                     .method = (int)number(p + 10, 2),
                     .encrypted = p[8] & 1,
                     .crc = (uint32_t)number(p + 16, 4),
                     .packed = number(p + 20, 4),
                     .size = number(p + 24, 4),
                     .offset = number(p + 42, 4)};
    uint64_t *wide[3], *const all[3] = {&e->size, &e->packed, &e->offset};
    int count = 0;
    for (int i = 0; i < 3; i++)
        if (*all[i] == UINT32_MAX) wide[count++] = all[i];
    return read_wide(p + CENTRAL + name, extra, wide, count);
}

bool zip_read(const unsigned char *file, size_t size, const char *path, arena *a, zip_index *out, diag *d) {
    *out = (zip_index){.path = path, .file = file, .file_size = size};
    directory where = {0};
    if (!read_end(out, &where, d)) return false;
    out->entries = arena_array(a, (size_t)where.count + 1, sizeof *out->entries);
    const unsigned char *p = file + where.offset;
    for (size_t left = (size_t)where.size, used; (uint64_t)out->count < where.count;
         left -= used, p += used) {
        if (!read_entry(p, left, a, &out->entries[out->count], &used))
            return diag_error(d, path, "entry %d of its zip directory is damaged", out->count);
        out->count++;
    }
    return true;
}

const zip_entry *zip_find(const zip_index *z, const char *name) {
    for (int i = 0; i < z->count; i++)
        if (!strcmp(z->entries[i].name, name)) return &z->entries[i];
    return NULL;
}

// --- Entries

static bool entry_error(const zip_index *z, const zip_entry *e, diag *d, const char *cause) {
    char spot[600];
    snprintf(spot, sizeof spot, "%.300s: \"%.200s\"", z->path, e->name);
    return diag_error(d, spot, "%s", cause);
}

bool zip_bytes(const zip_index *z, const zip_entry *e, const unsigned char **data, size_t *size, diag *d) {
    if (e->encrypted) return entry_error(z, e, d, "is encrypted");
    if (e->method == 8)
        return entry_error(
            z, e, d,
            "is compressed (deflate): write it without compression (numpy.savez, or compressed=False)");
    if (e->method)
        return entry_error(z, e, d, "is compressed: only entries that are stored as they are can be read");
    if (e->offset > z->file_size || z->file_size - e->offset < LOCAL || !signature(z->file + e->offset, 3, 4))
        return entry_error(z, e, d, "has no header where the zip directory says");
    const unsigned char *p = z->file + e->offset;
    size_t left = z->file_size - (size_t)e->offset,
           skip = LOCAL + (size_t)number(p + 26, 2) + (size_t)number(p + 28, 2);
    if (skip > left || e->size != e->packed || e->size > left - skip)
        return entry_error(z, e, d, "its bytes lie outside of the file");
    *data = p + skip;
    *size = (size_t)e->size;
    return true;
}

bool zip_check(const zip_index *z, const zip_entry *e, const unsigned char *data, size_t size, diag *d) {
    return zip_crc(0, data, size) == e->crc ||
           entry_error(z, e, d, "is damaged: its checksum is another one");
}
