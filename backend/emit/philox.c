// Philox's words by the place of each element (ir/philox.h), a vector of counters at a time. The four words of a counter
// are computed where they are asked for: no state passes from one vector, task or thread to another.
#include "ir/philox.h"

#include "backend/emit/view.h"

typedef struct stream {
    emit *e;
    int width;
    LLVMTypeRef word, wide; // of a vector: i32, i64
} stream;

static LLVMValueRef spread(const stream *s, LLVMValueRef x) {
    return s->width > 1 ? build_splat(s->e, x, s->width) : x;
}

static LLVMValueRef number(const stream *s, uint32_t x) {
    return spread(s, LLVMConstInt(s->e->i32, x, false));
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
static void rounds(const stream *s, LLVMValueRef *x, const LLVMValueRef *key) {
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

void philox_words(emit *e, int width, LLVMValueRef counter, const philox_place *at, LLVMValueRef *words) {
    stream s = {e, width, view_elem(e, ELEM_I32, width), e->i64};
    if (width > 1) s.wide = LLVMVectorType(e->i64, (unsigned)width);
    LLVMValueRef key[2] = {spread(&s, at->seed[0]), spread(&s, at->seed[1])};
    words[0] = spread(&s, counter);
    words[1] = spread(&s, at->row);
    words[2] = spread(&s, at->middle);
    words[3] = spread(&s, at->stream);
    LLVMValueRef lanes[64];
    for (int i = 0; i < width; i++) lanes[i] = LLVMConstInt(e->i32, (unsigned)i, false);
    if (width > 1) words[0] = LLVMBuildAdd(e->b, words[0], LLVMConstVector(lanes, (unsigned)width), "");
    rounds(&s, words, key);
}

LLVMValueRef philox_uniform(emit *e, int width, LLVMValueRef word) {
    stream s = {e, width, view_elem(e, ELEM_I32, width), e->i64};
    LLVMTypeRef f = view_elem(e, ELEM_F32, width);
    LLVMValueRef scale = build_const_f32(e, 0x1p-24);
    word = LLVMBuildLShr(e->b, word, number(&s, 8), "");
    LLVMValueRef drawn = LLVMBuildSIToFP(e->b, word, f, "");
    return LLVMBuildFMul(e->b, drawn, spread(&s, scale), "");
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

LLVMValueRef philox_columns(emit *e, int width, LLVMValueRef j, const philox_place *at) {
    LLVMValueRef four = LLVMConstInt(e->i32, 4, false), lanes = LLVMConstInt(e->i32, PHILOX_LANES, false),
                 block = LLVMBuildUDiv(e->b, j, LLVMConstInt(e->i32, PHILOX_BLOCK, false), "");
    LLVMValueRef in_block = LLVMBuildURem(e->b, j, lanes, ""), words[4];
    LLVMValueRef counter = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, block, lanes, ""), in_block, "");
    LLVMValueRef word = LLVMBuildURem(e->b, LLVMBuildUDiv(e->b, j, lanes, ""), four, "");
    philox_words(e, width, counter, at, words);
    return philox_uniform(e, width, chosen(e, words, word));
}
