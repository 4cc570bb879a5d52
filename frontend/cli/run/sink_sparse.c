#include "frontend/cli/run/sink_sparse.h"

static bool put_bound(sparse_sink *s, diag *d) {
    return npz_append(&s->file, s->bounds, &s->count, sizeof s->count, d);
}

bool sparse_sink_begin(sparse_sink *s, const char *path, int64_t width, diag *d) {
    *s = (sparse_sink){.width = width};
    npz_begin(&s->file, path);
    bool ok = (s->columns = npz_add(&s->file, "indices", "<i4", d)) &&
              (s->bounds = npz_add(&s->file, "indptr", "<i8", d)) &&
              (s->values = npz_add(&s->file, "data", "<f4", d)) && put_bound(s, d);
    if (!ok) npz_drop(&s->file);
    return ok;
}

bool sparse_sink_put(sparse_sink *s, const row *r, diag *d) {
    bool ok = true;
    int n = r->error ? 0 : r->sparse_count;
    for (int i = 0; ok && i < n; i++)
        ok = npz_append(&s->file, s->columns, &r->sparse[i].id, sizeof(int32_t), d) &&
             npz_append(&s->file, s->values, &r->sparse[i].score, sizeof(float), d);
    s->count += n;
    s->rows++;
    return ok && put_bound(s, d);
}

bool sparse_sink_end(sparse_sink *s, bool whole, diag *d) {
    npz_array *format = NULL, *shape = NULL;
    const int64_t size[2] = {s->rows, s->width};
    bool ok = whole && (format = npz_add(&s->file, "format", "|S3", d)) &&
              (shape = npz_add(&s->file, "shape", "<i8", d)) && npz_append(&s->file, format, "csr", 3, d) &&
              npz_append(&s->file, shape, size, sizeof size, d);
    if (ok) {
        s->columns->rank = s->bounds->rank = s->values->rank = shape->rank = 1;
        s->columns->shape[0] = s->values->shape[0] = s->count;
        s->bounds->shape[0] = s->rows + 1;
        shape->shape[0] = 2;
        ok = npz_end(&s->file, d);
    }
    npz_drop(&s->file);
    return ok || !whole;
}
