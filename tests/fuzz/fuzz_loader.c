// links: runtime
// An artefact's file of any bytes: checked, or refused, without a read outside of it; a table of labels that
// passed can be read.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "runtime/load/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    bertc_error error = {""};
    image im;
    uint8_t *file = aligned_alloc(
        64, size / 64 * 64 + 64); // as a mapping is; bytes behind the file are known to be no part of it
    if (!file) return 0;
    memcpy(file, bytes, size);
    ASAN_POISON_MEMORY_REGION(file + size, size / 64 * 64 + 64 - size);
    bool good = image_read(&im, file, size, &error);
    if (good) {
        check_source source = {
            .im = &im, .bytes = image_at(&im, im.descriptor, BERTC_DESCRIPTOR_LEAST, 0), .error = &error};
        if (!source.bytes) abort();
        good = check_head(&source) && check_descriptor(&source);
    }
    if (!good && !error.message[0]) abort();
    ASAN_UNPOISON_MEMORY_REGION(file, size / 64 * 64 + 64);
    free(file);
    return 0;
}
