#include "frontend/cli/data/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void record_free(record *r) {
    cJSON_Delete(r->object);
    nul_close(&r->nul);
    *r = (record){0};
}

void record_fail(record *r, arena *a, const char *format, ...) {
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (!r->error) r->error = arena_strdup(a, text);
}

int64_t source_line(data_source *s, diag *d) {
    int64_t n = s->held ? s->size : line_reader_next(&s->reader, d);
    s->held = false;
    if (s->reader.number == 1 && n >= 3 && !memcmp(s->reader.buffer, "\xef\xbb\xbf", 3)) {
        n -= 3;
        memmove(s->reader.buffer, s->reader.buffer + 3, (size_t)n + 1);
    }
    return n;
}
