// The register tile of every product: a block of rows x columns of C, its accumulators in registers, over a
// stretch of k. The matmul, mlp and attention families build their loops from it. Private to backend/.
//
// A step of k takes a group of its elements, as many as the product packs side by side: 64 bytes of each panel
// of B, whatever the element types. k ascends with one accumulator an element of C, so how a matrix is cut
// into tiles changes no bit of it.
#ifndef BERTC_BACKEND_MATMUL_TILE_H
#define BERTC_BACKEND_MATMUL_TILE_H

#include "backend/emit/emit.h"

#define TILE_MAX_EXTRAS 16
#define TILE_MAX_LINES  24
// Of `next`, in four groups of k: a line.
#define TILE_NEXT_BYTES 64

typedef struct tile tile;
// The sums of a tile, vectors of the product's type of sums: <width x float>, or <width x i32>.
typedef struct tile_sums {
    LLVMValueRef *acc; // in registers: acc[row * vectors + vector]; NULL: in memory
    // Row 0's, if they are in memory: a row's vectors side by side, aligned to a vector.
    LLVMValueRef memory;
    int64_t row_bytes; // from row to row there
    // Of sums in memory: finish takes so many rows from this one (i64) on; 0: all.
    int count;
    LLVMValueRef first;
} tile_sums;
// Emits what happens to the sums. t->c and t->extra hold the function's parameters.
typedef void (*tile_finish)(emit *e, const tile *t, const tile_sums *sums);

// When the sums are finished. By the next call, AMX's tiles are multiplied and the epilogue runs at the same time; such a
// call gets C and extras of the block before it.
typedef enum tile_turn {
    TURN_ALONE,   // by the call that multiplies
    TURN_FIRST,   // the next call does it: this one multiplies alone
    TURN_BETWEEN, // this call finishes what the one before has left, and multiplies
    TURN_LAST     // this call finishes what is left; it does not multiply
} tile_turn;

struct tile {
    const char *name;
    const target_product *product; // of the target
    int rows, vectors;             // rows * vectors + vectors + 1 registers are in use
    // Elements; constant. 0: known at run time, and a parameter of the function counts groups, a multiple of 4.
    int64_t k;
    tile_turn turn;
    int64_t lda, ldc; // bytes from row to row
    // Bytes from one panel of PANEL_COLUMNS columns of B to the next. From group to group it is GROUP_BYTES.
    int64_t panel;
    bool accumulate; // the sums start from what C holds, not from 0
    // Of AMX's tiles. 0, or bytes from row to row of the sums that they start from: a parameter of the function points to them.
    int64_t start_row;
    // Four groups of k fetch one line at each of these distances (bytes) from `ahead`, which then
    // moves on by `step` bytes. Both are parameters: the caller spreads the lines over its row tiles. The lines are of
    // `streams` places.
    int line_count, streams;
    int64_t lines[TILE_MAX_LINES];
    int64_t line_advance; // the most that `step` may be
    bool next;            // and the line at `next`, which goes on by TILE_NEXT_BYTES
    tile_finish finish;   // NULL: the sums are stored to C as they are
    int64_t c_size;       // bytes of an element of C that finish stores; 0: 4
    void *context;        // finish's own
    int extra_count;      // pointers handed through to finish
    // Bit i: extra i points to rows like C's, touch_ld[i] elements of touch_size[i] bytes apart; they are touched
    // before the k loop, but by AMX's tiles.
    uint32_t touch;
    int64_t touch_ld[TILE_MAX_EXTRAS], touch_size[TILE_MAX_EXTRAS];

    // set by tile_emit
    // void (ptr a, ptr b, ptr c, ptr ahead, i64 step, [ptr next,] [i64 k,] [ptr start,] ptr extra...)
    LLVMTypeRef type;
    LLVMValueRef function, c, extra[TILE_MAX_EXTRAS];
};

// Vectors of the widest tile of that many rows that stays within the registers, suits PANEL_COLUMNS, is no
// wider than the product's own tile, and has at most `columns` columns (0: any number).
int tile_vectors(const emit *e, const target_product *product, int rows, int64_t columns);
// Adds the function (noinline: the register allocator sees one kernel at a time).
void tile_emit(emit *e, tile *t);
// Where vector `vector` of row `row` of C lies, and that vector of the sums; both are constants.
LLVMValueRef tile_c(emit *e, const tile *t, int row, int vector);
LLVMValueRef tile_sum(emit *e, const tile *t, const tile_sums *sums, int row, int vector);
// So many bytes on the function's stack, aligned to 64.
LLVMValueRef tile_stack(emit *e, const tile *t, int64_t bytes);
// Stores vectors of the sums' size, in acc's order, to C: what a finish does last.
void tile_store(emit *e, const tile *t, LLVMValueRef *acc);
// Calls it. extra: t->extra_count pointers; next, k (groups), start: NULL where the function has none.
typedef struct tile_args {
    LLVMValueRef a, b, c, ahead, step, next, k, start, *extra;
} tile_args;
void tile_call(emit *e, const tile *t, const tile_args *x);

// Groups of k.
int64_t tile_groups(const target_product *product, int64_t k);
// Where a stretch of k is followed by another, its elements are a multiple of this: a group, or a step of AMX's tiles.
int64_t tile_stretch(const target_product *product);
// Type of a vector of the sums.
LLVMTypeRef tile_sum_type(const emit *e, const target_product *product);

// --- step.c: the inner step. Adds to the sums group `at` of those that begin at `a` and `b`, of which `count` elements
// are there (all, but for the last group of a constant k).
void step_emit(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count, LLVMValueRef *acc);

// Address arithmetic that may leave its object (prefetches run past the end of the weights).
LLVMValueRef tile_at(emit *e, LLVMValueRef base, LLVMValueRef bytes);
LLVMValueRef tile_at_constant(emit *e, LLVMValueRef base, int64_t bytes);
// base + i * bytes; i: i64.
LLVMValueRef tile_at_step(emit *e, LLVMValueRef base, LLVMValueRef i, int64_t bytes);
LLVMValueRef tile_mul(emit *e, LLVMValueRef x, int64_t y); // i64 x * y
void tile_prefetch(emit *e, LLVMValueRef p, bool write, int locality);

#endif
