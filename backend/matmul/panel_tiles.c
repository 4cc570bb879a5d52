// Which tiles a function over panels calls: the widths that its calls need, each in every height.
#include "backend/matmul/panels.h"

#define LINE          64
#define LINES_A_PANEL 2

// The lines that four groups of k fetch of the next tile of columns: `streams` distant places part it evenly,
// and each goes on by whole lines. Two lines of a panel are enough for two row tiles to fetch all of it; with
// more rows lines are asked for again, which costs a load each, and makes up for those that the core drops.
static void plan_lines(const panels *p, tile *t, int width) {
    if (p->streams == 0) return;
    // Where B's panels follow each other without a gap, a stream may run from one into the next.
    int64_t part = tile_groups(p->product, p->k) * GROUP_BYTES; // of a panel
    bool gapless = p->panel == part;
    int streams = gapless ? p->streams : (p->streams + width - 1) / width * width;
    if (streams > TILE_MAX_LINES) streams = width;
    int each = (LINES_A_PANEL * width + streams - 1) / streams;
    int parts = gapless ? streams : streams / width;
    int64_t bytes = part * (gapless ? width : 1);
    t->line_count = streams * each;
    t->line_advance = each * LINE;
    for (int i = 0; i < streams; i++) {
        int64_t at = i / parts * p->panel + bytes * (i % parts) / parts / LINE * LINE;
        for (int j = 0; j < each; j++) t->lines[j * streams + i] = at + j * LINE;
    }
}

// --- Widths

// A number of panels from which on only the remainders by 2 and 3 matter, which are those of 5 to 10.
#define MANY_PANELS 5

void panels_expect(panels *p, int64_t count) {
    p->expected |= 1u << (count < MANY_PANELS ? count : MANY_PANELS + (count - MANY_PANELS) % 6);
}

// Does a call take that width (an index of p->widths)?
static bool takes_width(const panels *p, int which) {
    if (!p->expected) return true;
    for (int count = 1; count < MANY_PANELS + 6; count++) {
        if (!(p->expected >> count & 1)) continue;
        int widest = p->widths[0], wide = count / widest * widest, left = count - wide;
        if (widest == 3 && left == 1 && wide > 0) wide -= 3, left += 3;
        if (which == 0 && wide > 0) return true;
        for (int i = 1; i < p->width_count; i++) {
            if (i == which && left >= p->widths[i]) return true;
            left %= p->widths[i];
        }
    }
    return false;
}

// --- Heights

static tile tile_of(emit *e, const panels *p, int vectors, int rows) {
    tile t = {.name = arena_printf(e->arena, "%s.tile%dx%d", p->name, rows, vectors * e->width),
              .product = p->product,
              .rows = rows,
              .vectors = vectors,
              .k = p->k,
              .lda = p->lda,
              .ldc = p->ldc,
              .panel = p->panel,
              .accumulate = p->accumulate,
              .next = p->next,
              .finish = p->finish,
              .c_size = p->c_size,
              .context = p->context,
              .extra_count = p->extra_count};
    for (int i = 0; i < p->extra_count; i++) {
        if (p->extras[i].kind == EXTRA_ROWS) t.touch |= 1u << i;
        t.touch_ld[i] = p->extras[i].ld;
        t.touch_size[i] = (int64_t)elem_size(p->extras[i].e);
    }
    return t;
}

static bool takes_height(const panels *p, int rows) {
    return p->whole ? rows == p->rows : heights_has(p->product, p->rows, rows);
}

static tile *tiles_of_width(emit *e, const panels *p, int vectors, int width) {
    tile *tiles = ARENA_ARRAY(e->arena, tile, p->rows);
    for (int rows = 1; rows <= p->rows; rows++) {
        if (!takes_height(p, rows)) continue;
        tile *t = &tiles[rows - 1];
        *t = tile_of(e, p, vectors, rows);
        plan_lines(p, t, width);
        tile_emit(e, t);
    }
    return tiles;
}

void panel_tiles_emit(emit *e, panels *p) {
    int widest = tile_vectors(e, p->product, p->rows, p->columns), in_panel = PANEL_COLUMNS / e->width;
    int vectors[PANELS_MAX_WIDTHS] = {widest, 2 * in_panel, in_panel};
    p->width_count = 0;
    p->widths[p->width_count++] = widest > in_panel ? widest / in_panel : 1;
    for (int width = 2; width >= 1; width--)
        if (p->widths[0] > width) {
            vectors[p->width_count] = width * in_panel;
            p->widths[p->width_count++] = width;
        }
    for (int i = 0; i < p->width_count; i++)
        p->tiles[i] = takes_width(p, i) ? tiles_of_width(e, p, vectors[i], p->widths[i]) : NULL;
}

// Unless no row of the tile is chosen.
static void call_chosen(emit *e, const panels *p, const tile *t, const tile_args *args,
                        LLVMValueRef numbers) {
    LLVMBasicBlockRef skipped = NULL;
    if (numbers) skipped = build_if(e, row_choice_any(e, &p->choice, numbers, t->rows));
    tile_call(e, t, args);
    if (skipped) build_if_end(e, skipped);
}

void panel_tiles_call(emit *e, const panels *p, int width, LLVMValueRef height, const tile_args *args,
                      LLVMValueRef numbers) {
    const tile *tiles = p->tiles[width];
    if (p->whole) {
        call_chosen(e, p, &tiles[p->rows - 1], args, numbers);
        return;
    }
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b));
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, function, "done");
    LLVMValueRef choose = LLVMBuildSwitch(e->b, height, done, (unsigned)p->rows);
    for (int rows = 1; rows <= p->rows; rows++) {
        if (!takes_height(p, rows)) continue;
        LLVMBasicBlockRef here = LLVMAppendBasicBlockInContext(e->context, function, "height");
        LLVMAddCase(choose, build_const_i64(e, rows), here);
        LLVMPositionBuilderAtEnd(e->b, here);
        call_chosen(e, p, &tiles[rows - 1], args, numbers);
        LLVMBuildBr(e->b, done);
    }
    LLVMPositionBuilderAtEnd(e->b, done);
}
