#include "frontend/cli/search/stored.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/hub/hub.h"

// Is it float32, of `rank` axes?
static bool check_floats(const stored *s, const char *name, const npy_array *a, int rank, diag *d) {
    char text[160];
    if (a->kind == 'f' && a->element == 4 && a->rank == rank) return true;
    return diag_error(d, s->path, "%s%sis %s, where float32 with %s is searched", name, *name ? " " : "",
                      npy_describe(a, text, sizeof text), rank == 1 ? "one axis" : "two axes");
}

static bool check_integers(const stored *s, const char *name, const npy_array *a, diag *d) {
    char text[160];
    if (a->kind == 'i' && a->element >= 4 && a->rank == 1) return true;
    return diag_error(d, s->path, "%s is %s, where int32 or int64 with one axis is read", name,
                      npy_describe(a, text, sizeof text));
}

int64_t stored_bound(const stored *s, int64_t row) {
    if (s->bounds.element == 8) {
        int64_t x;
        memcpy(&x, s->bounds.data + row * 8, sizeof x);
        return x;
    }
    int32_t x;
    memcpy(&x, s->bounds.data + row * 4, sizeof x);
    return x;
}

// They begin at 0, never fall, and end at `all`.
static bool check_bounds(stored *s, const char *name, int64_t rows, int64_t all, diag *d) {
    if ((int64_t)s->bounds.count != rows + 1)
        return diag_error(d, s->path,
                          "%s has %zu numbers for %" PRId64 " rows, where one more than rows is read", name,
                          s->bounds.count, rows);
    int64_t before = stored_bound(s, 0);
    if (before != 0) return diag_error(d, s->path, "%s begins with %" PRId64 ", not 0", name, before);
    for (int64_t i = 1; i <= rows; i++) {
        int64_t x = stored_bound(s, i);
        if (x < before || x > all)
            return diag_error(d, s->path,
                              "%s[%" PRId64 "] is %" PRId64 ", which is no place between %" PRId64
                              " and %" PRId64,
                              name, i, x, before, all);
        before = x;
    }
    return before == all ||
           diag_error(d, s->path, "%s ends with %" PRId64 ", not %" PRId64, name, before, all);
}

// `name`: of the array in an .npz; NULL: the file is an .npy.
static bool open_dense(stored *s, const char *name, diag *d) {
    bool read = name ? npz_read(&s->file, name, &s->values, d)
                     : npy_read(s->file.file.data, s->file.file.size, s->path, &s->values, d);
    if (!read || !check_floats(s, name ? name : "", &s->values, 2, d)) return false;
    s->kind = STORED_DENSE;
    s->rows = s->values.shape[0];
    s->width = s->values.shape[1];
    return true;
}

// b"csr", as scipy writes it; text of numpy's own has four bytes a character.
static bool is_csr(const npy_array *a) {
    if (a->kind == 'S') return a->count == 1 && a->element == 3 && !memcmp(a->data, "csr", 3);
    return a->kind == 'U' && a->count == 1 && a->element == 12 &&
           !memcmp(a->data, "c\0\0\0s\0\0\0r\0\0\0", 12);
}

static bool open_sparse(stored *s, diag *d) {
    npy_array shape, format;
    if (!npz_read(&s->file, "format", &format, d) || !npz_read(&s->file, "shape", &shape, d) ||
        !npz_read(&s->file, "data", &s->values, d) || !npz_read(&s->file, "indices", &s->columns, d) ||
        !npz_read(&s->file, "indptr", &s->bounds, d))
        return false;
    if (!is_csr(&format))
        return diag_error(d, s->path, "is a sparse matrix of another form than csr: write its .tocsr()");
    if (!check_integers(s, "shape", &shape, d) || !check_floats(s, "data", &s->values, 1, d) ||
        !check_integers(s, "indices", &s->columns, d) || !check_integers(s, "indptr", &s->bounds, d))
        return false;
    if (shape.count != 2 || npy_integer(&shape, 0) < 0 || npy_integer(&shape, 1) < 0)
        return diag_error(d, s->path, "its shape is none of a matrix");
    s->kind = STORED_SPARSE;
    s->rows = npy_integer(&shape, 0);
    s->width = npy_integer(&shape, 1);
    if (s->columns.count != s->values.count)
        return diag_error(d, s->path, "indices has %zu numbers, and data %zu", s->columns.count,
                          s->values.count);
    return check_bounds(s, "indptr", s->rows, (int64_t)s->values.count, d);
}

static bool open_several(stored *s, diag *d) {
    if (!npz_read(&s->file, "vectors", &s->values, d) || !npz_read(&s->file, "bounds", &s->bounds, d) ||
        !check_floats(s, "vectors", &s->values, 2, d) || !check_integers(s, "bounds", &s->bounds, d))
        return false;
    if (!s->bounds.count) return diag_error(d, s->path, "bounds is empty");
    s->kind = STORED_SEVERAL;
    s->rows = (int64_t)s->bounds.count - 1;
    s->width = s->values.shape[1];
    return check_bounds(s, "bounds", s->rows, s->values.shape[0], d);
}

static bool open_arrays(stored *s, diag *d) {
    if (!zip_read(s->file.file.data, s->file.file.size, s->path, s->file.arena, &s->file.index, d))
        return false;
    if (npz_has(&s->file, "embeddings")) return open_dense(s, "embeddings", d);
    if (npz_has(&s->file, "vectors")) return open_several(s, d);
    if (npz_has(&s->file, "indptr") || npz_has(&s->file, "format")) return open_sparse(s, d);
    return diag_error(d, s->path,
                      "holds neither embeddings nor a sparse matrix (indptr, indices, data, shape, format) "
                      "nor vectors and bounds");
}

bool stored_open(stored *s, const char *path, diag *d) {
    *s = (stored){.path = path, .file.arena = arena_new()};
    if (!hub_file_map(path, &s->file.file, d)) return false;
    bool zip = zip_starts(s->file.file.data, s->file.file.size);
    if (!zip && (s->file.file.size < 6 || memcmp(s->file.file.data, "\x93NUMPY", 6) != 0)) {
        const char *kind = hub_file_kind(path);
        return diag_error(
            d, path,
            "is %s, where vectors as .npy or .npz are searched (bertc run MODEL --input FILE -o vectors.npy)",
            kind ? kind : "no array of numpy's");
    }
    return zip ? open_arrays(s, d) : open_dense(s, NULL, d);
}

void stored_close(stored *s) {
    npz_close(&s->file);
}

const char *stored_describe(const stored *s, char *buf, size_t size) {
    const char *what = s->kind == STORED_DENSE    ? "dense vectors of"
                       : s->kind == STORED_SPARSE ? "sparse vectors of"
                                                  : "a vector per token, of";
    snprintf(buf, size, "%s %" PRId64 " numbers", what, s->width);
    return buf;
}
