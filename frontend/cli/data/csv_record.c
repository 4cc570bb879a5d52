// Comma- and tab-separated values by libcsv: quotes, quotes in quotes, and line ends in them, as RFC 4180 has it. In
// tab-separated values a quote is a character like any other.
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/record.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

#define NO_QUOTE 0xff // a byte that UTF-8 never has

// What libcsv's calls fill in.
typedef struct fields {
    arena *arena;
    const char **v;
    int count, room;
    size_t bytes;
    bool whole;
    int odd;  // the first field that is no text, from 1; 0: none
    bool nul; // for it holds a NUL
} fields;

static void take_field(void *data, size_t size, void *user) {
    fields *f = user;
    if (f->count == f->room) {
        const char **grown = ARENA_ARRAY(f->arena, const char *, 2 * f->room + 8);
        if (f->count) memcpy(grown, f->v, (size_t)f->count * sizeof *grown);
        f->v = grown;
        f->room = 2 * f->room + 8;
    }
    bool nul = memchr(data, 0, size) != NULL;
    if (!f->odd && (nul || hub_utf8_prefix(data, size) < size)) f->odd = f->count + 1, f->nul = nul;
    f->bytes += size + sizeof *f->v;
    f->v[f->count++] = arena_strndup(f->arena, data, size);
}

static void take_row(int end, void *user) {
    (void)end;
    ((fields *)user)->whole = true;
}

static int is_line_feed(unsigned char c) {
    return c == CSV_LF;
}

// Only before a line's end, and behind a closing quote there.
static int is_return(unsigned char c) {
    return c == CSV_CR;
}

static void *grow_bytes(void *old, size_t size) {
    return memory_grow(old, size, 1);
}

static void parser_begin(data_source *s) {
    struct csv_parser *p = &s->csv.parser;
    csv_init(p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL);
    csv_set_realloc_func(p, grow_bytes);
    csv_set_free_func(p, free);
    csv_set_term_func(p, is_line_feed);
    csv_set_space_func(p, is_return);
    if (s->format == DATA_TSV) csv_set_delim(p, CSV_TAB);
    if (s->format == DATA_TSV) csv_set_quote(p, NO_QUOTE);
}

static bool is_blank(const char *line, int64_t n) {
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\r')) n--;
    return n == 0;
}

static const char *parse_line(data_source *s, int64_t n, fields *f) {
    struct csv_parser *p = &s->csv.parser;
    size_t size = (size_t)n, got = csv_parse(p, s->reader.buffer, size, take_field, take_row, f);
    if (got == size) got += csv_parse(p, "\n", 1, take_field, take_row, f);
    if (got == size + 1) return NULL;
    if (csv_error(p) != CSV_EPARSE) return "out of memory";
    return arena_printf(
        f->arena,
        "line %lld, column %zu: a quote inside a field: put the field in quotes, and double the quotes "
        "in it",
        (long long)s->reader.number, got + 1);
}

// Lines until the record is whole. NULL, or why it is none; r->line 0: there is no more.
static const char *read_fields(data_source *s, record *r, fields *f, diag *d) {
    const char *why = NULL;
    while (!f->whole && !why) {
        bool first = !r->line;
        int64_t n = source_line(s, d);
        if (n == LINE_END) return first ? NULL : "a quote in it is never closed";
        if (first && n != LINE_OVER && is_blank(s->reader.buffer, n)) continue;
        if (first) r->line = s->reader.number, r->offset = s->reader.offset;
        why = n == LINE_OVER ? "is longer than 64 MiB" : parse_line(s, n, f);
        size_t held = csv_get_buffer_size(&s->csv.parser);
        if (!why && (f->bytes > LINE_BYTES_MAX || held > 2 * (size_t)LINE_BYTES_MAX))
            why = "is longer than 64 MiB";
    }
    return why;
}

// The next record's fields; r->error where they are bad, r->line 0 where there are none.
static fields next_fields(data_source *s, record *r, arena *a, diag *d) {
    fields f = {.arena = a};
    const char *why = read_fields(s, r, &f, d);
    if (why) {
        csv_free(&s->csv.parser);
        parser_begin(s);
        record_fail(r, a, "%s", why);
    } else if (f.odd) {
        record_fail(r, a, "field %d %s", f.odd, f.nul ? "holds a NUL byte" : "is no UTF-8");
    }
    return f;
}

bool csv_record(data_source *s, record *r, arena *a, diag *d) {
    const csv_table *t = &s->csv;
    fields f = next_fields(s, r, a, d);
    if (!r->line) return false;
    if (!r->error && f.count != t->column_count)
        record_fail(r, a, "has %d field%s, and the header has %d", f.count, f.count == 1 ? "" : "s",
                    t->column_count);
    if (r->error) return true;
    r->object = memory_must(cJSON_CreateObject());
    for (int i = 0; i < f.count; i++) memory_must(cJSON_AddStringToObject(r->object, t->columns[i], f.v[i]));
    return true;
}

static bool check_header(const data_source *s, diag *d) {
    const csv_table *t = &s->csv;
    for (int i = 0; i < t->column_count; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(t->columns[i], t->columns[j]))
                return diag_error(d, s->reader.name, "two of its columns are called '%s'", t->columns[i]);
    return true;
}

bool csv_open(data_source *s, diag *d) {
    record r = {0};
    s->csv.names = arena_new();
    parser_begin(s);
    fields f = next_fields(s, &r, s->csv.names, d);
    if (r.error) return diag_error(d, s->reader.name, "its header: %s", r.error);
    if (!r.line)
        return s->reader.failed ? false : diag_error(d, s->reader.name, "is empty: it has no header");
    s->csv.columns = f.v;
    s->csv.column_count = f.count;
    return check_header(s, d);
}

void csv_close(csv_table *t) {
    if (!t->names) return;
    csv_free(&t->parser);
    arena_free(t->names);
}
