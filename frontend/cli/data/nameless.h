// Files without a name, in TMPDIR or /tmp: what a pipe or a document held is read again from there.
#ifndef BERTC_CLI_NAMELESS_H
#define BERTC_CLI_NAMELESS_H

#include <stdbool.h>
#include <stddef.h>

// -1 with errno.
int nameless_open(void);
bool nameless_write(int fd, const char *bytes, size_t n); // all of them; false with errno

#endif
