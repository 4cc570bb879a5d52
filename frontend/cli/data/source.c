#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/data/columns.h"
#include "frontend/cli/data/nameless.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

#define REPORTED 50

// --- Pipes that are read again

// The reader goes on in a copy of all that comes.
static bool keep_all(line_reader *in, diag *d) {
    char block[1 << 16];
    ssize_t got;
    int fd = nameless_open();
    if (fd < 0) return diag_error(d, in->name, "can't be copied to TMPDIR: %s", strerror(errno));
    while ((got = read(in->fd, block, sizeof block)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0 && !nameless_write(fd, block, (size_t)got)) {
            diag_error(d, in->name, "can't be copied to TMPDIR: %s", strerror(errno));
            close(fd);
            return false;
        }
    if (got < 0) diag_error(d, in->name, "can't be read: %s", strerror(errno));
    if (got < 0 || lseek(fd, 0, SEEK_SET) != 0) return close(fd), false;
    if (in->fd > STDIN_FILENO) close(in->fd);
    in->fd = fd;
    in->size = -1;
    return true;
}

// --- Open and close

static bool format_by_name(const char *path, data_format *out) {
    static const struct {
        const char *ending;
        data_format format;
    } endings[] = {{".jsonl", DATA_JSON}, {".ndjson", DATA_JSON}, {".json", DATA_JSON},
                   {".csv", DATA_CSV},    {".tsv", DATA_TSV},     {".txt", DATA_PLAIN}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hub_ends_with(path, endings[i].ending)) return *out = endings[i].format, true;
    return false;
}

static data_format format_by_line(const char *line, data_form form) {
    if (!strncmp(line, "\xef\xbb\xbf", 3)) line += 3;
    line += strspn(line, " \t\r");
    if (*line == '{' || *line == '[') return DATA_JSON;
    if (form == DATA_TEXT) return DATA_PLAIN;
    return strchr(line, '\t') ? DATA_TSV : DATA_CSV;
}

// What the first bytes say that holds no lines; NULL: nothing.
static const char *other_kind(const char *line, size_t size) {
    static const struct {
        const char *bytes, *kind;
    } kinds[] = {{"\x1f\x8b", "a gzip file"},
                 {"\xfd"
                  "7zXZ",
                  "an xz file"},
                 {"BZh", "a bzip2 file"},
                 {"\x28\xb5\x2f\xfd", "a zstd file"},
                 {"PK\x03\x04", "a zip archive"},
                 {"PAR1", "a Parquet file"},
                 {"ARROW1", "an Arrow file"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].bytes);
        if (size >= n && !memcmp(line, kinds[i].bytes, n)) return kinds[i].kind;
    }
    return NULL;
}

// The first line says which format it is, and is read again then.
static bool find_format(data_source *s, const char *path, diag *d) {
    if (format_by_name(path, &s->format)) return true;
    s->size = line_reader_next(&s->reader, d);
    s->held = s->size != LINE_END;
    const char *other = s->size > 0 ? other_kind(s->reader.buffer, (size_t)s->size) : NULL;
    if (other)
        return diag_error(d, s->reader.name, "is %s: JSON lines, CSV, TSV and plain text are read", other);
    s->format = format_by_line(s->held && s->size != LINE_OVER ? s->reader.buffer : "", s->options.form);
    return !s->reader.failed;
}

// Plain text has no labels; an empty file has nothing.
static bool refuse_plain(data_source *s, diag *d) {
    if (!s->held) s->size = line_reader_next(&s->reader, d);
    if (s->reader.failed) return false;
    return s->size == LINE_END ? diag_error(d, s->reader.name, "is empty: it holds no example")
                               : diag_error(d, s->reader.name,
                                            "is plain text, whose lines have no labels: JSON lines, CSV and "
                                            "TSV have");
}

data_source *data_open(const char *path, const data_options *o, diag *d) {
    data_source *s = memory_must(memory_zero(1, sizeof *s));
    s->options = *o;
    bool ok = column_check(o, d) && line_reader_open(&s->reader, path, d);
    if (ok && o->again && s->reader.size < 0) ok = keep_all(&s->reader, d);
    ok = ok && find_format(s, path, d);
    if (ok && s->format == DATA_PLAIN && o->form != DATA_TEXT) ok = refuse_plain(s, d);
    if (ok && s->format == DATA_JSON) ok = document_open(s, d);
    if (ok && (s->format == DATA_CSV || s->format == DATA_TSV)) ok = csv_open(s, d) && example_columns(s, d);
    if (ok) return s;
    data_close(s);
    return NULL;
}

void data_close(data_source *s) {
    if (!s) return;
    csv_close(&s->csv);
    line_reader_close(&s->reader);
    free(s);
}

const char *data_name(const data_source *s) {
    return s->reader.name;
}

int64_t data_bytes(const data_source *s) {
    return s->reader.bytes;
}

int64_t data_size(const data_source *s) {
    return s->reader.size;
}

// --- Examples

static bool is_space_only(const char *line, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!line[i] || !strchr(" \t\r", line[i])) return false;
    return true;
}

static void read_plain(data_source *s, data_example *e, int64_t n, arena *a) {
    if (n && s->reader.buffer[n - 1] == '\r') n--;
    e->text = (bertc_text){.text = arena_strndup(a, s->reader.buffer, (size_t)n), .size = (size_t)n};
}

// A line that is a record: JSON or plain text. False at the end.
static bool next_line(data_source *s, data_example *e, record *r, arena *a, diag *d) {
    int64_t n;
    do n = source_line(s, d);
    while (s->format == DATA_JSON && n >= 0 && is_space_only(s->reader.buffer, n));
    if (n == LINE_END) return false;
    r->line = s->reader.number;
    r->offset = s->reader.offset;
    size_t good = n < 0 ? 0 : hub_utf8_prefix(s->reader.buffer, (size_t)n);
    if (n == LINE_OVER)
        record_fail(r, a, "is longer than 64 MiB");
    else if (good < (size_t)n)
        record_fail(r, a, "is no UTF-8 from byte %zu on", good + 1);
    else if (s->format == DATA_JSON)
        json_record(r, s->reader.buffer, (size_t)n, a);
    else
        read_plain(s, e, n, a);
    return true;
}

bool data_next(data_source *s, data_example *e, arena *a, diag *d) {
    record r = {0};
    *e = (data_example){0};
    bool rows = s->format == DATA_CSV || s->format == DATA_TSV;
    if (rows ? !csv_record(s, &r, a, d) : !next_line(s, e, &r, a, d)) return false;
    e->line = r.line;
    e->offset = r.offset;
    e->error = r.error;
    if (!r.error && r.object) example_read(s, &r, e, a);
    record_free(&r);
    return true;
}

bool data_seek(data_source *s, int64_t offset, int64_t line, diag *d) {
    s->held = false;
    return line_reader_seek(&s->reader, offset, line, d);
}

bool data_at(data_source *s, int64_t offset, int64_t line, data_example *e, arena *a, diag *d) {
    return data_seek(s, offset, line, d) && data_next(s, e, a, d);
}

const char *data_printable(const char *text, arena *a) {
    size_t n = strlen(text);
    char *out = arena_alloc(a, 3 * n + 1), *to = out;
    for (size_t at = 0, step; at < n; at += step) {
        size_t valid = hub_utf8_length(text + at, n - at);
        bool control = (unsigned char)text[at] < 32 || text[at] == 127;
        step = valid ? valid : 1;
        if (control)
            *to++ = '?';
        else
            to = mempcpy(to, valid ? text + at : "\xef\xbf\xbd", valid ? valid : 3);
    }
    return out;
}

void data_report(data_source *s, const data_example *e, const char *error, diag *d) {
    char spot[512];
    snprintf(spot, sizeof spot, s->document ? "%s: example %lld" : "%s:%lld", s->reader.name,
             (long long)e->line);
    if (s->bad++ >= REPORTED) return;
    if (s->options.skip_bad)
        diag_note(d, spot, "%s", error);
    else
        diag_error(d, spot, "%s", error);
}

int64_t data_bad(const data_source *s) {
    return s->bad;
}
