// Writes safetensors: the header, padded so that the data is aligned to 8, then the data, in the order of
// the calls.
#include "frontend/hub/files/safetensors.h"
#include "ir/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void print_string(FILE *out, const char *s) {
    fputc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') {
            fprintf(out, "\\%c", *s);
        } else if ((unsigned char)*s < ' ') {
            fprintf(out, "\\u%04x", (unsigned)*s);
        } else {
            fputc(*s, out);
        }
    }
    fputc('"', out);
}

static bool print_header(FILE *out, const char *path, int n, const safetensors_item *items, diag *d) {
    size_t at = 0, bytes;
    fputc('{', out);
    for (int i = 0; i < n; i++) {
        const safetensors_item *t = &items[i];
        if (!safetensors_dtype_size(t->dtype) || t->rank < 0 || t->rank > IR_MAX_RANK ||
            !safetensors_shape_bytes(t->dtype, t->rank, t->shape, &bytes) || bytes != t->bytes) {
            return diag_error(d, path, "tensor \"%.200s\": %zu bytes don't fit its shape of %.20s", t->name,
                              t->bytes, t->dtype);
        }
        if (i) fputc(',', out);
        print_string(out, t->name);
        fprintf(out, ":{\"dtype\":\"%s\",\"shape\":[", t->dtype);
        for (int k = 0; k < t->rank; k++) fprintf(out, "%s%" PRId64, k ? "," : "", t->shape[k]);
        fprintf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    fputc('}', out);
    while (ftell(out) % 8) fputc(' ', out);
    return true;
}

bool safetensors_begin(output_file *o, const char *path, int n, const safetensors_item *items, diag *d) {
    char *header = NULL;
    size_t size = 0;
    *o = (output_file){.fd = -1};
    FILE *out = memory_stream(&header, &size);
    if (!out) return diag_error(d, path, "out of memory");
    bool ok = print_header(out, path, n, items, d);
    if (!memory_stream_end(out, &header) && ok) ok = diag_error(d, path, "out of memory");
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)size >> (8 * i));
    ok = ok && output_file_open(o, path, d) && output_file_write(o, length, 8, d) &&
         output_file_write(o, header, size, d);
    if (!ok) output_file_drop(o);
    free(header);
    return ok;
}

bool safetensors_write(const char *path, int n, const safetensors_item *items, diag *d) {
    output_file o;
    bool ok = safetensors_begin(&o, path, n, items, d);
    for (int i = 0; i < n && ok; i++) ok = output_file_write(&o, items[i].data, items[i].bytes, d);
    ok = ok && output_file_sync(&o, d) && output_file_keep(&o, d);
    output_file_drop(&o);
    return ok;
}
