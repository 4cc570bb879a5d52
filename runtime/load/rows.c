#include "runtime/load/rows.h"

#include <string.h>

#include "runtime/memory.h"

_Static_assert(BERTC_ROW_COUNT <= BERTC_ROW_ROOM, "the descriptor has room for so many kinds of rows");

_Static_assert(BERTC_DESCRIPTOR_LEAST <= sizeof(bertc_descriptor) && BERTC_TASK_LEAST <= sizeof(bertc_task),
               "");
#define X(name, row, least) _Static_assert((least) <= sizeof(row), #row);
BERTC_ROW_LIST(X)
#undef X

static const struct {
    size_t least, size;
} sizes[BERTC_ROW_COUNT] = {
#define X(name, row, least) {least, sizeof(row)},
    BERTC_ROW_LIST(X)
#undef X
};

size_t row_least(bertc_row row) {
    return sizes[row].least;
}

size_t row_size(bertc_row row) {
    return sizes[row].size;
}

void struct_read(const void *from, size_t size, void *out, size_t out_size) {
    size_t n = size < out_size ? size : out_size;
    memcpy(out, from, n);
    memset((char *)out + n, 0, out_size - n);
}

void row_read(const bertc_descriptor *d, bertc_row row, const void *array, uint64_t i, void *out) {
    uint32_t bytes = d->row_bytes[row];
    struct_read((const char *)array + i * bytes, bytes, out, sizes[row].size);
}

void *rows_read(const bertc_descriptor *d, bertc_row row, const void *array, size_t count) {
    char *rows = heap_zero(count ? count : 1, sizes[row].size);
    for (size_t i = 0; rows && i < count; i++) row_read(d, row, array, i, rows + i * sizes[row].size);
    return rows;
}
