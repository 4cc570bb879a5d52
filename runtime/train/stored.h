// The header of a safetensors file, read from untrusted bytes. Private to runtime/train/.
#ifndef BERTC_TRAIN_STORED_H
#define BERTC_TRAIN_STORED_H

#include "runtime/bertc.h"

enum { STORED_MOST_RANK = 6, STORED_DTYPE = 16 };

// A tensor of the file.
typedef struct stored_tensor {
    const char *name; // in the header's text
    char dtype[STORED_DTYPE];
    int64_t rank;                    // -1: no shape has been read
    int64_t shape[STORED_MOST_RANK]; // the first ones of `rank`
    int64_t begin, end;              // bytes behind the header
} stored_tensor;

typedef struct stored_list {
    stored_tensor *items; // by name; the caller frees them
    size_t count;
} stored_list;

// Reads the header's JSON, `size` bytes at `text`, with a zero behind them. Names stay in `text`, which is changed. `data`: bytes of the
// file behind the header. False: *error says at which byte what is wrong, without the file's name.
bool stored_read(char *text, size_t size, int64_t data, stored_list *out, bertc_error *error);
// NULL: the file has none of that name.
const stored_tensor *stored_find(const stored_list *list, const char *name);

#endif
