// random: Philox's words by the place of each element (ir/philox.h), a vector at a time. The four words of a counter are
// computed where one of them is asked for: no state passes from one vector, task or thread to another.
#include "backend/loop_nest/loop_nest.h"

#include "ir/philox.h"

typedef struct stream {
    emit *e;
    int width;
    LLVMTypeRef word, wide; // of a vector: i32, i64
} stream;

static LLVMValueRef number(const stream *s, uint32_t x) {
    LLVMValueRef k = LLVMConstInt(s->e->i32, x, false);
    return s->width > 1 ? build_splat(s->e, k, s->width) : k;
}

static LLVMValueRef spread(const stream *s, LLVMValueRef x) {
    return s->width > 1 ? build_splat(s->e, x, s->width) : x;
}

// The 64 bits of x times k.
static void multiply(const stream *s, LLVMValueRef x, uint32_t k, LLVMValueRef *high, LLVMValueRef *low) {
    LLVMBuilderRef b = s->e->b;
    LLVMValueRef factor = LLVMBuildZExt(b, number(s, k), s->wide, ""),
                 p = LLVMBuildMul(b, LLVMBuildZExt(b, x, s->wide, ""), factor, ""),
                 shift = LLVMBuildZExt(b, number(s, 32), s->wide, "");
    *high = LLVMBuildTrunc(b, LLVMBuildLShr(b, p, shift, ""), s->word, "");
    *low = LLVMBuildTrunc(b, p, s->word, "");
}

static LLVMValueRef mixed(const stream *s, LLVMValueRef high, LLVMValueRef x, LLVMValueRef key) {
    LLVMBuilderRef b = s->e->b;
    return LLVMBuildXor(b, LLVMBuildXor(b, high, x, ""), key, "");
}

// x: the counter, which becomes the words; key[2]: vectors.
static void philox_words(const stream *s, LLVMValueRef *x, const LLVMValueRef *key) {
    LLVMBuilderRef b = s->e->b;
    LLVMValueRef k0 = key[0], k1 = key[1], high0, low0, high1, low1;
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        multiply(s, x[0], PHILOX_MUL_0, &high0, &low0);
        multiply(s, x[2], PHILOX_MUL_1, &high1, &low1);
        x[0] = mixed(s, high1, x[1], k0);
        x[2] = mixed(s, high0, x[3], k1);
        x[1] = low1;
        x[3] = low0;
        k0 = LLVMBuildAdd(b, k0, number(s, PHILOX_KEY_0), "");
        k1 = LLVMBuildAdd(b, k1, number(s, PHILOX_KEY_1), "");
    }
}

// Word `index` (a scalar below 4).
static LLVMValueRef chosen(emit *e, const LLVMValueRef *words, LLVMValueRef index) {
    LLVMValueRef word = words[3];
    for (int i = 2; i >= 0; i--) {
        LLVMValueRef is = LLVMBuildICmp(e->b, LLVMIntEQ, index, LLVMConstInt(e->i32, (unsigned)i, false), "");
        word = LLVMBuildSelect(e->b, is, words[i], word, "");
    }
    return word;
}

// 24 bits as a number in [0, 1).
static LLVMValueRef uniform(const stream *s, LLVMValueRef word) {
    emit *e = s->e;
    LLVMTypeRef f = view_elem(e, ELEM_F32, s->width);
    LLVMValueRef scale = build_const_f32(e, 0x1p-24);
    word = LLVMBuildLShr(e->b, word, number(s, 8), "");
    return LLVMBuildFMul(e->b, LLVMBuildSIToFP(e->b, word, f, ""), spread(s, scale), "");
}

// The columns from s->index on: a vector lies within 16 of them, for it begins at a multiple of its width.
static LLVMValueRef numbers(const sweep *at, const LLVMValueRef *where, const LLVMValueRef *seed) {
    emit *e = at->e;
    stream s = {e, at->width, view_elem(e, ELEM_I32, at->width), e->i64};
    if (s.width > 1) s.wide = LLVMVectorType(e->i64, (unsigned)s.width);
    LLVMValueRef j = LLVMBuildTrunc(e->b, at->index, e->i32, ""), four = LLVMConstInt(e->i32, 4, false);
    LLVMValueRef lanes = LLVMConstInt(e->i32, PHILOX_LANES, false),
                 block = LLVMBuildUDiv(e->b, j, LLVMConstInt(e->i32, PHILOX_BLOCK, false), "");
    LLVMValueRef column =
        LLVMBuildAdd(e->b, LLVMBuildMul(e->b, block, lanes, ""), LLVMBuildURem(e->b, j, lanes, ""), "");
    LLVMValueRef word = LLVMBuildURem(e->b, LLVMBuildUDiv(e->b, j, lanes, ""), four, "");
    LLVMValueRef x[4] = {spread(&s, column), spread(&s, where[0]), spread(&s, where[1]),
                         spread(&s, where[2])},
                 key[2] = {spread(&s, seed[0]), spread(&s, seed[1])};
    if (s.width > 1) x[0] = LLVMBuildAdd(e->b, x[0], sweep_lanes(at), "");
    philox_words(&s, x, key);
    return uniform(&s, chosen(e, x, word));
}

// The walk's index along the axes between the first and the last.
static LLVMValueRef middle(emit *e, const walk *w, const view *out) {
    LLVMValueRef at = build_const_i64(e, 0);
    for (int i = 1; i < w->n; i++)
        at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, at, out->size[i], ""), w->index[i], "");
    return LLVMBuildTrunc(e->b, at, e->i32, "");
}

void loop_nest_random(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    const view *words = &n->views[producer->inputs[0]], *rows = &n->views[producer->inputs[1]];
    LLVMValueRef seed[2], where[3], zero = build_const_i64(e, 0);
    int64_t stream_number = node_attr(producer, ATTR_stream)->u.i;
    for (int i = 0; i < 2; i++) {
        LLVMValueRef at = build_const_i64(e, i);
        seed[i] = build_load(e, e->i32, view_address(e, words, &at), 4);
    }
    where[2] = LLVMConstInt(e->i32, (unsigned long long)stream_number, false);
    bool single = out->type.rank == 1; // a row is a number
    walk w = walk_begin(e, single ? 1 : out->type.rank - 1, out->size);
    view row = walk_view(e, &w, out);
    where[0] = build_load(e, e->i32, view_address(e, rows, &w.index[0]), 4);
    where[1] = single ? LLVMConstInt(e->i32, 0, false) : middle(e, &w, out);
    for (sweep s = sweep_of(e, &row, 1, (const view *[]){&row}); sweep_next(&s);) {
        sweep at = s;
        if (single) at.index = zero;
        sweep_store(&s, &row, numbers(&at, where, seed));
    }
    walk_end(e, &w);
}
