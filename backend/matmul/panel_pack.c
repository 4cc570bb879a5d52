#include "backend/matmul/panel_pack.h"

#include "backend/matmul/tile.h"

static LLVMValueRef begin(emit *e, const char *name) {
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr};
    return build_helper(e, name, NULL, 4, params);
}

static LLVMValueRef number(emit *e, LLVMValueRef p) {
    return build_load(e, e->f32, p, 4);
}

// One row's numbers, of which the last may not be there.
static void copy_row(emit *e, LLVMValueRef from, LLVMValueRef to, int columns) {
    for (int c = 0; c < PANEL_COLUMNS; c += e->width) {
        LLVMValueRef at = tile_at_constant(e, from, c * 4), v = LLVMConstNull(e->vf);
        if (c + e->width <= columns) v = build_load(e, e->vf, at, 4);
        for (int i = c; i < columns && c + e->width > columns; i++)
            v = LLVMBuildInsertElement(e->b, v, number(e, tile_at_constant(e, from, i * 4)),
                                       LLVMConstInt(e->i32, (unsigned)(i - c), false), "");
        build_store(e, v, tile_at_constant(e, to, c * 4), (unsigned)e->width * 4);
    }
}

LLVMValueRef panel_pack_rows(emit *e, int columns) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, "panel.rows"), zero = build_const_i64(e, 0);
    loop rows = build_loop(e, zero, LLVMGetParam(f, 2), 1, "row");
    LLVMValueRef from =
        tile_at(e, LLVMGetParam(f, 0), LLVMBuildMul(e->b, rows.index, LLVMGetParam(f, 1), ""));
    copy_row(e, from, tile_at(e, LLVMGetParam(f, 3), tile_mul(e, rows.index, GROUP_BYTES)), columns);
    build_loop_end(e, &rows);
    return build_helper_end(e, f, NULL, caller);
}

// Step s swaps, in each block of 2s x 2s, the two quarters beside the diagonal.
void panel_pack_turn(emit *e, LLVMValueRef *v) {
    int n = e->width;
    LLVMValueRef low[16], high[16];
    for (int s = 1; s < n; s *= 2) {
        for (int j = 0; j < n; j++) {
            low[j] = LLVMConstInt(e->i32, (unsigned)(j & s ? n + j - s : j), false);
            high[j] = LLVMConstInt(e->i32, (unsigned)(j & s ? n + j : j + s), false);
        }
        for (int i = 0; i < n; i++) {
            if (i & s) continue;
            LLVMValueRef a = v[i], b = v[i + s];
            v[i] = LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(low, (unsigned)n), "");
            v[i + s] = LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(high, (unsigned)n), "");
        }
    }
}

// Numbers [at, at + width) of the panel's columns.
static void turn_block(emit *e, LLVMValueRef from, LLVMValueRef stride, LLVMValueRef at, LLVMValueRef out,
                       int columns) {
    LLVMValueRef in = tile_at(e, from, tile_mul(e, at, 4)),
                 to = tile_at(e, out, tile_mul(e, at, GROUP_BYTES));
    for (int c = 0; c < PANEL_COLUMNS; c += e->width) {
        LLVMValueRef v[16];
        for (int i = 0; i < e->width; i++) {
            LLVMValueRef row = tile_at(e, in, LLVMBuildMul(e->b, stride, build_const_i64(e, c + i), ""));
            v[i] = c + i < columns ? build_load(e, e->vf, row, 4) : LLVMConstNull(e->vf);
        }
        panel_pack_turn(e, v);
        for (int i = 0; i < e->width; i++)
            build_store(e, v[i], tile_at_constant(e, to, i * GROUP_BYTES + c * 4), (unsigned)e->width * 4);
    }
}

// The same of one number of each column, which lie `stride` bytes apart.
static void turn_number(emit *e, LLVMValueRef from, LLVMValueRef stride, LLVMValueRef at, LLVMValueRef out,
                        int columns) {
    LLVMValueRef in = tile_at(e, from, tile_mul(e, at, 4)),
                 to = tile_at(e, out, tile_mul(e, at, GROUP_BYTES));
    for (int c = 0; c < PANEL_COLUMNS; c++) {
        LLVMValueRef row = tile_at(e, in, LLVMBuildMul(e->b, stride, build_const_i64(e, c), ""));
        build_store(e, c < columns ? number(e, row) : build_const_f32(e, 0), tile_at_constant(e, to, c * 4),
                    4);
    }
}

LLVMValueRef panel_pack_turned(emit *e, int columns) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, "panel.turned"), from = LLVMGetParam(f, 0), stride = LLVMGetParam(f, 1),
                 count = LLVMGetParam(f, 2), out = LLVMGetParam(f, 3);
    LLVMValueRef whole = LLVMBuildAnd(e->b, count, build_const_i64(e, -e->width), "");
    loop blocks = build_loop(e, build_const_i64(e, 0), whole, e->width, "block");
    turn_block(e, from, stride, blocks.index, out, columns);
    build_loop_end(e, &blocks);
    loop rest = build_loop(e, whole, count, 1, "rest");
    turn_number(e, from, stride, rest.index, out, columns);
    build_loop_end(e, &rest);
    return build_helper_end(e, f, NULL, caller);
}

void panel_pack_call(emit *e, LLVMValueRef function, LLVMValueRef from, LLVMValueRef stride,
                     LLVMValueRef count, LLVMValueRef out) {
    LLVMValueRef args[] = {from, stride, count, out};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(function), function, args, 4, "");
}
