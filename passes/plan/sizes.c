// The sizes of a variant: how many tokens and texts a call may have.
#include <inttypes.h>

#include "passes/plan/plan.h"

static bool capacity_fits(int64_t length, int64_t batch, diag *d, int64_t *tokens) {
    if (length < 1 || batch < 1 || __builtin_mul_overflow(length, batch, tokens) || *tokens > INT32_MAX / 2)
        return diag_error(d, "variant", "length %" PRId64 " x batch %" PRId64 " is out of range", length,
                          batch);
    return true;
}

// Texts of a call: each may have one token alone. Where a text's result is wide (the vocabulary), as many as have
// 16 tokens each, so that results take no more memory than such texts' own.
#define WIDE_ROW_BYTES   32768
#define WIDE_TEXT_TOKENS 16
static int64_t most_sequences(const graph *g, int64_t batch, int64_t tokens) {
    bool wide = false;
    for (value v = 0; v < g->count; v++) {
        const type *t = graph_type(g, v);
        wide = wide || (t->rank == 2 && dim_eq(t->d[0], dim_sym(SYM_S)) && t->d[1].s == SYM_NONE &&
                        elem_bytes(t->e, t->d[1].n) > WIDE_ROW_BYTES);
    }
    int64_t few = (tokens + WIDE_TEXT_TOKENS - 1) / WIDE_TEXT_TOKENS;
    return !wide ? tokens : few < batch ? batch : few;
}

// That of f32 by f32; where a product is made of AMX's tiles, the rows of one of them.
static int32_t row_tile(const target *t, const target_product *f32) {
    return target_has_tiles(t) ? (int32_t)round_up(16, f32->rows) : f32->rows;
}

bool plan_sizes(const graph *g, const target *t, int64_t length, int64_t batch, diag *d, variant *out) {
    const target_product *f32 = target_product_find(t, ELEM_F32, ELEM_F32);
    int64_t tokens = 0;
    if (!capacity_fits(length, batch, d, &tokens)) return false;
    if (!f32) return diag_error(d, "schedule", "the target has no product of f32 by f32");
    *out = (variant){.length = length,
                     .tokens = tokens,
                     .sequences = most_sequences(g, batch, tokens),
                     .row_tile = row_tile(t, f32)};
    return true;
}
