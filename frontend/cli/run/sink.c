#include "frontend/cli/run/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"

#define NPY_HEADER 128 // room for any number of rows, so that it can be written again at the end

static bool broken(const sink *s, diag *d) {
    return diag_error(d, s->path ? s->path : "standard output", "can't be written: %s", strerror(errno));
}

bool sink_is_npy(const char *path) {
    return path && ends_with(path, ".npy");
}

// Version 1.0: magic, length of the header (little-endian), a Python literal padded with spaces.
static void npy_header(const sink *s, char out[NPY_HEADER + 1]) {
    char text[NPY_HEADER];
    int n = snprintf(text, sizeof text,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }",
                     s->rows, s->width);
    memset(out, ' ', NPY_HEADER);
    memcpy(out, "\x93NUMPY\x01", 7);
    out[7] = 0;
    out[8] = NPY_HEADER - 10;
    out[9] = 0;
    memcpy(out + 10, text, (size_t)n);
    out[NPY_HEADER - 1] = '\n';
    out[NPY_HEADER] = 0;
}

// --- Going on

// Whole lines of a file, where they end, and how many of them are errors.
static int64_t count_lines(FILE *f, int64_t *end, int64_t *failed) {
    static const char mark[] = "{\"error\":";
    int64_t lines = 0, at = 0, start = 0;
    size_t same = 0;
    for (int c; (c = getc_unlocked(f)) != EOF;) {
        if (at - start == (int64_t)same && same < sizeof mark - 1 && c == mark[same]) same++;
        at++;
        if (c != '\n') continue;
        lines++;
        *failed += same == sizeof mark - 1;
        start = *end = at;
        same = 0;
    }
    return lines;
}

static bool count_npy(sink *s, FILE *f, int64_t *end, diag *d) {
    char header[NPY_HEADER + 1], there[NPY_HEADER];
    const char *shape = strstr((npy_header(s, header), header + 10), "'shape'");
    size_t fixed = (size_t)(shape - header);
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

static bool count_rows(sink *s, diag *d) {
    int64_t end = 0;
    if (s->npy && !count_npy(s, s->file, &end, d)) return false;
    if (!s->npy) s->rows = count_lines(s->file, &end, &s->failed);
    s->before = s->rows;
    return (!ferror(s->file) && ftruncate(fileno(s->file), end) == 0 &&
            fseeko(s->file, end, SEEK_SET) == 0) ||
           broken(s, d);
}

// Opens what a stopped run left, at the end of its last whole row. A file under the final name is taken too:
// it may have been moved there, or copied. What can't be gone on with stays as it was.
static bool open_again(sink *s, diag *d) {
    s->file = fopen(s->partial, "r+b");
    if (!s->file && errno == ENOENT) {
        s->moved = rename(s->real, s->partial) == 0;
        if (!s->moved && errno != ENOENT) return broken(s, d);
        s->file = fopen(s->partial, "r+b");
    }
    if (!s->file) return errno == ENOENT || broken(s, d);
    if (count_rows(s, d)) return true;
    fclose(s->file);
    s->file = NULL;
    if (s->moved) rename(s->partial, s->real);
    return false;
}

// --- Writing

static bool write_header(sink *s, diag *d) {
    char header[NPY_HEADER + 1];
    npy_header(s, header);
    return fwrite(header, 1, NPY_HEADER, s->file) == NPY_HEADER || broken(s, d);
}

bool sink_open(sink *s, const char *path, bool resume, int64_t width, diag *d) {
    struct stat st;
    *s = (sink){.path = path, .width = width, .npy = sink_is_npy(path), .file = stdout};
    if (!path) return true;
    s->file = NULL;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) {
        s->real = memory_realpath(path);
        if (!s->real) s->real = memory_strdup(path);
        s->partial = s->real ? memory_alloc(strlen(s->real) + sizeof ".partial", 1) : NULL;
        if (!s->partial) return diag_error(d, path, "out of memory");
        sprintf(s->partial, "%s.partial", s->real);
    } else if (resume || s->npy) {
        return diag_error(d, path, "is no regular file");
    }
    if (resume && !open_again(s, d)) return false;
    if (!s->file) s->file = fopen(s->partial ? s->partial : path, "wb");
    if (!s->file) return broken(s, d);
    return !s->npy || s->rows || (rewind(s->file), write_header(s, d));
}

static void put_error(sink *s, const char *why) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "error", why);
    char *text = cJSON_PrintUnformatted(o);
    fprintf(s->file, "%s\n", text ? text : "{\"error\":\"out of memory\"}");
    cJSON_free(text);
    cJSON_Delete(o);
}

bool sink_put(sink *s, const row *r, diag *d) {
    s->rows++;
    s->failed += r->error != NULL;
    if (s->npy) {
        static const float nothing[1] = {NAN};
        for (int64_t i = 0; r->error && i < s->width; i++) fwrite(nothing, sizeof(float), 1, s->file);
        if (!r->error) fwrite(r->embedding, sizeof(float), (size_t)s->width, s->file);
    } else if (r->error) {
        put_error(s, r->error);
    } else {
        fputs(r->json, s->file);
        putc('\n', s->file);
    }
    return !ferror(s->file) || broken(s, d);
}

bool sink_flush(sink *s, diag *d) {
    return fflush(s->file) == 0 || broken(s, d);
}

bool sink_close(sink *s, bool whole, diag *d) {
    bool ok = true;
    if (!s->path) return sink_flush(s, d);
    if (s->file && whole && s->npy)
        ok = fseeko(s->file, 0, SEEK_SET) == 0 ? write_header(s, d) : broken(s, d);
    if (s->file && ok && (fflush(s->file) != 0 || (whole && s->partial && fsync(fileno(s->file)) != 0)))
        ok = broken(s, d);
    bool torn = s->file && ferror(s->file) != 0; // fewer rows than were put are there
    if (s->file) fclose(s->file);
    if (s->file && s->partial) {
        if (whole && ok) ok = rename(s->partial, s->real) == 0 || broken(s, d);
        bool same = !whole && s->moved && s->rows == s->before; // nothing was done
        if (same) rename(s->partial, s->real);
        if (!whole && !s->rows && !same) unlink(s->partial);
        if ((!whole || !ok) && s->rows && !same && torn)
            diag_note(d, s->partial, "holds the rows that fitted: --resume goes on behind them");
        else if ((!whole || !ok) && s->rows && !same)
            diag_note(d, s->partial, "holds %" PRId64 " rows: --resume goes on behind them", s->rows);
    }
    free(s->partial);
    free(s->real);
    s->partial = s->real = NULL;
    s->file = NULL;
    return ok;
}
