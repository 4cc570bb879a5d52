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

// "PLACE: cause" as one line, whatever a file name or a tensor name holds; NULL where memory runs out.
static char *__attribute__((format(printf, 2, 0))) compose(const char *place, const char *format,
                                                           va_list list) {
    va_list again;
    va_copy(again, list);
    int cause = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t before = place ? strlen(place) + 2 : 0, size = before + (cause < 0 ? 0 : (size_t)cause) + 1;
    char *text = memory_alloc(size, 1);
    if (!text) return NULL;
    if (place) snprintf(text, before + 1, "%s: ", place);
    vsnprintf(text + before, size - before, format, list);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
    }
    return text;
}

static bool has_room(diag *d) {
    if (d->count < d->capacity) return true;
    int capacity = d->capacity ? d->capacity * 2 : 8;
    diag_item *items = memory_grow(d->items, (size_t)capacity, sizeof(*items));
    if (!items) return false;
    d->items = items;
    d->capacity = capacity;
    return true;
}

// Errors come where memory ran out too, and what was begun must still be ended: that there was one is kept.
static void __attribute__((format(printf, 4, 0))) add(diag *d, diag_kind kind, const char *place,
                                                      const char *format, va_list list) {
    char *text = compose(place ? place : d->subject, format, list);
    for (int i = 0; text && kind == DIAG_NOTE && i < d->count; i++) { // what is read twice is said once
        if (d->items[i].kind != kind || strcmp(d->items[i].text, text)) continue;
        free(text);
        return;
    }
    if (text && has_room(d)) {
        d->items[d->count++] = (diag_item){kind, text};
        return;
    }
    free(text);
    d->exhausted |= kind == DIAG_ERROR;
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
    bool told = false;
    for (int i = 0; i < d->count; i++) {
        const diag_item *item = &d->items[i];
        fprintf(out, "bertc: %s: %s\n", item->kind == DIAG_ERROR ? "error" : "note", item->text);
        told |= item->kind == DIAG_ERROR;
    }
    if (d->exhausted && !told) fputs("bertc: error: out of memory\n", out);
}
