#include "ir/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

void diag_init(diag *d) {
    *d = (diag){0};
}

void diag_free(diag *d) {
    for (int i = 0; i < d->count; i++) free(d->items[i].text);
    free(d->items);
    diag_init(d);
}

static void __attribute__((format(printf, 4, 0))) add(diag *d, diag_kind kind, const char *place,
                                                      const char *format, va_list list) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_must(memory_stream(&text, &size));
    if (!place) place = d->subject;
    if (place) fprintf(out, "%s: ", place);
    vfprintf(out, format, list);
    if (!memory_stream_end(out, &text)) memory_exhausted();
    for (char *c = text; *c; c++) { // one line, whatever a file name or a tensor name holds
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    }
    for (int i = 0; kind == DIAG_NOTE && i < d->count; i++) { // what is read twice is said once
        if (d->items[i].kind != kind || strcmp(d->items[i].text, text)) continue;
        free(text);
        return;
    }
    if (d->count == d->capacity) {
        d->capacity = d->capacity ? d->capacity * 2 : 8;
        d->items = memory_must(memory_grow(d->items, (size_t)d->capacity, sizeof(*d->items)));
    }
    d->items[d->count++] = (diag_item){kind, text};
}

bool diag_error(diag *d, const char *place, const char *format, ...) {
    va_list list;
    va_start(list, format);
    add(d, DIAG_ERROR, place, format, list);
    va_end(list);
    d->errors++;
    return false;
}

void diag_note(diag *d, const char *place, const char *format, ...) {
    va_list list;
    va_start(list, format);
    add(d, DIAG_NOTE, place, format, list);
    va_end(list);
}

bool diag_failed(const diag *d) {
    return d->errors > 0;
}

void diag_print(const diag *d, FILE *out) {
    for (int i = 0; i < d->count; i++) {
        const diag_item *item = &d->items[i];
        fprintf(out, "bertc: %s: %s\n", item->kind == DIAG_ERROR ? "error" : "note", item->text);
    }
}
