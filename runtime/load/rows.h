// The structs of a descriptor and the rows of its arrays as this version has them: what a file's row lacks is 0, what it has more
// is skipped.
#ifndef BERTC_ROWS_H
#define BERTC_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/abi.h"

// Bytes of a row that every file has, and that this version has.
size_t row_least(bertc_row row);
size_t row_size(bertc_row row);
// Row i of `array`, whose rows lie d->row_bytes[row] apart, to *out, which has row_size(row) bytes.
void row_read(const bertc_descriptor *d, bertc_row row, const void *array, uint64_t i, void *out);
// `count` rows, one behind the other, to free(); NULL: no memory.
void *rows_read(const bertc_descriptor *d, bertc_row row, const void *array, size_t count);
// A struct that has `size` bytes at `from`, to *out, which has `out_size`.
void struct_read(const void *from, size_t size, void *out, size_t out_size);

#endif
