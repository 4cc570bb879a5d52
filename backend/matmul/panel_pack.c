#include "backend/matmul/panel_pack.h"

#include "backend/matmul/tile.h"

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

LLVMValueRef panel_pack_rows(emit *e, int64_t panel, int columns) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "panel.rows", NULL, 5, params), zero = build_const_i64(e, 0);
    loop rows = build_loop(e, zero, LLVMGetParam(f, 2), 1, "row");
    LLVMValueRef from =
        tile_at(e, LLVMGetParam(f, 0), LLVMBuildMul(e->b, rows.index, LLVMGetParam(f, 1), ""));
    LLVMValueRef out = tile_at(e, LLVMGetParam(f, 3), tile_mul(e, rows.index, GROUP_BYTES));
    loop panels = build_loop(e, zero, LLVMGetParam(f, 4), 1, "panel");
    copy_row(e, tile_at(e, from, tile_mul(e, panels.index, PANEL_COLUMNS * 4)),
             tile_at(e, out, tile_mul(e, panels.index, panel)), columns);
    build_loop_end(e, &panels);
    build_loop_end(e, &rows);
    return build_helper_end(e, f, NULL, caller);
}

// Turns a block of width x width numbers round: v[i] is row i, then column i. Step s swaps, in each block of 2s x 2s, the two quarters beside the diagonal.
static void turn(emit *e, LLVMValueRef *v) {
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
        turn(e, v);
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
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr};
    LLVMValueRef f = build_helper(e, "panel.turned", NULL, 4, params), from = LLVMGetParam(f, 0),
                 stride = LLVMGetParam(f, 1), count = LLVMGetParam(f, 2), out = LLVMGetParam(f, 3);
    LLVMValueRef whole = LLVMBuildAnd(e->b, count, build_const_i64(e, -e->width), "");
    loop blocks = build_loop(e, build_const_i64(e, 0), whole, e->width, "block");
    turn_block(e, from, stride, blocks.index, out, columns);
    build_loop_end(e, &blocks);
    loop rest = build_loop(e, whole, count, 1, "rest");
    turn_number(e, from, stride, rest.index, out, columns);
    build_loop_end(e, &rest);
    return build_helper_end(e, f, NULL, caller);
}

// Rows [first, first + width) of which `count` are there; NULL: all.
static void turn_rows(emit *e, LLVMValueRef f, LLVMValueRef first, LLVMValueRef count, int64_t ld) {
    LLVMValueRef stride = LLVMGetParam(f, 1);
    loop blocks = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 4), e->width, "columns");
    LLVMValueRef from = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, blocks.index, 4)), v[16];
    for (int i = 0; i < e->width; i++) {
        LLVMValueRef row = LLVMBuildAdd(e->b, first, build_const_i64(e, i), ""), there = NULL;
        if (count) {
            there = LLVMBuildICmp(e->b, LLVMIntSLT, row, count, "");
            row = LLVMBuildSelect(e->b, there, row, first, "");
        }
        v[i] = build_load(e, e->vf, tile_at(e, from, LLVMBuildMul(e->b, row, stride, "")), 4);
        if (count) v[i] = LLVMBuildSelect(e->b, there, v[i], LLVMConstNull(e->vf), "");
    }
    turn(e, v);
    LLVMValueRef to =
        tile_at(e, tile_at(e, LLVMGetParam(f, 3), tile_mul(e, blocks.index, ld)), tile_mul(e, first, 4));
    for (int i = 0; i < e->width; i++)
        build_store(e, v[i], tile_at_constant(e, to, i * ld), (unsigned)e->width * 4);
    build_loop_end(e, &blocks);
}

LLVMValueRef panel_turn_rows(emit *e, int64_t ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "rows.turned", NULL, 5, params), count = LLVMGetParam(f, 2);
    LLVMValueRef whole = LLVMBuildAnd(e->b, count, build_const_i64(e, -e->width), "");
    loop rows = build_loop(e, build_const_i64(e, 0), whole, e->width, "rows");
    turn_rows(e, f, rows.index, NULL, ld);
    build_loop_end(e, &rows);
    LLVMBasicBlockRef behind = build_if(e, LLVMBuildICmp(e->b, LLVMIntSLT, whole, count, ""));
    turn_rows(e, f, whole, count, ld);
    build_if_end(e, behind);
    return build_helper_end(e, f, NULL, caller);
}
