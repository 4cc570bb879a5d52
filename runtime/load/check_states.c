// The states of a descriptor, and the table of parameters that lie in them.
#include "runtime/load/check.h"

#include <string.h>

#include "runtime/error.h"

enum { MAX_RANK = 6 };

static bool broken(const check_source *c, const char *name, const char *what) {
    return error_set(c->error, "broken descriptor: parameter `%s`: %s", name, what);
}

// Elements of the tensor; 0 where there is none of that shape.
static int64_t tensor_elements(const bertc_parameter_part *p) {
    int64_t n = 1;
    if (p->rank > MAX_RANK) return 0;
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->shape[i] < 1 || p->shape[i] > BERTC_ELEMENTS_MAX / n) return 0;
        n *= p->shape[i];
    }
    return n;
}

static bool state_fits(const bertc_descriptor *d, const bertc_parameter_part *p) {
    int64_t columns = p->packed ? (p->state_columns + 15) / 16 * 16 : p->state_columns, bytes;
    if (p->offset < 0 || p->offset % 64 || p->offset > states_bytes(d) || p->packed > 1) return false;
    if (__builtin_mul_overflow(p->state_rows, columns, &bytes) || bytes > BERTC_ELEMENTS_MAX) return false;
    return bytes * (int64_t)sizeof(float) <= states_bytes(d) - p->offset;
}

static bool within(int64_t at, int64_t n, int64_t size) {
    return size >= 1 && size <= BERTC_ELEMENTS_MAX && n >= 1 && at >= 0 && n <= size && at <= size - n;
}

static bool check_part(const check_source *c, const char *name, const bertc_parameter_part *p) {
    int64_t elements = tensor_elements(p);
    if (p->elem != BERTC_F32 && (p->elem < BERTC_F16 || p->elem > BERTC_F8_E5M2))
        return broken(c, name, "its element type");
    if (!elements) return broken(c, name, "its shape");
    if (p->zeros > 1 || (p->zeros && p->elem != BERTC_F32)) return broken(c, name, "what it begins as");
    if (!within(p->row, p->rows, p->state_rows) || !within(p->column, p->columns, p->state_columns))
        return broken(c, name, "a part outside of its state");
    if (!state_fits(&c->descriptor, p)) return broken(c, name, "a state outside of the states");
    if (p->rows > elements / p->columns || !within(p->first, p->rows * p->columns, elements) ||
        p->transposed > 1)
        return broken(c, name, "a part outside of the tensor");
    return true;
}

// Does the part begin where the one before it ends? `before`: NULL, or the row before, of a tensor called `last`.
static bool check_follows(const check_source *c, const char *last, const bertc_parameter_part *before,
                          const char *name, const bertc_parameter_part *p) {
    bool more = before && before->first + before->rows * before->columns < tensor_elements(before);
    bool again = before && !strcmp(last, name);
    if (more && !again) return broken(c, last, "a part is missing");
    if (before && before->zeros && !p->zeros)
        return broken(c, name, "it stands behind the states of training");
    if (p->first != (again ? before->first + before->rows * before->columns : 0))
        return broken(c, name, "a part is missing");
    bool same = !again || (p->elem == before->elem && p->rank == before->rank && p->zeros == before->zeros &&
                           !memcmp(p->shape, before->shape, sizeof p->shape));
    return same || broken(c, name, "it has two shapes");
}

bool check_states(const check_source *c) {
    const bertc_descriptor *d = &c->descriptor;
    if (d->state_bytes < 0 || d->state_bytes % 64 || d->state_bytes > d->weights_bytes || d->updates > 1 ||
        d->zero_bytes < 0 || d->zero_bytes % 64 || d->zero_bytes > INT64_MAX / 4)
        return error_set(c->error, "broken descriptor: the states");
    if (d->parameter_count > BERTC_PARTS_MAX)
        return error_set(c->error, "broken descriptor: %u parameters", d->parameter_count);
    if (!d->parameter_count) return true;
    const void *rows = check_array(c, d->parameters, d->parameter_count, BERTC_ROW_PARAMETER, "parameters");
    bertc_parameter_part p, before;
    const char *name, *last = NULL;
    for (uint32_t i = 0; rows && i < d->parameter_count; i++, last = name, before = p) {
        check_entry(c, BERTC_ROW_PARAMETER, rows, i, &p);
        name = check_string(c, p.name, "a parameter's name");
        if (!name || !check_part(c, name, &p)) return false;
        if (!check_follows(c, last, i ? &before : NULL, name, &p)) return false;
    }
    if (!rows) return false;
    bool whole = before.first + before.rows * before.columns == tensor_elements(&before);
    return whole || broken(c, last, "a part is missing");
}
