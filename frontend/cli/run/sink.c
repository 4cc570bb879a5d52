#include "frontend/cli/run/sink.h"

#include "frontend/cli/arrays/npy.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/files/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool broken(const sink *s, diag *d) {
    return s->path ? diag_error(d, s->path, "can't be written: %s", strerror(errno)) : flush_stdout(d);
}

static bool is_archive(const sink *s) {
    return s->kind == SINK_ROWS || s->kind == SINK_VECTORS || s->kind == SINK_SPARSE;
}

static bool grows(const sink *s) {
    return s->kind == SINK_LINES || s->kind == SINK_NPY;
}

// With room for any number of rows, so that it can be written again at the end.
static void rows_header(const sink *s, char header[NPY_HEADER]) {
    npy_header(header, "<f4", 2, (const int64_t[]){s->rows, s->width});
}

// --- Going on

// Whole lines of the file, where they end, and how many of them are errors.
static bool count_lines(sink *s, int64_t *end, diag *d) {
    static const char mark[] = "{\"error\":";
    int64_t at = 0, start = 0;
    size_t same = 0;
    for (int c; (c = getc_unlocked(s->file)) != EOF;) {
        if (at - start == (int64_t)same && same < sizeof mark - 1 && c == mark[same]) same++;
        at++;
        if (c != '\n') continue;
        s->rows++;
        if (!same)
            return diag_error(d, s->path, "--resume: line %" PRId64 " is no answer of bertc's", s->rows);
        s->failed += same == sizeof mark - 1;
        start = *end = at;
        same = 0;
    }
    return true;
}

static bool count_npy(sink *s, FILE *f, int64_t *end, diag *d) {
    char header[NPY_HEADER], there[NPY_HEADER];
    rows_header(s, header);
    size_t fixed = (size_t)((char *)memmem(header, NPY_HEADER, "'shape'", strlen("'shape'")) - header);
    char tail[32];
    struct stat st;
    int n = snprintf(tail, sizeof tail, ", %" PRId64 "), }", s->width);
    if (fstat(fileno(f), &st) != 0) return broken(s, d);
    if (st.st_size < NPY_HEADER) return true; // stopped before its first row
    if (fread(there, 1, NPY_HEADER, f) != NPY_HEADER || memcmp(there, header, fixed) != 0 ||
        !memmem(there + fixed, NPY_HEADER - fixed, tail, (size_t)n))
        return diag_error(d, s->path,
                          "--resume: holds no rows of %" PRId64 " float32 numbers as bertc writes them",
                          s->width);
    s->rows = (st.st_size - NPY_HEADER) / (s->width * 4);
    *end = NPY_HEADER + s->rows * s->width * 4;
    for (int64_t i = 0; i < s->rows; i++) {
        float first;
        if (fseeko(f, NPY_HEADER + i * s->width * 4, SEEK_SET) != 0 || fread(&first, sizeof first, 1, f) != 1)
            return broken(s, d);
        s->failed += isnan(first);
    }
    return true;
}

// Steps behind the last whole row of what a stopped run left.
static bool count_rows(sink *s, diag *d) {
    int64_t end = 0;
    if (!(s->kind == SINK_NPY ? count_npy(s, s->file, &end, d) : count_lines(s, &end, d))) return false;
    s->before = s->rows;
    return (!ferror(s->file) && ftruncate(fileno(s->file), end) == 0 &&
            fseeko(s->file, end, SEEK_SET) == 0) ||
           broken(s, d);
}

// --- Writing

static bool write_header(sink *s, diag *d) {
    char header[NPY_HEADER];
    rows_header(s, header);
    return fwrite(header, 1, NPY_HEADER, s->file) == NPY_HEADER || broken(s, d);
}

// A file under the final name is gone on with, too: it may have been moved there, or copied.
static bool open_file(sink *s, bool resume, diag *d) {
    static const char there[] = "it is there already: --resume goes on behind the rows of a stopped run; "
                                "else move it away, or remove it";
    s->file = NULL;
    if (!(grows(s) ? output_file_open_partial(&s->out, s->path, resume ? NULL : there, d)
                   : output_file_open(&s->out, s->path, d)))
        return false;
    if (s->kind == SINK_NPY && s->out.in_place) return diag_error(d, s->path, "is no regular file");
    int fd = fcntl(s->out.fd, F_DUPFD_CLOEXEC, 3);
    s->file = fd < 0 ? NULL : fdopen(fd, s->out.in_place ? "wb" : "r+b");
    if (!s->file && fd >= 0) close(fd);
    return s->file || broken(s, d);
}

// What can't be opened, or gone on with, stays as it was.
static bool give_up(sink *s, bool resume) {
    if (s->file) fclose(s->file);
    s->file = NULL;
    if (s->out.moved || !resume)
        output_file_drop(&s->out);
    else
        output_file_leave(&s->out);
    return false;
}

static bool begin_archive(sink *s, const sink_shape *shape, diag *d) {
    s->file = NULL;
    switch (s->kind) {
    case SINK_ROWS: return matrix_sink_begin(&s->matrix, s->path, s->width, shape->labels, d);
    case SINK_VECTORS: return npz_sink_begin(&s->arrays, s->path, s->width, d);
    case SINK_SPARSE: return sparse_sink_begin(&s->weights, s->path, s->width, d);
    case SINK_LINES:
    case SINK_TEXT:
    case SINK_CSV:
    case SINK_NPY: break;
    }
    return false;
}

static bool begin_rows(sink *s, diag *d) {
    if (s->kind == SINK_CSV) csv_header(s->file, &s->table);
    return s->kind != SINK_NPY || s->rows || (rewind(s->file), write_header(s, d));
}

bool sink_open(sink *s, const char *path, bool resume, const sink_shape *shape, diag *d) {
    *s = (sink){.path = path,
                .width = shape->width,
                .kind = shape->kind,
                .table = shape->table,
                .file = stdout,
                .out.fd = -1};
    if (path && resume && !grows(s)) {
        s->file = NULL;
        return diag_error(d, path, "--resume goes on with .jsonl and .npy, which grow row by row");
    }
    if (is_archive(s)) return s->begun = begin_archive(s, shape, d);
    if (path && (!open_file(s, resume, d) || (resume && !count_rows(s, d)))) return give_up(s, resume);
    return begin_rows(s, d);
}

static void put_error(sink *s, const row *r) {
    if (s->kind == SINK_CSV) {
        csv_put_failure(s->file, &s->table, r->line, &r->text, r->error);
        return;
    }
    if (s->kind == SINK_TEXT) {
        fprintf(s->file, "(no answer: %s)\t", r->error);
        fwrite(r->text.text ? r->text.text : "", 1, r->text.size, s->file);
        putc('\n', s->file);
        return;
    }
    static const char no_memory[] = "{\"error\": \"out of memory\"}\n";
    out o = {0};
    out_text(&o, "{\"error\": "); // the first key, by which --resume counts such lines
    out_quoted(&o, r->error);
    if (r->kept) out_text(&o, ", ");
    if (r->kept) out_bytes(&o, r->kept, strlen(r->kept) - 2);
    out_text(&o, "}\n");
    fwrite(o.bad ? no_memory : o.text, 1, o.bad ? strlen(no_memory) : o.size, s->file);
    out_free(&o);
}

bool sink_put(sink *s, const row *r, diag *d) {
    s->rows++;
    s->failed += r->error != NULL;
    if (s->kind == SINK_ROWS) return matrix_sink_put(&s->matrix, r, d);
    if (s->kind == SINK_VECTORS) return npz_sink_put(&s->arrays, r, d);
    if (s->kind == SINK_SPARSE) return sparse_sink_put(&s->weights, r, d);
    if (s->kind == SINK_NPY) {
        static const float nothing[1] = {NAN};
        for (int64_t i = 0; r->error && i < s->width; i++) fwrite(nothing, sizeof(float), 1, s->file);
        if (!r->error) fwrite(r->embedding, sizeof(float), (size_t)s->width, s->file);
    } else if (r->error) {
        put_error(s, r);
    } else if (s->kind != SINK_LINES) {
        fwrite(r->json, 1, r->json_size, s->file);
    } else {
        // The line's other keys stand before those of its answer.
        fprintf(s->file, "{%s%s\n", r->kept ? r->kept : "", r->json + 1);
    }
    return !ferror(s->file) || broken(s, d);
}

bool sink_flush(sink *s, diag *d) {
    return is_archive(s) || fflush(s->file) == 0 || broken(s, d);
}

// What is not whole stays for --resume; nothing is left where nothing was done.
static void leave(sink *s, bool torn, diag *d) {
    if (!s->rows || (s->out.moved && s->rows == s->before)) {
        output_file_drop(&s->out);
    } else if (torn) {
        diag_note(d, s->out.name, "holds the rows that fitted: --resume goes on behind them");
    } else {
        diag_note(d, s->out.name, "holds %" PRId64 " rows: --resume goes on behind them", s->rows);
    }
    output_file_leave(&s->out);
}

static bool end_archive(sink *s, bool whole, diag *d) {
    return s->kind == SINK_ROWS      ? matrix_sink_end(&s->matrix, whole, d)
           : s->kind == SINK_VECTORS ? npz_sink_end(&s->arrays, whole, d)
                                     : sparse_sink_end(&s->weights, whole, d);
}

bool sink_close(sink *s, bool whole, diag *d) {
    bool ok = true;
    if (!s->path) return sink_flush(s, d);
    if (is_archive(s)) return !s->begun || end_archive(s, whole, d);
    if (!s->file) return true;
    if (whole && s->kind == SINK_NPY)
        ok = fseeko(s->file, 0, SEEK_SET) == 0 ? write_header(s, d) : broken(s, d);
    if (ok && fflush(s->file) != 0) ok = broken(s, d);
    bool torn = ferror(s->file) != 0; // fewer rows than were put are there
    fclose(s->file);
    s->file = NULL;
    if (whole && ok) ok = output_file_sync(&s->out, d) && output_file_keep(&s->out, d);
    if ((!whole || !ok) && !grows(s)) output_file_drop(&s->out);
    if ((!whole || !ok) && s->out.name) leave(s, torn, d);
    output_file_leave(&s->out);
    return ok;
}
