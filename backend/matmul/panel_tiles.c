// Which tiles a function over panels calls: the widths that its calls need, each in every height.
#include "backend/matmul/panels.h"

#define LINE          64
#define LINES_A_PANEL 4

// The lines that four groups of k fetch of the next tile of columns: `streams` distant places part it evenly,
// and each goes on by whole lines. There are four of a panel, as many as are read of this one, so one row tile fetches all
// of the next: a short text takes as long as its weights take to come. With more rows lines are asked for again, which
// costs a load each, and makes up for those that the core drops.
static void plan_lines(const panels *p, tile *t, int width) {
    if (p->streams == 0) return;
    // Where B's panels follow each other without a gap, a stream may run from one into the next.
    int64_t part = tile_groups(p->product, p->k) * GROUP_BYTES; // of a panel
    bool gapless = p->panel == part;
    int streams = gapless ? p->streams : (p->streams + width - 1) / width * width;
    if (streams > TILE_MAX_LINES) streams = width;
    bool tiles = p->product->step == STEP_TILES; // asks for no line again, and takes two in its turn
    int each = tiles ? 1 : (LINES_A_PANEL * width + streams - 1) / streams;
    int parts = gapless ? streams : streams / width;
    int64_t bytes = part * (gapless ? width : 1);
    t->line_count = streams * each;
    t->line_advance = tiles ? 2 * LINE : each * LINE;
    t->streams = streams;
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
              .start_row = p->start_row,
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

// --- Blocks that the next call finishes

// AMX's highest and widest tile with an epilogue, if there are steps of k to spread it over.
static bool leaves(const panels *p) {
    const target_product *of = p->product;
    return of->step == STEP_TILES && p->finish && !p->accumulate && !p->choice.body && p->rows == of->rows &&
           p->tiles[0] && p->widths[0] * PANEL_COLUMNS == of->columns && tile_groups(of, p->k) > AMX_ROWS;
}

static void emit_turns(emit *e, panels *p) {
    static const char *const names[] = {
        [TURN_FIRST] = "first", [TURN_BETWEEN] = "between", [TURN_LAST] = "last"};
    p->turns = ARENA_ARRAY(e->arena, tile, TURN_LAST + 1);
    for (tile_turn turn = TURN_FIRST; turn <= TURN_LAST; turn++) {
        tile *t = &p->turns[turn];
        *t = p->tiles[0][p->rows - 1];
        t->turn = turn;
        t->name = arena_printf(e->arena, "%s.%s", t->name, names[turn]);
        tile_emit(e, t);
    }
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
    if (leaves(p)) emit_turns(e, p);
}

// C (NULL: nothing is left), then the extras.
LLVMValueRef panel_tiles_left(emit *e, const panels *p) {
    if (!p->turns) return NULL;
    LLVMValueRef count = LLVMConstInt(e->i32, (unsigned)(1 + p->extra_count), false);
    LLVMValueRef left = LLVMBuildArrayAlloca(e->b, e->ptr, count, "left");
    build_store(e, LLVMConstNull(e->ptr), left, 8);
    return left;
}

// The call of that turn for what is left, with the operands of `args`.
static void call_turn(emit *e, const panels *p, tile_turn turn, LLVMValueRef left, const tile_args *args) {
    LLVMValueRef extra[TILE_MAX_EXTRAS];
    tile_args before = *args;
    before.c = build_load(e, e->ptr, left, 8);
    for (int i = 0; i < p->extra_count; i++)
        extra[i] = build_load(e, e->ptr, tile_at_constant(e, left, 8 * (1 + i)), 8);
    before.extra = extra;
    tile_call(e, &p->turns[turn], &before);
}

static LLVMValueRef is_left(emit *e, LLVMValueRef left) {
    return LLVMBuildIsNotNull(e->b, build_load(e, e->ptr, left, 8), "");
}

void panel_tiles_finish(emit *e, const panels *p, LLVMValueRef left) {
    LLVMBasicBlockRef end = build_if(e, is_left(e, left));
    LLVMValueRef none = LLVMGetPoison(e->ptr), zero = build_const_i64(e, 0);
    call_turn(e, p, TURN_LAST, left,
              &(tile_args){.a = none, .b = none, .ahead = none, .step = zero, .next = none, .start = none});
    build_store(e, LLVMConstNull(e->ptr), left, 8);
    build_if_end(e, end);
}

static void call_and_leave(emit *e, const panels *p, LLVMValueRef left, const tile_args *args) {
    LLVMValueRef some = is_left(e, left);
    LLVMBasicBlockRef end = build_if(e, some);
    call_turn(e, p, TURN_BETWEEN, left, args);
    build_if_end(e, end);
    end = build_if(e, LLVMBuildNot(e->b, some, ""));
    tile_call(e, &p->turns[TURN_FIRST], args);
    build_if_end(e, end);
    build_store(e, args->c, left, 8);
    for (int i = 0; i < p->extra_count; i++)
        build_store(e, args->extra[i], tile_at_constant(e, left, 8 * (1 + i)), 8);
}

// --- Calls

// Unless no row of the tile is chosen.
static void call_chosen(emit *e, const panels *p, const tile *t, const tile_args *args,
                        LLVMValueRef numbers) {
    LLVMBasicBlockRef skipped = NULL;
    if (numbers) skipped = build_if(e, row_choice_any(e, &p->choice, numbers, t->rows));
    tile_call(e, t, args);
    if (skipped) build_if_end(e, skipped);
}

static void call_height(emit *e, const panels *p, int width, int rows, const tile_args *args,
                        LLVMValueRef numbers, LLVMValueRef left) {
    if (left && width == 0 && rows == p->rows) {
        call_and_leave(e, p, left, args);
        return;
    }
    if (left) panel_tiles_finish(e, p, left);
    call_chosen(e, p, &p->tiles[width][rows - 1], args, numbers);
}

void panel_tiles_call(emit *e, const panels *p, int width, LLVMValueRef height, const tile_args *args,
                      LLVMValueRef numbers, LLVMValueRef left) {
    if (p->whole) {
        call_height(e, p, width, p->rows, args, numbers, left);
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
        call_height(e, p, width, rows, args, numbers, left);
        LLVMBuildBr(e->b, done);
    }
    LLVMPositionBuilderAtEnd(e->b, done);
}
