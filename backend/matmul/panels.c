#include "backend/matmul/panels.h"

#include <assert.h>

#define LINE 64

// Bytes by which the streams go on in four groups of k, so that `tiles` row tiles fetch the whole of a tile of
// columns; at most as far as they have fetched.
static LLVMValueRef stream_step(emit *e, const tile *t, int width, LLVMValueRef tiles) {
    if (t->line_count == 0) return build_const_i64(e, 0);
    LLVMValueRef share = tile_mul(e, tiles, t->streams), most = build_const_i64(e, t->line_advance);
    LLVMValueRef up = LLVMBuildAdd(e->b, share, build_const_i64(e, 4 * LINE * width - 1), "");
    LLVMValueRef step = LLVMBuildUDiv(e->b, up, share, "");
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntULT, step, most, ""), step, most, "");
}

static LLVMValueRef extra_at(emit *e, const panels *p, int i, LLVMValueRef base, LLVMValueRef row,
                             LLVMValueRef column) {
    const panel_extra *x = &p->extras[i];
    if (x->kind == EXTRA_FIXED) return base;
    int64_t size = (int64_t)elem_size(x->e);
    LLVMValueRef at = x->kind == EXTRA_NUMBERS ? base : tile_at(e, base, tile_mul(e, column, size));
    return x->kind == EXTRA_COLUMNS ? at : tile_at(e, at, tile_mul(e, row, x->ld * size));
}

// Rows of B above the block in which panel `l` lies, times `by`.
static LLVMValueRef rows_above(emit *e, const panels *p, LLVMValueRef l, int64_t by) {
    LLVMValueRef part = build_const_i64(e, p->part_columns / PANEL_COLUMNS),
                 block = build_const_i64(e, p->block_columns / PANEL_COLUMNS);
    LLVMValueRef in_part = LLVMBuildURem(e->b, l, part, "");
    return tile_mul(e, LLVMBuildUDiv(e->b, in_part, block, ""), p->k * by);
}

static LLVMValueRef panel_at(emit *e, const panels *p, LLVMValueRef b, LLVMValueRef l) {
    b = tile_at(e, b, tile_mul(e, l, p->panel));
    return p->block_columns ? tile_at(e, b, rows_above(e, p, l, GROUP_BYTES / p->product->group)) : b;
}

// A panel's part of a row tile fetches so much of `next`.
static int64_t next_share(const panels *p) {
    return p->k / p->product->group / 4 * TILE_NEXT_BYTES / p->widths[0] / LINE * LINE;
}

// Offset in `next` of tile 0's share. Negative where the tiles could fetch more than next_bytes: then the
// first tiles fetch nothing.
static LLVMValueRef next_begin(emit *e, const panels *p, const panels_args *x) {
    LLVMValueRef shares = LLVMBuildMul(e->b, LLVMBuildSub(e->b, x->to, x->from, ""), x->cut.tiles, "");
    LLVMValueRef begin = LLVMBuildSub(e->b, x->next_bytes, tile_mul(e, shares, next_share(p)), "");
    LLVMValueRef early = LLVMBuildICmp(e->b, LLVMIntSLT, begin, build_const_i64(e, 0), "");
    return LLVMBuildSelect(e->b, early, begin, build_const_i64(e, 0), "");
}

// What row tile i of that width, with its rows at `a`, fetches where it has no share of `next`: the next tile's rows,
// which another core may have written, or, behind the last one, what is at hand. NULL: nothing, for AMX's tiles look.
static LLVMValueRef otherwise_lines(emit *e, const panels *p, const panels_args *x, LLVMValueRef i,
                                    LLVMValueRef a, LLVMValueRef height) {
    if (p->product->step == STEP_TILES) return LLVMConstNull(e->ptr);
    LLVMValueRef end = LLVMBuildSub(e->b, x->cut.tiles, build_const_i64(e, 1), "");
    LLVMValueRef between = LLVMBuildICmp(e->b, LLVMIntSLT, i, end, "");
    LLVMValueRef follow = LLVMBuildOr(e->b, between, x->follow, "");
    return LLVMBuildSelect(e->b, follow, tile_at(e, a, tile_mul(e, height, p->lda)), a, "");
}

// What row tile i of that width fetches of `next`: its share, or `otherwise`.
static LLVMValueRef next_lines(emit *e, const panels *p, int which, const panels_args *x, LLVMValueRef i,
                               LLVMValueRef otherwise) {
    LLVMValueRef before = tile_mul(e, i, p->widths[which] * next_share(p));
    LLVMValueRef at = LLVMBuildAdd(e->b, x->next_begin, before, "");
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntULT, at, x->next_bytes, "");
    return LLVMBuildSelect(e->b, some, tile_at(e, x->next, at), otherwise, "");
}

// The row tiles of one tile of columns, which starts at column `column` (in floats); `b` is where B's part
// starts.
static void row_tiles(emit *e, const panels *p, int which, const panels_args *x, LLVMValueRef b,
                      LLVMValueRef column, LLVMValueRef ahead, LLVMValueRef step) {
    loop tiles = build_loop(e, build_const_i64(e, 0), x->cut.tiles, 1, "row");
    LLVMValueRef i = tiles.index, row = heights_first(e, &x->cut, i);
    LLVMValueRef a = tile_at(e, x->a, tile_mul(e, row, p->lda));
    LLVMValueRef c = tile_at_step(e, tile_at_step(e, x->c, row, p->ldc), column, p->c_size ? p->c_size : 4);
    LLVMValueRef extra[TILE_MAX_EXTRAS];
    for (int j = 0; j < p->extra_count; j++) extra[j] = extra_at(e, p, j, x->extra[j], row, column);
    LLVMValueRef fetched = LLVMBuildMul(e->b, i, tile_mul(e, step, p->k / p->product->group / 4), "");
    tile_args args = {
        .a = a, .b = b, .c = c, .ahead = tile_at(e, ahead, fetched), .step = step, .k = x->k, .extra = extra};
    LLVMValueRef height = heights_of(e, &x->cut, i);
    if (p->start_row) args.start = tile_at_step(e, tile_at_step(e, x->start, row, p->start_row), column, 4);
    if (p->next) args.next = next_lines(e, p, which, x, i, otherwise_lines(e, p, x, i, a, height));
    LLVMValueRef numbers = p->choice.body ? tile_at(e, x->numbers, tile_mul(e, row, 4)) : NULL;
    panel_tiles_call(e, p, which, height, &args, numbers, x->left);
    build_loop_end(e, &tiles);
}

// Tiles of columns [from, to) of one width.
static void column_tiles(emit *e, const panels *p, int which, const panels_args *x, LLVMValueRef from,
                         LLVMValueRef to) {
    const tile *t = &p->tiles[which][p->rows - 1];
    int width = p->widths[which];
    int64_t columns = (int64_t)t->vectors * e->width;
    LLVMValueRef step = stream_step(e, t, width, x->cut.tiles);
    loop l = build_loop(e, from, to, width, "panel");
    LLVMValueRef b = panel_at(e, p, x->b, l.index);
    panels_args block = *x;
    if (p->block_columns)
        block.a = tile_at(e, x->a, rows_above(e, p, l.index, (int64_t)elem_size(p->product->left)));
    if (p->next) {
        LLVMValueRef before = LLVMBuildMul(e->b, LLVMBuildSub(e->b, l.index, x->from, ""), x->cut.tiles, "");
        block.next_begin = LLVMBuildAdd(e->b, x->next_begin, tile_mul(e, before, next_share(p)), "");
    }
    LLVMValueRef column = tile_mul(e, l.index, PANEL_COLUMNS);
    LLVMValueRef next = LLVMBuildAdd(e->b, l.index, build_const_i64(e, width), "");
    LLVMValueRef last = LLVMBuildICmp(e->b, LLVMIntSGE, next, x->to, "");
    LLVMValueRef ahead = LLVMBuildSelect(e->b, last, x->after, panel_at(e, p, x->b, next), "");
    row_tiles(e, p, which, &block, b, column, ahead, step);
    // a tile narrower than a panel: the rest of the panel
    for (int64_t done = columns; done < PANEL_COLUMNS; done += columns) {
        LLVMValueRef at = LLVMBuildAdd(e->b, column, build_const_i64(e, done), "");
        row_tiles(e, p, which, &block, tile_at_constant(e, b, done * 4), at, ahead, step);
    }
    build_loop_end(e, &l);
}

static void emit_body(emit *e, const panels *p, panels_args *x) {
    x->cut = heights_cut(e, p->product, p->rows, x->rows);
    if (p->next) x->next_begin = next_begin(e, p, x);
    if (p->width_count == 1) {
        column_tiles(e, p, 0, x, x->from, x->to);
        return;
    }
    // Panels by width: as many of the widest as fit; where one panel would be left over and the widest takes
    // three, two and two do better than three and one.
    int widest = p->widths[0];
    LLVMValueRef count = LLVMBuildSub(e->b, x->to, x->from, "");
    LLVMValueRef wide = tile_mul(e, LLVMBuildUDiv(e->b, count, build_const_i64(e, widest), ""), widest);
    if (widest == 3) {
        LLVMValueRef left = LLVMBuildSub(e->b, count, wide, "");
        LLVMValueRef one = LLVMBuildICmp(e->b, LLVMIntEQ, left, build_const_i64(e, 1), "");
        LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntSGT, wide, build_const_i64(e, 0), "");
        LLVMValueRef less = LLVMBuildSub(e->b, wide, build_const_i64(e, 3), "");
        wide = LLVMBuildSelect(e->b, LLVMBuildAnd(e->b, one, some, ""), less, wide, "");
    }
    LLVMValueRef at = LLVMBuildAdd(e->b, x->from, wide, "");
    if (p->tiles[0]) column_tiles(e, p, 0, x, x->from, at);
    for (int i = 1; i < p->width_count; i++) {
        if (!p->tiles[i]) continue;
        LLVMValueRef left = LLVMBuildSub(e->b, x->to, at, "");
        LLVMValueRef some =
            tile_mul(e, LLVMBuildUDiv(e->b, left, build_const_i64(e, p->widths[i]), ""), p->widths[i]);
        LLVMValueRef until = LLVMBuildAdd(e->b, at, some, "");
        column_tiles(e, p, i, x, at, until);
        at = until;
    }
}

void panels_emit(emit *e, panels *p) {
    assert(p->extra_count <= TILE_MAX_EXTRAS);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    panel_tiles_emit(e, p);
    LLVMTypeRef params[13 + TILE_MAX_EXTRAS] = {e->ptr, e->ptr, e->ptr, e->i64, e->i64, e->i64, e->ptr};
    unsigned n = 7;
    if (p->next) params[n++] = e->ptr, params[n++] = e->i64, params[n++] = e->i1;
    if (p->k == 0) params[n++] = e->i64;
    if (p->choice.body) params[n++] = e->ptr;
    if (p->start_row) params[n++] = e->ptr;
    for (int i = 0; i < p->extra_count; i++) params[n++] = e->ptr;
    p->type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, n, false);
    p->function = build_function(e, p->name, p->type);
    build_attribute(e, p->function, "noinline");
    panels_args x = {.a = LLVMGetParam(p->function, 0),
                     .b = LLVMGetParam(p->function, 1),
                     .c = LLVMGetParam(p->function, 2),
                     .rows = LLVMGetParam(p->function, 3),
                     .from = LLVMGetParam(p->function, 4),
                     .to = LLVMGetParam(p->function, 5),
                     .after = LLVMGetParam(p->function, 6)};
    unsigned at = 7;
    if (p->next) {
        x.next = LLVMGetParam(p->function, at++);
        x.next_bytes = LLVMGetParam(p->function, at++);
        x.follow = LLVMGetParam(p->function, at++);
    }
    if (p->k == 0) x.k = LLVMGetParam(p->function, at++);
    if (p->choice.body) x.numbers = LLVMGetParam(p->function, at++);
    if (p->start_row) x.start = LLVMGetParam(p->function, at++);
    for (int i = 0; i < p->extra_count; i++) x.extra[i] = LLVMGetParam(p->function, at++);
    x.left = panel_tiles_left(e, p);
    emit_body(e, p, &x);
    if (x.left) panel_tiles_finish(e, p, x.left);
    LLVMBuildRetVoid(e->b);
    if (caller) LLVMPositionBuilderAtEnd(e->b, caller);
}

void panels_call(emit *e, const panels *p, const panels_args *x) {
    LLVMValueRef args[13 + TILE_MAX_EXTRAS] = {x->a, x->b, x->c, x->rows, x->from, x->to, x->after};
    unsigned n = 7;
    if (p->next) {
        args[n++] = x->next;
        args[n++] = x->next_bytes;
        args[n++] = x->follow ? x->follow : LLVMConstNull(e->i1);
    }
    if (p->k == 0) args[n++] = x->k;
    if (p->choice.body) args[n++] = x->numbers;
    if (p->start_row) args[n++] = x->start;
    for (int i = 0; i < p->extra_count; i++) args[n++] = x->extra[i];
    LLVMBuildCall2(e->b, p->type, p->function, args, n, "");
}
