#include "frontend/cli/arrays/npz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/memory.h"

enum { BLOCK = 1 << 16, ALIGNMENT = 64, WIDE_EXTRA = 20, PAD_KIND = 0x4246 };

void npz_begin(npz_writer *w, const char *path) {
    *w = (npz_writer){.path = path};
}

static bool spool_error(const npz_writer *w, diag *d) {
    return diag_error(d, w->path, "can't be written: %s", strerror(errno));
}

npz_array *npz_add(npz_writer *w, const char *name, const char *descr, diag *d) {
    npz_array *a = &w->arrays[w->count];
    int fd = output_file_scratch(w->path, d);
    if (fd < 0) return NULL;
    *a = (npz_array){.name = name, .descr = descr, .rows = fdopen(fd, "w+b")};
    if (!a->rows) {
        spool_error(w, d);
        close(fd);
        return NULL;
    }
    w->count++;
    return a;
}

bool npz_append(npz_writer *w, npz_array *a, const void *data, size_t bytes, diag *d) {
    return fwrite(data, 1, bytes, a->rows) == bytes || spool_error(w, d);
}

void npz_drop(npz_writer *w) {
    for (int i = 0; i < w->count; i++)
        if (w->arrays[i].rows) fclose(w->arrays[i].rows);
    w->count = 0;
}

// --- The zip file. As numpy does, every local header has room for sizes beyond 32 bits.

typedef struct record {
    unsigned char bytes[512];
    size_t size;
} record;

static void put(record *r, uint64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) r->bytes[r->size++] = (unsigned char)(x >> (8 * i));
}

static void put_name(record *r, const npz_array *a) {
    r->size += (size_t)snprintf((char *)r->bytes + r->size, 128, "%.100s.npy", a->name);
}

static size_t name_size(const npz_array *a) {
    return strnlen(a->name, 100) + strlen(".npy");
}

// What both headers have from `version needed` on; 1980-01-01, so that equal arrays give equal files.
static void put_common(record *r, const npz_array *a, size_t extra) {
    put(r, 45, 2);
    put(r, 0, 2 + 2 + 2); // flags, stored, time
    put(r, 33, 2);
    put(r, a->crc, 4);
    put(r, UINT32_MAX, 4);
    put(r, UINT32_MAX, 4);
    put(r, name_size(a), 2);
    put(r, extra, 2);
}

static void put_wide(record *r, const npz_array *a, bool offset) {
    put(r, 1, 2);
    put(r, offset ? 24 : 16, 2);
    put(r, a->bytes, 8);
    put(r, a->bytes, 8);
    if (offset) put(r, a->offset, 8);
}

// The padding is an extra field of its own, of a kind that readers skip.
static void local_header(record *r, const npz_array *a) {
    size_t bare = 30 + name_size(a) + WIDE_EXTRA + 4;
    size_t pad = (ALIGNMENT - (a->offset + bare) % ALIGNMENT) % ALIGNMENT;
    put(r, 0x04034b50, 4);
    put_common(r, a, WIDE_EXTRA + 4 + pad);
    put_name(r, a);
    put_wide(r, a, false);
    put(r, PAD_KIND, 2);
    put(r, pad, 2);
    memset(r->bytes + r->size, 0, pad);
    r->size += pad;
}

static void central_header(record *r, const npz_array *a) {
    put(r, 0x02014b50, 4);
    put(r, 3 << 8 | 45, 2); // made on Unix
    put_common(r, a, WIDE_EXTRA + 8);
    put(r, 0, 2 + 2 + 2); // comment, disk, internal attributes
    put(r, (uint64_t)0600 << 16, 4);
    put(r, UINT32_MAX, 4);
    put_name(r, a);
    put_wide(r, a, true);
}

static void end_records(record *r, uint64_t count, uint64_t size, uint64_t offset) {
    put(r, 0x06064b50, 4);
    put(r, 44, 8);
    put(r, 45, 2);
    put(r, 45, 2);
    put(r, 0, 8); // disks
    put(r, count, 8);
    put(r, count, 8);
    put(r, size, 8);
    put(r, offset, 8);
    put(r, 0x07064b50, 4);
    put(r, 0, 4);
    put(r, offset + size, 8);
    put(r, 1, 4);
    put(r, 0x06054b50, 4);
    put(r, 0, 4);
    put(r, count, 2);
    put(r, count, 2);
    put(r, UINT32_MAX, 4);
    put(r, UINT32_MAX, 4);
    put(r, 0, 2);
}

// Reads the spooled elements from their start; each block goes to `out`, or into the checksum where that is NULL.
static bool each_block(const npz_writer *w, npz_array *a, output_file *out, diag *d) {
    unsigned char *block = memory_alloc(BLOCK, 1);
    bool ok = block || diag_error(d, w->path, "out of memory");
    if (ok && fseeko(a->rows, 0, SEEK_SET) != 0) ok = spool_error(w, d);
    for (size_t n; ok && (n = fread(block, 1, BLOCK, a->rows)) > 0;) {
        if (out)
            ok = output_file_write(out, block, n, d);
        else
            a->crc = zip_crc(a->crc, block, n), a->bytes += n;
    }
    if (ok && ferror(a->rows)) ok = spool_error(w, d);
    free(block);
    return ok;
}

static bool write_array(const npz_writer *w, npz_array *a, output_file *o, uint64_t *at, diag *d) {
    char header[NPY_HEADER];
    record local = {.size = 0};
    npy_header(header, a->descr, a->rank, a->shape);
    a->crc = zip_crc(0, header, NPY_HEADER);
    a->bytes = NPY_HEADER;
    a->offset = *at;
    if (!each_block(w, a, NULL, d)) return false;
    local_header(&local, a);
    *at += local.size + a->bytes;
    return output_file_write(o, local.bytes, local.size, d) && output_file_write(o, header, NPY_HEADER, d) &&
           each_block(w, a, o, d);
}

static bool write_directory(const npz_writer *w, output_file *o, uint64_t at, diag *d) {
    uint64_t start = at;
    bool ok = true;
    for (int i = 0; ok && i < w->count; i++) {
        record central = {.size = 0};
        central_header(&central, &w->arrays[i]);
        ok = output_file_write(o, central.bytes, central.size, d);
        at += central.size;
    }
    record end = {.size = 0};
    end_records(&end, (uint64_t)w->count, at - start, start);
    return ok && output_file_write(o, end.bytes, end.size, d);
}

bool npz_end(npz_writer *w, diag *d) {
    output_file o = {.fd = -1};
    uint64_t at = 0;
    bool ok = output_file_open(&o, w->path, d);
    for (int i = 0; ok && i < w->count; i++) ok = write_array(w, &w->arrays[i], &o, &at, d);
    ok = ok && write_directory(w, &o, at, d) && output_file_sync(&o, d) && output_file_keep(&o, d);
    output_file_drop(&o);
    npz_drop(w);
    return ok;
}

// --- Reading

bool npz_open(npz_file *z, const char *path, diag *d) {
    *z = (npz_file){.arena = arena_new()};
    return hub_file_map(path, &z->file, d) &&
           zip_read(z->file.data, z->file.size, path, z->arena, &z->index, d);
}

void npz_close(npz_file *z) {
    hub_file_unmap(&z->file);
    if (z->arena) arena_free(z->arena);
    *z = (npz_file){0};
}

static const zip_entry *entry_of(const npz_file *z, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%.100s.npy", name);
    return zip_find(&z->index, full);
}

bool npz_has(const npz_file *z, const char *name) {
    return entry_of(z, name) != NULL;
}

bool npz_read(const npz_file *z, const char *name, npy_array *out, diag *d) {
    const zip_entry *e = entry_of(z, name);
    const unsigned char *data;
    size_t size;
    char spot[600];
    if (!e) return diag_error(d, z->index.path, "has no array \"%s\"", name);
    snprintf(spot, sizeof spot, "%.400s: array \"%.100s\"", z->index.path, name);
    return zip_bytes(&z->index, e, &data, &size, d) && npy_read(data, size, spot, out, d);
}
