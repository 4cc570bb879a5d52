// An artefact's checksums (runtime/abi_checksum.h), held against the file.
#ifndef BERTC_CHECKSUM_H
#define BERTC_CHECKSUM_H

#include "runtime/abi.h"
#include "runtime/load/image.h"

// Whether the file is what was written, but for its weights: headers, metadata, tables and code. True where
// the descriptor, which is `d` as this version has it, has no checksum (an object that was linked by hand).
bool checksum_file(const image *im, const bertc_descriptor *d, bertc_error *error);
// Whether the weights, all of which are read, are. False where they have no checksum. Of a checked
// descriptor.
bool checksum_weights(const image *im, const bertc_descriptor *d, bertc_error *error);

#endif
