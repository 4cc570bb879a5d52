// Zip files from untrusted bytes: the entries that their central directory names, and the bytes of those that are
// stored as they are. What is compressed or encrypted is refused by name, so that a file can be read where it is mapped.
#ifndef BERTC_HUB_ZIP_H
#define BERTC_HUB_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

typedef struct zip_entry {
    const char *name; // in the arena; bytes below 32 and above 126 are kept
    int method;       // 0: stored
    bool encrypted;
    uint32_t crc;
    uint64_t offset, packed, size; // of the local header; bytes in the file, and of the entry
} zip_entry;

typedef struct zip_index {
    const char *path; // for messages
    const unsigned char *file;
    size_t file_size;
    int count;
    zip_entry *entries; // in the directory's order
} zip_index;

// Does the file begin as a zip file?
bool zip_starts(const unsigned char *file, size_t size);
// Reads the directory of a file in memory, which must outlive the index. False, with a diagnostic that names what is
// wrong, for bytes that are no whole zip file, or one in several parts.
bool zip_read(const unsigned char *file, size_t size, const char *path, arena *a, zip_index *out, diag *d);
// The first entry of that name; NULL: there is none.
const zip_entry *zip_find(const zip_index *z, const char *name);
// The entry's bytes, within the file. False, with a diagnostic, where it is not stored, or lies outside of the file.
// Its checksum is not read: zip_check does that.
bool zip_bytes(const zip_index *z, const zip_entry *e, const unsigned char **data, size_t *size, diag *d);
// False, with a diagnostic, where the bytes have another checksum than the directory says.
bool zip_check(const zip_index *z, const zip_entry *e, const unsigned char *data, size_t size, diag *d);

// CRC-32 as zip has it, of what `crc` is the checksum of (0: nothing) and these bytes.
uint32_t zip_crc(uint32_t crc, const void *data, size_t size);

#endif
