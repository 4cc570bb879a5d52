// links: hub ir
// A file of torch.save of any bytes: read, or refused; every tensor that is handed out can be read whole. Bytes that
// don't begin as a zip file are the pickle in one that has a storage "0" of 64 bytes.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/hub/files/torch.h"
#include "tests/torch_zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned sum_of(const torch_file *t) {
    unsigned sum = 0;
    for (int i = 0; i < torch_count(t); i++) {
        const char *dtype;
        int rank;
        const int64_t *shape;
        const void *data;
        size_t n;
        if (!torch_entry(t, torch_name(t, i), &dtype, &rank, &shape, &data, &n)) abort();
        for (size_t k = 0; k < n; k++) sum += ((const uint8_t *)data)[k];
        for (int k = 0; k < rank; k++) sum += (unsigned)shape[k];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const uint8_t numbers[64] = {1, 2, 3};
    const torch_part parts[] = {{.name = "x/data.pkl", .data = bytes, .size = size},
                                {.name = "x/data/0", .data = numbers, .size = sizeof numbers}};
    uint8_t *zip = NULL;
    if (size < 2 || bytes[0] != 'P' || bytes[1] != 'K') {
        zip = malloc(torch_zip_room(2, parts));
        if (!zip) abort();
        size = torch_zip(zip, 2, parts);
        bytes = zip;
    }
    int fd = memfd_create("fuzz", 0);
    char path[64];
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) abort();
    free(zip);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    diag d;
    diag_init(&d);
    torch_file *t = torch_open(path, &d);
    if ((t == NULL) != diag_failed(&d)) abort();
    static volatile unsigned read_all; // so that the reads happen
    if (t) read_all = sum_of(t);
    (void)read_all;
    torch_close(t);
    diag_free(&d);
    close(fd);
    return 0;
}
