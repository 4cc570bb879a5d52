// links: hub ir
// A safetensors file of any bytes: read, or refused; every entry that is handed out lies within the file.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/hub/hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

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
    safetensors_close(s);
    diag_free(&d);
    close(fd);
    static volatile unsigned read_all; // so that the reads above happen
    read_all = sum;
    (void)read_all;
    return 0;
}
