// Lines of a file or of standard input, one after the other, whatever their length.
#ifndef BERTC_CLI_LINE_READER_H
#define BERTC_CLI_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

// The longest line that is read; what a longer one holds is skipped.
#define LINE_BYTES_MAX (64 << 20)

typedef struct line_reader {
    int fd;                      // -1: closed
    const char *name;            // for messages
    int64_t number, bytes, size; // lines and bytes read; of a regular file, else -1
    int64_t offset;              // where the line begins
    bool failed;                 // the lines ended because one couldn't be read
    bool ended;                  // nothing is left behind what is in the block
    int error;                   // errno of the read that failed
    char *block;                 // as read
    size_t at, end;              // what of it is left
    char *buffer;                // the line, as far as it is there
    size_t held, capacity;
    bool begun, whole, over; // of the line: some is read, all is, it is too long
} line_reader;

// "-": standard input. False with a diagnostic; line_reader_close in both cases.
bool line_reader_open(line_reader *s, const char *path, diag *d);
void line_reader_close(line_reader *s);
// Is the next line, or the end, there without waiting for whoever writes to the pipe or terminal? Always of a
// regular file.
bool line_reader_ready(line_reader *s);
// The next line's bytes are in `buffer`, without the line feed, NUL-ended: how many they are. LINE_END: there is none, or,
// with a diagnostic and `failed`, it can't be read. LINE_OVER: it is too long, and skipped.
enum { LINE_END = -1, LINE_OVER = -2 };
int64_t line_reader_next(line_reader *s, diag *d);
// The next line is the one with that number, which begins at that byte of a regular file.
bool line_reader_seek(line_reader *s, int64_t offset, int64_t number, diag *d);

#endif
