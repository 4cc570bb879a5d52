#include "frontend/cli/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ir/memory.h"
#include "runtime/abi_checksum.h"

#define BLOCK_BYTES (1 << 20)

bool file_hash(const char *path, uint64_t *hash, int64_t *bytes, diag *d) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return diag_error(d, path, "can't be read: %s", strerror(errno));
    char *block = memory_must(memory_alloc(BLOCK_BYTES, 1));
    bertc_checksum sum = bertc_checksum_begin();
    ssize_t n;
    while ((n = read(fd, block, BLOCK_BYTES)) > 0) bertc_checksum_add(&sum, block, (size_t)n);
    int error = errno;
    *bytes = (int64_t)sum.size;
    *hash = bertc_checksum_end(&sum);
    free(block);
    close(fd);
    return n == 0 || diag_error(d, path, "can't be read: %s", strerror(error));
}
