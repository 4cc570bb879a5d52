// Recipes and a checkpoint: looks up the tensors that recipes name, and hashes recipes with their tensors'
// bytes.
#include "ir/recipe_parts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool recipe_find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d) {
    char place[256], want[96], has[96];
    snprintf(place, sizeof(place), "tensor \"%s\"", r->tensor);
    if (!source || !source->find(source->context, r->tensor, t)) {
        return diag_error(d, place, "is not in the checkpoint");
    }
    type found = recipe_type(t->e, t->rank, t->shape);
    if (type_eq(&found, &r->type)) return true;
    return diag_error(d, place, "is %s in the checkpoint, not %s", type_print(&found, has, sizeof(has)),
                      type_print(&r->type, want, sizeof(want)));
}

#define BLOCK 256

bool tensor_is_finite(const tensor_view *t) {
    float block[BLOCK];
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        elem_convert(t->e, (const char *)t->data + (size_t)i * elem_size(t->e), ELEM_F32, block, m);
        for (int64_t k = 0; k < m; k++)
            if (!isfinite(block[k])) return false;
    }
    return true;
}

// --- Hash

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static uint64_t mix_bytes(uint64_t h, const void *data, size_t size) {
    const unsigned char *p = data;
    uint64_t word;
    h = mix(h, size);
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        h = mix(h, word);
    }
    word = 0;
    memcpy(&word, p, size);
    return mix(h, word);
}

// What hashes take for an element type: texts that hold a hash outlive changes of the enum.
static uint64_t elem_code(elem e) {
    static const unsigned char codes[] = {
        [ELEM_F32] = 0, [ELEM_F16] = 1, [ELEM_BF16] = 2,    [ELEM_I32] = 3,
        [ELEM_I1] = 4,  [ELEM_F64] = 5, [ELEM_F8_E4M3] = 6, [ELEM_F8_E5M2] = 7,
        [ELEM_I8] = 8,  [ELEM_U8] = 9,  [ELEM_I4] = 10,
    };
    static_assert(sizeof(codes) == ELEM_COUNT, "a code an element type");
    return codes[e];
}

static bool hash_into(uint64_t *h, const recipe *r, const tensor_source *source, diag *d) {
    uint64_t scale;
    memcpy(&scale, &r->scale, sizeof(scale));
    *h = mix(mix(mix(*h, (uint64_t)r->kind), (uint64_t)r->axis), scale);
    *h = mix(*h, (uint64_t)r->begin);
    *h = mix(mix(*h, elem_code(r->type.e)), (uint64_t)r->type.rank);
    for (int i = 0; i < r->type.rank; i++) *h = mix(*h, (uint64_t)r->type.d[i].n);
    if (r->kind == RECIPE_TENSOR) {
        tensor_view t;
        if (!recipe_find_tensor(r, source, &t, d)) return false;
        *h = mix_bytes(mix_bytes(*h, r->tensor, strlen(r->tensor)), t.data, recipe_bytes(r));
    }
    if (r->kind == RECIPE_NUMBERS) *h = mix_bytes(*h, r->numbers, recipe_bytes(r));
    if (r->kind == RECIPE_ZEROS) *h = mix_bytes(*h, r->tensor, strlen(r->tensor));
    for (int i = 0; i < r->part_count; i++) {
        if (!hash_into(h, r->parts[i], source, d)) return false;
    }
    return true;
}

bool recipe_hash(const recipe *r, const tensor_source *source, uint64_t *hash, diag *d) {
    *hash = 0x6265727463ull;
    return hash_into(hash, r, source, d);
}
