#include "frontend/cli/run/sink_npz.h"

bool npz_sink_begin(npz_sink *s, const char *path, int64_t width, diag *d) {
    const int64_t first = 0;
    *s = (npz_sink){.width = width};
    npz_begin(&s->file, path);
    s->vectors = npz_add(&s->file, "vectors", "<f4", d);
    s->bounds = s->vectors ? npz_add(&s->file, "bounds", "<i8", d) : NULL;
    if (s->bounds && npz_append(&s->file, s->bounds, &first, sizeof first, d)) return true;
    npz_drop(&s->file);
    return false;
}

bool npz_sink_put(npz_sink *s, const row *r, diag *d) {
    size_t bytes = r->error ? 0 : (size_t)r->rows * (size_t)s->width * sizeof(float);
    if (!r->error) s->rows += r->rows;
    s->texts++;
    return (!bytes || npz_append(&s->file, s->vectors, r->embedding, bytes, d)) &&
           npz_append(&s->file, s->bounds, &s->rows, sizeof s->rows, d);
}

bool npz_sink_end(npz_sink *s, bool whole, diag *d) {
    s->vectors->rank = 2;
    s->vectors->shape[0] = s->rows;
    s->vectors->shape[1] = s->width;
    s->bounds->rank = 1;
    s->bounds->shape[0] = s->texts + 1;
    bool ok = !whole || npz_end(&s->file, d);
    npz_drop(&s->file);
    return ok;
}
