// NaN and infinity in what a checkpoint holds: which tensors, how many elements, and where.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/output/artefact.h"

// Without branches, so that they run at the speed of the memory.
static bool words_finite(const uint32_t *x, size_t n) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (x[i] & 0x7f800000u) == 0x7f800000u;
    return !bad;
}

static bool halves_finite(const uint16_t *x, size_t n, uint16_t exponent) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (x[i] & exponent) == exponent;
    return !bad;
}

static bool all_finite(elem e, const void *data, size_t n) {
    switch (e) {
    case ELEM_F32: return words_finite(data, n);
    case ELEM_F16: return halves_finite(data, n, 0x7c00);
    case ELEM_BF16: return halves_finite(data, n, 0x7f80);
    case ELEM_I32:
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4:
    case ELEM_I1:
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break; // of values of a graph, always finite
    }
    return true;
}

// --- One tensor

#define BLOCK 256

typedef struct unfinite {
    int64_t count, first; // elements that are not finite, and the index of the first
} unfinite;

static unfinite look_at(const tensor_view *t, int64_t n) {
    unfinite u = {0, 0};
    float block[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        elem_convert(t->e, (const char *)t->data + (size_t)i * elem_size(t->e), ELEM_F32, block, m);
        for (int64_t k = 0; k < m; k++)
            if (!isfinite(block[k]) && !u.count++) u.first = i + k;
    }
    return u;
}

// "[0,17]"
static void print_index(const tensor_view *t, int64_t at, char *out, size_t size) {
    int64_t index[IR_MAX_RANK];
    size_t n = 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        index[i] = at % t->shape[i];
        at /= t->shape[i];
    }
    for (int i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, i ? "," : "[", index[i]);
    if (n < size) snprintf(out + n, size - n, t->rank ? "]" : "[]");
}

static bool note_tensor(const char *name, const tensor_source *source, diag *d) {
    tensor_view t;
    char where[256], index[160];
    int64_t n = 1;
    if (!source || !source->find(source->context, name, &t)) return false;
    for (int i = 0; i < t.rank; i++) n *= t.shape[i];
    unfinite u = look_at(&t, n);
    if (!u.count) return false;
    snprintf(where, sizeof where, "tensor \"%.200s\"", name);
    print_index(&t, u.first, index, sizeof index);
    diag_note(d, where, "holds NaN or infinity: %" PRId64 " of %" PRId64 " elements, the first at %s",
              u.count, n, index);
    return true;
}

// --- A constant

static bool note_parts(const recipe *r, const tensor_source *source, diag *d) {
    bool any = r->kind == RECIPE_TENSOR && note_tensor(r->tensor, source, d);
    for (int i = 0; i < r->part_count; i++) any |= note_parts(r->parts[i], source, d);
    return any;
}

bool unfinite_note(const node *constant, const void *data, size_t bytes, const tensor_source *source,
                   diag *d) {
    const attr *r = node_attr(constant, ATTR_recipe);
    elem e = constant->type.e;
    if (all_finite(e, data, bytes / elem_size(e))) return false;
    if (!r || !note_parts(r->u.recipe, source, d))
        diag_note(d, NULL, "the weights %s hold NaN or infinity, which the checkpoint's tensors don't",
                  constant->name ? constant->name : "without a name");
    return true;
}
