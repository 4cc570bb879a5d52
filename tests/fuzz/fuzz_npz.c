// links: cli hub ir
// An .npz or .npy file of any bytes: read, or refused; every array that is handed out lies within the file.
#include <stdint.h>
#include <stdlib.h>

#include "frontend/cli/arrays/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned sum_of(const npy_array *a) {
    unsigned sum = 0;
    for (size_t k = 0; k < a->count * (size_t)a->element; k++) sum += a->data[k];
    for (int k = 0; k < a->rank; k++) sum += (unsigned)a->shape[k];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    zip_index z;
    npy_array array;
    unsigned sum = 0;
    if (npy_read(bytes, size, "x.npy", &array, &d)) sum += sum_of(&array);
    if (zip_read(bytes, size, "x.npz", a, &z, &d))
        for (int i = 0; i < z.count; i++) {
            const unsigned char *data;
            size_t n;
            if (!zip_bytes(&z, &z.entries[i], &data, &n, &d)) continue;
            zip_check(&z, &z.entries[i], data, n, &d);
            if (npy_read(data, n, "x", &array, &d)) sum += sum_of(&array);
        }
    diag_free(&d);
    arena_free(a);
    static volatile unsigned read_all; // so that the reads above happen
    read_all = sum;
    (void)read_all;
    return 0;
}
