// links: hub runtime ir
// A safetensors file of any bytes: read, or refused; every entry that is handed out lies within the file. libbertc's reader of headers
// reads the same, where both read.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/hub/hub.h"
#include "runtime/train/stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void compare(const stored_list *list, const safetensors *s) {
    for (int i = 0; i < safetensors_count(s); i++) {
        const char *dtype, *name = safetensors_name(s, i);
        const stored_tensor *t = stored_find(list, name);
        int rank;
        const int64_t *shape;
        const void *data;
        size_t n;
        if (!t || !safetensors_entry(s, name, &dtype, &rank, &shape, &data, &n)) abort();
        if (strcmp(t->dtype, dtype) || t->rank != rank || (size_t)(t->end - t->begin) != n) abort();
        for (int k = 0; k < rank && k < STORED_MOST_RANK; k++)
            if (t->shape[k] != shape[k]) abort();
    }
}

// `s`: what the compiler made of the same bytes; NULL: it refused them.
static void read_by_libbertc(const uint8_t *bytes, size_t size, const safetensors *s) {
    uint64_t header = 0;
    if (size < 8) return;
    memcpy(&header, bytes, 8);
    if (header > size - 8) return;
    char *text = malloc(header + 1);
    stored_list list;
    bertc_error error;
    if (!text) abort();
    memcpy(text, bytes + 8, header);
    text[header] = 0;
    bool read = stored_read(text, header, (int64_t)(size - 8 - header), &list, &error);
    if (read && s) compare(&list, s);
    for (size_t i = 0; read && i < list.count; i++)
        if (list.items[i].begin > list.items[i].end) abort();
    free(list.items);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    int fd = memfd_create("fuzz", 0);
    char path[64];
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(path, &d);
    if ((s == NULL) != diag_failed(&d)) abort();
    unsigned sum = 0;
    for (int i = 0; s && i < safetensors_count(s); i++) {
        const char *dtype;
        int rank;
        const int64_t *shape;
        const void *data;
        size_t n;
        if (!safetensors_entry(s, safetensors_name(s, i), &dtype, &rank, &shape, &data, &n)) abort();
        for (size_t k = 0; k < n; k++) sum += ((const uint8_t *)data)[k];
        for (int k = 0; k < rank; k++) sum += (unsigned)shape[k];
    }
    read_by_libbertc(bytes, size, s);
    safetensors_close(s);
    diag_free(&d);
    close(fd);
    static volatile unsigned read_all; // so that the reads above happen
    read_all = sum;
    (void)read_all;
    return 0;
}
