// The checks of an artefact's descriptor: every count, offset, array, string and size in it is compared
// with the file (for a descriptor in memory: with the descriptor itself) before anything else reads it.
#ifndef BERTC_CHECK_H
#define BERTC_CHECK_H

#include "runtime/abi.h"
#include "runtime/load/image.h"
#include "runtime/load/rows.h"

// Where a descriptor's bytes are. `im` NULL: in memory, where offsets are not checked.
typedef struct check_source {
    const image *im;
    const void *bytes;  // the descriptor's in the file or in memory, BERTC_DESCRIPTOR_LEAST of them at least
    bool weights_given; // the caller brings the weights
    bertc_error *error;
    bertc_descriptor descriptor; // as this version has it: check_head fills it in
} check_source;

// Bytes [off, off + count * size) from the descriptor, in a segment with all of `flags`; NULL and an error
// that names `what` where they are not there, or not aligned to `align`.
const void *check_at(const check_source *c, bertc_off off, uint64_t count, uint64_t size, uint64_t align,
                     uint32_t flags, const char *what);
// `count` rows from `off`, to be read by check_entry.
const void *check_array(const check_source *c, bertc_off off, uint64_t count, bertc_row row,
                        const char *what);
static inline void check_entry(const check_source *c, bertc_row row, const void *rows, uint64_t i,
                               void *out) {
    row_read(&c->descriptor, row, rows, i, out);
}
// A string that ends within the file.
const char *check_string(const check_source *c, bertc_off off, const char *what);

// Of *c only the descriptor is left to be set: its format and size, and whether this library knows all that
// it requires.
bool check_head(check_source *c);
bool check_descriptor(const check_source *c); // the rest, variants and tables included
bool check_variant(const check_source *c, const bertc_variant *v);
// Of two checked variants that follow each other: the loader takes the first level that runs.
bool check_order(const check_source *c, const bertc_variant *before, const bertc_variant *v);
bool check_states(const check_source *c); // and the parameters

// Bytes of a session's states: those that the weights hold first, and those that begin as zeros.
static inline int64_t states_bytes(const bertc_descriptor *d) {
    return d->state_bytes + d->zero_bytes;
}

// The number of elements in one leading row of an output, where M is `ragged`.
int64_t port_width(const bertc_port *p, int64_t ragged);

#endif
