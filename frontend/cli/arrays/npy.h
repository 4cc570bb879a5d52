// numpy's arrays: the header that stands before an array's elements, in a file (.npy) or in an entry of an .npz.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef BERTC_CLI_NPY_H
#define BERTC_CLI_NPY_H

#include <stdint.h>

#include "frontend/hub/files/file.h"

enum { NPY_RANK = 8, NPY_HEADER = 128 };

typedef struct npy_array {
    char kind;   // of its elements: f, i, u, b (bool), S (bytes) or U (UCS-4), as in numpy's dtypes
    int element; // bytes of one
    int rank;    // 0: one number
    int64_t shape[NPY_RANK];   // in C's order
    const unsigned char *data; // not aligned
    size_t count;              // elements
} npy_array;

// Reads an array from untrusted bytes. False, with a diagnostic at `spot`, for what is no array, for dtypes that are none of the above
// or not little-endian, for Fortran's order, and for fewer bytes than the shape asks for. Nothing is copied.
bool npy_read(const unsigned char *bytes, size_t size, const char *spot, npy_array *out, diag *d);
// "float32 [1000, 384]", for messages; into buf, which is returned.
const char *npy_describe(const npy_array *a, char *buf, size_t size);
// The element at `i` of an array of i, u or b.
int64_t npy_integer(const npy_array *a, size_t i);

// A header of NPY_HEADER bytes, version 1.0, for elements of `descr` ("<f4"). The room is the same for any shape of up to three axes,
// so that a header can be written again when the number of rows is known.
void npy_header(char out[NPY_HEADER], const char *descr, int rank, const int64_t *shape);

#endif
