// The loops round the register tile: column panels outside, row tiles inside, so that B streams from memory
// once for all rows; and the next panel on its way into L2 meanwhile. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_PANELS_H
#define BERTC_BACKEND_MATMUL_PANELS_H

#include "backend/matmul/heights.h"
#include "backend/matmul/row_choice.h"

typedef enum extra_kind {
    EXTRA_COLUMNS, // [N]: moves with the columns
    EXTRA_ROWS,    // rows of ld elements: moves with rows and columns
    EXTRA_STORED,  // the same, and the finish writes them
    EXTRA_NUMBERS, // [X,n], `ld` elements apart, of which one column is read: moves with the rows
    EXTRA_FIXED    // stays
} extra_kind;
typedef struct panel_extra {
    extra_kind kind;
    elem e; // of its elements
    int64_t ld;
} panel_extra;

#define PANELS_MAX_WIDTHS 3

// rows x columns of C, all of `k`. The caller fills in the first part.
typedef struct panels {
    const char *name;
    const target_product *product;
    int rows;                // of the highest register tiles
    bool whole;              // calls have whole tiles of `rows` rows alone: no other heights are emitted
    int64_t columns;         // of the widest one; 0: as many as the registers hold
    int64_t k;               // as in tile: 0: run time
    int64_t lda, ldc, panel; // bytes, as in tile
    // 0, or: B is zero but for blocks down its diagonal of `k` rows (whole groups) and so many columns, and begins
    // anew with each part. Tiles lie in one block each.
    int64_t block_columns, part_columns;
    bool accumulate;
    int64_t start_row; // as in tile
    int streams;       // distant places from which the next tile of columns is fetched; 0: it is not
    bool next;         // what the caller names is fetched towards the end; `k` is constant
    tile_finish finish;
    int64_t c_size; // bytes of an element of C; 0: 4
    void *context;
    int extra_count;
    panel_extra extras[TILE_MAX_EXTRAS];
    row_choice choice; // row tiles without a chosen row are left as they are

    uint32_t expected; // panels_expect's

    int width_count;
    int widths[PANELS_MAX_WIDTHS];  // panels of each, widest first; a tile narrower than a panel counts as 1
    tile *tiles[PANELS_MAX_WIDTHS]; // of each: those of 1 to `rows` rows; NULL: no call takes that width
    tile *turns; // NULL, or by tile_turn: the highest and widest tile in forms that the next call finishes
    LLVMTypeRef type;
    LLVMValueRef function;
} panels;

// Says that calls take `count` panels, before panels_emit. Where it is called, they take no other numbers, and only the
// widths that these need are emitted.
void panels_expect(panels *p, int64_t count);
// Adds the function. It runs the register tile for each tile of columns in panels [from, to), and within it
// for each tile of the `rows` (heights.h). While it works through one tile of columns it prefetches the next; after
// the last, what `after` points to. `next` is prefetched one cache line every four groups of k, by as many
// of the last tiles as that takes.
void panels_emit(emit *e, panels *p);
// a: the first row; b: the matrix (panel 0); c and extra: the first row, column 0; next: what is fetched
// towards the end, next_bytes of it; follow: i1, behind these rows lie others that this phase reads (NULL: none);
// numbers: of choice, the first row's. k: groups; NULL where constant. start: of start_row, the first row, column 0.
typedef struct panels_args {
    LLVMValueRef a, b, c, rows, from, to, after, next, next_bytes, follow, k, numbers, start;
    LLVMValueRef extra[TILE_MAX_EXTRAS];
    // set by panels_emit
    LLVMValueRef next_begin; // where in `next` the share of row tile 0 begins
    row_cut cut;             // of the rows
    LLVMValueRef left;       // panel_tiles_left's
} panels_args;
void panels_call(emit *e, const panels *p, const panels_args *args);

// --- panel_tiles.c: the tiles of a function

// Emits them: fills in p->tiles.
void panel_tiles_emit(emit *e, panels *p);
// Where p->turns: memory for what a block has left to be finished, in the function's entry; nothing is left. Else NULL.
LLVMValueRef panel_tiles_left(emit *e, const panels *p);
// Finishes it.
void panel_tiles_finish(emit *e, const panels *p, LLVMValueRef left);
// Runs the tile of that width (an index of p->widths) and height (i64); numbers: of p->choice, the tile's first row's.
void panel_tiles_call(emit *e, const panels *p, int width, LLVMValueRef height, const tile_args *args,
                      LLVMValueRef numbers, LLVMValueRef left);

#endif
