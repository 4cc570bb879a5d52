#include "runtime/load/checksum.h"

#include <stddef.h>
#include <string.h>

#include "runtime/abi_checksum.h"
#include "runtime/error.h"

static const uint8_t *weights_of(const image *im, const bertc_descriptor *d) {
    return d->weights_bytes > 0
               ? image_at(im, im->descriptor + (uint64_t)d->weights, (uint64_t)d->weights_bytes, PF_R)
               : NULL;
}

bool checksum_file(const image *im, const bertc_descriptor *d, bertc_error *error) {
    if (d->checksum == 0) return true;
    const uint8_t *weights = weights_of(im, d), *bytes = image_at(im, im->descriptor, d->size, 0),
                  *field = bytes + offsetof(bertc_descriptor, checksum);
    uint64_t found = bertc_checksum_of_file(im->bytes, im->size, (uint64_t)(field - im->bytes),
                                            weights ? (uint64_t)(weights - im->bytes) : 0,
                                            weights ? (uint64_t)d->weights_bytes : 0);
    return found == d->checksum ||
           error_set(error,
                     "damaged: the checksum of its metadata, tables and code is %016llx, not %016llx; copy "
                     "it again, or compile it again",
                     (unsigned long long)found, (unsigned long long)d->checksum);
}

bool checksum_weights(const image *im, const bertc_descriptor *d, bertc_error *error) {
    if (d->weights_bytes == 0) return true;
    if (d->weights_checksum == 0)
        return error_set(error, "its weights have no checksum to hold them against");
    const uint8_t *weights = weights_of(im, d);
    uint64_t found = weights ? bertc_checksum_of(weights, (size_t)d->weights_bytes) : 0;
    return found == d->weights_checksum ||
           error_set(error,
                     "damaged: the checksum of its weights is %016llx, not %016llx; copy it again, or "
                     "compile it again",
                     (unsigned long long)found, (unsigned long long)d->weights_checksum);
}
