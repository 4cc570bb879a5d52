// Parts of one run as one file: lines one behind the other (of a table with a header that once), rows of an array, or arrays of an .npz.
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/arrays/npz.h"
#include "frontend/cli/run/format.h"
#include "frontend/cli/run/shard.h"
#include "ir/output_file.h"

// --- Lines

static size_t header_bytes(const hub_file *f) {
    const char *end = memchr(f->data, '\n', f->size);
    return end ? (size_t)(end + 1 - (const char *)f->data) : f->size;
}

static bool append_lines(output_file *out, const manifest *m, bool skips_header, diag *d) {
    hub_file f = {0};
    bool ok = hub_file_map(m->part, &f, d);
    size_t from = ok && skips_header ? header_bytes(&f) : 0;
    ok = ok && output_file_write(out, f.data + from, f.size - from, d);
    hub_file_unmap(&f);
    return ok;
}

static bool join_lines(const char *output, const manifest *parts, int count, bool header, diag *d) {
    output_file out;
    bool ok = output_file_open(&out, output, d);
    for (int i = 0; ok && i < count; i++) ok = append_lines(&out, &parts[i], i && header, d);
    ok = ok && output_file_sync(&out, d) && output_file_keep(&out, d);
    if (!ok) output_file_drop(&out);
    return ok;
}

// --- Rows of an array

typedef struct part_array {
    hub_file file;
    npy_array rows;
} part_array;

static bool open_array(part_array *p, const manifest *m, int64_t width, diag *d) {
    *p = (part_array){0};
    if (!hub_file_map(m->part, &p->file, d) || !npy_read(p->file.data, p->file.size, m->part, &p->rows, d))
        return false;
    const npy_array *a = &p->rows;
    if (a->kind != 'f' || a->element != 4 || a->rank != 2 || a->shape[0] != m->lines ||
        (width >= 0 && a->shape[1] != width))
        return diag_error(d, m->part, "does not hold a row of float32 for each of its %" PRId64 " lines",
                          m->lines);
    return true;
}

static bool append_rows(output_file *out, const manifest *parts, int count, diag *d) {
    int64_t width = -1;
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        part_array p;
        ok = open_array(&p, &parts[i], width, d);
        if (ok && width < 0) {
            char header[NPY_HEADER];
            width = p.rows.shape[1];
            npy_header(header, "<f4", 2, (const int64_t[]){parts[0].whole.lines, width});
            ok = output_file_write(out, header, sizeof header, d);
        }
        ok = ok && output_file_write(out, p.rows.data, p.rows.count * sizeof(float), d);
        hub_file_unmap(&p.file);
    }
    return ok;
}

static bool join_arrays(const char *output, const manifest *parts, int count, diag *d) {
    output_file out;
    bool ok = output_file_open(&out, output, d) && append_rows(&out, parts, count, d) &&
              output_file_sync(&out, d) && output_file_keep(&out, d);
    if (!ok) output_file_drop(&out);
    return ok;
}

// --- Arrays of an .npz

// Sparse rows as scipy has them, or vectors of tokens: bounds of rows in arrays that grow.
typedef struct joined {
    npz_writer out;
    const char *bounds;              // "indptr", "bounds"
    const char *names[2], *types[2]; // of what they are bounds of
    int arrays, rank;                // of these
    npz_array *to[2], *to_bounds;
    int64_t sum, rows, width;
} joined;

static bool append_bounds(joined *j, const npy_array *b, const manifest *m, diag *d) {
    if (b->kind != 'i' || b->element != 8 || b->rank != 1 || b->shape[0] != m->lines + 1 ||
        npy_integer(b, 0) != 0)
        return diag_error(d, m->part, "'%s' does not hold a bound for each of its %" PRId64 " lines",
                          j->bounds, m->lines);
    for (int64_t i = 1; i <= m->lines; i++) {
        int64_t v = npy_integer(b, (size_t)i) + j->sum;
        if (!npz_append(&j->out, j->to_bounds, &v, sizeof v, d)) return false;
    }
    j->sum += npy_integer(b, (size_t)m->lines);
    return true;
}

static bool append_elements(joined *j, const npz_file *in, const manifest *m, int64_t rows, diag *d) {
    for (int i = 0; i < j->arrays; i++) {
        npy_array a;
        if (!npz_read(in, j->names[i], &a, d)) return false;
        int64_t width = j->rank > 1 && a.rank > 1 ? a.shape[1] : 1;
        if (a.rank != j->rank || a.element != 4 || a.shape[0] != rows ||
            (j->rank > 1 && j->width >= 0 && j->width != width))
            return diag_error(d, m->part, "'%s' does not hold what '%s' says", j->names[i], j->bounds);
        if (j->rank > 1) j->width = width;
        if (a.count && !npz_append(&j->out, j->to[i], a.data, a.count * 4, d)) return false;
    }
    return true;
}

static bool append_shape(joined *j, const npz_file *in, const manifest *m, diag *d) {
    npy_array a;
    if (j->rank > 1) return true;
    if (!npz_read(in, "shape", &a, d)) return false;
    if (a.kind != 'i' || a.rank != 1 || a.shape[0] != 2 || npy_integer(&a, 0) != m->lines ||
        (j->width >= 0 && j->width != npy_integer(&a, 1)))
        return diag_error(d, m->part, "'shape' is not that of its %" PRId64 " lines", m->lines);
    j->width = npy_integer(&a, 1);
    return true;
}

static bool append_part(joined *j, const manifest *m, diag *d) {
    npz_file in;
    npy_array bounds;
    int64_t before = j->sum;
    bool ok = npz_open(&in, m->part, d) && npz_read(&in, j->bounds, &bounds, d) &&
              append_bounds(j, &bounds, m, d) && append_elements(j, &in, m, j->sum - before, d) &&
              append_shape(j, &in, m, d);
    npz_close(&in);
    return ok;
}

static bool end_joined(joined *j, int64_t lines, diag *d) {
    const int64_t size[2] = {lines, j->width};
    j->to_bounds->rank = 1;
    j->to_bounds->shape[0] = lines + 1;
    for (int i = 0; i < j->arrays; i++) {
        j->to[i]->rank = j->rank;
        j->to[i]->shape[0] = j->sum;
        j->to[i]->shape[1] = j->width;
    }
    if (j->rank == 1) {
        npz_array *format = npz_add(&j->out, "format", "|S3", d),
                  *shape = format ? npz_add(&j->out, "shape", "<i8", d) : NULL;
        if (!shape || !npz_append(&j->out, format, "csr", 3, d) ||
            !npz_append(&j->out, shape, size, sizeof size, d))
            return false;
        shape->rank = 1;
        shape->shape[0] = 2;
    }
    return npz_end(&j->out, d);
}

// In the order in which one process writes them.
static bool begin_joined(joined *j, diag *d) {
    const int64_t zero = 0;
    bool ok = (j->to[0] = npz_add(&j->out, j->names[0], j->types[0], d)) &&
              (j->to_bounds = npz_add(&j->out, j->bounds, "<i8", d));
    if (ok && j->arrays > 1) ok = (j->to[1] = npz_add(&j->out, j->names[1], j->types[1], d)) != NULL;
    return ok && npz_append(&j->out, j->to_bounds, &zero, sizeof zero, d);
}

// Rows of a matrix, embeddings or scores of labels, of which all parts have the same.
typedef struct joined_matrix {
    npz_writer out;
    const char *name;
    npz_array *rows, *labels;
    char descr[24];
    int64_t count, width;
    npy_array first; // labels of the first part, which stays open
} joined_matrix;

static bool begin_matrix(joined_matrix *j, const npz_file *in, const char *path, diag *d) {
    j->name = npz_has(in, "embeddings") ? "embeddings" : "scores";
    if (!(j->rows = npz_add(&j->out, j->name, "<f4", d))) return false;
    j->rows->rank = 2;
    if (!npz_has(in, "labels")) return true;
    if (!npz_read(in, "labels", &j->first, d)) return false;
    if (j->first.kind != 'U' || j->first.rank != 1)
        return diag_error(d, path, "'labels' is no list of names");
    snprintf(j->descr, sizeof j->descr, "<U%d", j->first.element / 4);
    j->labels = npz_add(&j->out, "labels", j->descr, d);
    if (!j->labels) return false;
    j->labels->rank = 1;
    j->labels->shape[0] = j->first.shape[0];
    return npz_append(&j->out, j->labels, j->first.data, j->first.count * (size_t)j->first.element, d);
}

static bool append_matrix(joined_matrix *j, const npz_file *in, const manifest *m, diag *d) {
    npy_array a, labels;
    if (!npz_read(in, j->name, &a, d)) return false;
    if (a.kind != 'f' || a.element != 4 || a.rank != 2 || a.shape[0] != m->lines ||
        (j->width >= 0 && a.shape[1] != j->width))
        return diag_error(d, m->part, "'%s' does not hold a row of float32 for each of its %" PRId64 " lines",
                          j->name, m->lines);
    if (j->labels) {
        if (!npz_read(in, "labels", &labels, d)) return false;
        size_t bytes = j->first.count * (size_t)j->first.element;
        if (labels.count * (size_t)labels.element != bytes ||
            (bytes && memcmp(labels.data, j->first.data, bytes) != 0))
            return diag_error(d, m->part, "'labels' are others than those of the first part");
    }
    j->width = a.shape[1];
    j->count += a.shape[0];
    return !a.count || npz_append(&j->out, j->rows, a.data, a.count * sizeof(float), d);
}

static bool join_matrix(const char *output, const npz_file *first, const manifest *parts, int count,
                        diag *d) {
    joined_matrix j = {.width = -1};
    npz_begin(&j.out, output);
    bool ok = begin_matrix(&j, first, parts[0].part, d);
    for (int i = 0; ok && i < count; i++) {
        npz_file in;
        ok = npz_open(&in, parts[i].part, d) && append_matrix(&j, &in, &parts[i], d);
        npz_close(&in);
    }
    if (ok) {
        j.rows->shape[0] = j.count;
        j.rows->shape[1] = j.width;
        ok = npz_end(&j.out, d);
    }
    npz_drop(&j.out);
    return ok;
}

static bool join_bounds(const char *output, joined *j, const manifest *parts, int count, diag *d) {
    j->width = -1;
    npz_begin(&j->out, output);
    bool ok = begin_joined(j, d);
    for (int i = 0; ok && i < count; i++) ok = append_part(j, &parts[i], d);
    ok = ok && end_joined(j, parts[0].whole.lines, d);
    npz_drop(&j->out);
    return ok;
}

static bool join_npz(const char *output, const manifest *parts, int count, diag *d) {
    npz_file first;
    joined sparse = {
        .bounds = "indptr", .names = {"indices", "data"}, .types = {"<i4", "<f4"}, .arrays = 2, .rank = 1};
    joined vectors = {.bounds = "bounds", .names = {"vectors"}, .types = {"<f4"}, .arrays = 1, .rank = 2};
    bool ok = npz_open(&first, parts[0].part, d);
    if (ok && (npz_has(&first, "embeddings") || npz_has(&first, "scores")))
        ok = join_matrix(output, &first, parts, count, d);
    else if (ok)
        ok = join_bounds(output, npz_has(&first, "indptr") ? &sparse : &vectors, parts, count, d);
    npz_close(&first);
    return ok;
}

// What --format said when the part was made, or else its ending.
static answer_format format_of_part(const manifest *m) {
    answer_format f;
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(m->whole.options, "--format");
    if (cJSON_IsString(said) && format_find(said->valuestring, &f)) return f;
    f = format_of_path(m->part);
    return f ? f : FORMAT_JSONL;
}

bool join_parts(const char *output, answer_format said, const manifest *parts, int count, diag *d) {
    answer_format f = format_of_part(&parts[0]), wanted = said ? said : format_of_path(output);
    for (int i = 0; i < count; i++)
        if (format_of_part(&parts[i]) != f || (wanted && wanted != f))
            return diag_error(d, output, "is another kind of file than its part %s", parts[i].part);
    if (f == FORMAT_NPZ) return join_npz(output, parts, count, d);
    return f == FORMAT_NPY ? join_arrays(output, parts, count, d)
                           : join_lines(output, parts, count, f == FORMAT_CSV, d);
}
