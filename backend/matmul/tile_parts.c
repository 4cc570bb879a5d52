// What the emitters of register tiles share: addresses, and where the sums lie.
#include "backend/matmul/tile_function.h"

LLVMValueRef tile_at(emit *e, LLVMValueRef base, LLVMValueRef bytes) {
    return LLVMBuildGEP2(e->b, e->i8, base, &bytes, 1, "");
}

LLVMValueRef tile_at_constant(emit *e, LLVMValueRef base, int64_t bytes) {
    return bytes == 0 ? base : tile_at(e, base, build_const_i64(e, bytes));
}

LLVMValueRef tile_at_step(emit *e, LLVMValueRef base, LLVMValueRef i, int64_t bytes) {
    return tile_at(e, base, tile_mul(e, i, bytes));
}

LLVMValueRef tile_mul(emit *e, LLVMValueRef x, int64_t y) {
    return LLVMBuildMul(e->b, x, build_const_i64(e, y), "");
}

void tile_prefetch(emit *e, LLVMValueRef p, bool write, int locality) {
    LLVMValueRef args[] = {p, LLVMConstInt(e->i32, write, false),
                           LLVMConstInt(e->i32, (unsigned)locality, false), LLVMConstInt(e->i32, 1, false)};
    build_intrinsic(e, "llvm.prefetch", 1, &e->ptr, 4, args);
}

int64_t tile_groups(const target_product *product, int64_t k) {
    return ceil_div(k, product->group);
}

int64_t tile_stretch(const target_product *product) {
    return product->step == STEP_TILES ? GROUP_BYTES / (int64_t)elem_size(product->left) : product->group;
}

LLVMTypeRef tile_sum_type(const emit *e, const target_product *product) {
    return product->sum == ELEM_F32 ? e->vf : e->vi;
}

LLVMValueRef tile_c(emit *e, const tile *t, int row, int vector) {
    int64_t size = t->c_size ? t->c_size : 4;
    return tile_at_constant(e, t->c, row * t->ldc + (int64_t)vector * e->width * size);
}

LLVMValueRef tile_stack(emit *e, const tile *t, int64_t bytes) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b), entry = LLVMGetEntryBasicBlock(t->function);
    LLVMValueRef first = LLVMGetFirstInstruction(entry), size = LLVMConstInt(e->i32, (uint64_t)bytes, false);
    if (first) LLVMPositionBuilderBefore(e->b, first);
    LLVMValueRef stack = LLVMBuildArrayAlloca(e->b, e->i8, size, "tile");
    LLVMSetAlignment(stack, 64);
    LLVMPositionBuilderAtEnd(e->b, here);
    return stack;
}

LLVMValueRef tile_sum(emit *e, const tile *t, const tile_sums *sums, int row, int vector) {
    if (sums->acc) return sums->acc[row * t->vectors + vector];
    int64_t at = row * sums->row_bytes + (int64_t)vector * e->width * 4;
    return build_load(e, tile_sum_type(e, t->product), tile_at_constant(e, sums->memory, at),
                      (unsigned)e->width * 4);
}

void tile_store(emit *e, const tile *t, LLVMValueRef *acc) {
    for (int r = 0; r < t->rows; r++) {
        for (int v = 0; v < t->vectors; v++) {
            build_store(e, acc[r * t->vectors + v], tile_c(e, t, r, v),
                        (unsigned)(e->width * (t->c_size ? t->c_size : 4)));
        }
    }
}

void tile_touch_rows(emit *e, const tile *t) {
    for (int i = 0; i < t->extra_count; i++) {
        if (!(t->touch >> i & 1)) continue;
        int64_t size = t->touch_size[i], line = 64 / size;
        for (int r = 0; r < t->rows; r++) {
            for (int64_t c = 0; c < (int64_t)t->vectors * e->width; c += line) {
                tile_prefetch(e, tile_at_constant(e, t->extra[i], (r * t->touch_ld[i] + c) * size), false, 3);
            }
        }
    }
}
