#include "backend/matmul/blocks.h"

// Units are int64 rows; one that no call reaches.
#define ALL_ROWS (INT64_C(1) << 48)

int block_tile_rows(const kernel_site *s) {
    int64_t rows = s->variant->schedules[s->node].tile_rows;
    return (int)(rows > 0 ? rows : s->variant->row_tile);
}

int64_t block_unit(const kernel_site *s, int64_t rows) {
    return rows > 0 ? round_up(rows, s->variant->row_tile) : ALL_ROWS;
}

int64_t block_step(const kernel_site *s, const target_product *product) {
    return heights_has(product, product->rows, 1) ? 1 : s->variant->row_tile;
}

block block_rows(emit *e, LLVMValueRef call, sym rows, int64_t unit, int64_t step, LLVMValueRef number) {
    LLVMValueRef present = build_call_size(e, call, rows), one = build_const_i64(e, 1);
    if (unit == ALL_ROWS) return (block){build_const_i64(e, 0), present, LLVMConstInt(e->i1, 1, false)};
    LLVMValueRef up = LLVMBuildAdd(e->b, present, build_const_i64(e, unit - 1), "");
    LLVMValueRef blocks = LLVMBuildUDiv(e->b, up, build_const_i64(e, unit), "");
    LLVMValueRef parts = LLVMBuildAdd(e->b, present, build_const_i64(e, step - 1), "");
    parts = LLVMBuildUDiv(e->b, parts, build_const_i64(e, step), "");
    LLVMValueRef low = LLVMBuildUDiv(e->b, parts, blocks, ""), more = LLVMBuildURem(e->b, parts, blocks, "");
    LLVMValueRef high = LLVMBuildICmp(e->b, LLVMIntULT, number, more, "");
    LLVMValueRef first = LLVMBuildMul(e->b, number, low, "");
    first = tile_mul(e, LLVMBuildAdd(e->b, first, LLVMBuildSelect(e->b, high, number, more, ""), ""), step);
    LLVMValueRef count =
        tile_mul(e, LLVMBuildAdd(e->b, low, LLVMBuildZExt(e->b, high, e->i64, ""), ""), step);
    LLVMValueRef last = LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildAdd(e->b, number, one, ""), blocks, "");
    count = LLVMBuildSelect(e->b, last, LLVMBuildSub(e->b, present, first, ""), count, "");
    return (block){first, count, last};
}

void block_sequence(emit *e, LLVMValueRef call, bool chosen, LLVMValueRef i, LLVMValueRef *first,
                    LLVMValueRef *count) {
    LLVMValueRef p = tile_at_step(e, build_call_bounds(e, call, chosen), i, 4);
    *first = LLVMBuildSExt(e->b, build_load(e, e->i32, p, 4), e->i64, "");
    LLVMValueRef end = build_load(e, e->i32, tile_at_constant(e, p, 4), 4);
    *count = LLVMBuildSub(e->b, LLVMBuildSExt(e->b, end, e->i64, ""), *first, "");
}

LLVMValueRef block_tail_kernel(emit *e, sym rows, int64_t unit, const product_end *x, LLVMValueRef tail) {
    LLVMValueRef f = build_function(e, "matmul.norm", e->kernel_type);
    LLVMValueRef args = LLVMGetParam(f, 0);
    block b = block_rows(e, LLVMGetParam(f, 1), rows, unit, 1, LLVMGetParam(f, 2));
    LLVMValueRef c = tile_at_step(e, build_arg(e, args, x->c), b.first, product_end_row(x));
    tail_rows at = {args, c, b.first, b.count, LLVMGetParam(f, 3)};
    tail_call(e, x, tail, &at);
    LLVMBuildRetVoid(e->b);
    return f;
}
