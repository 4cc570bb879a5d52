// The register tile of AMX: up to 32 rows x 32 columns of C in four of the eight tiles, two tiles of A, two of B.
//
//              B0   B1          a step of k: 16 groups, 64 bytes of a row of A,
//         A0 | C0   C1                       1024 bytes of a panel of B
//         A1 | C2   C3
//
// All tiles are 16 rows x 64 bytes (backend/emit/thread_calls.c), and a last step is multiplied whole: rows of A are
// padded to 64 bytes with finite numbers, panels of B to 16 groups with zeros. So a row's sums do not depend on the rows
// beside it. The sums go to a small tile on the stack, where the epilogue takes them row by row: of the highest and widest
// tile in the next call, which multiplies meanwhile (tile_turn).
//
// The intrinsics name tiles by number, so LLVM neither moves nor spills them, and keeps their order. A is loaded by
// tileloaddt1, for its rows are read once for each panel and B's next lines are to stay: by as much as 13 % faster. Rows that
// the epilogue reads are not asked for beforehand, as other tiles do: the loads of A would wait behind them.
#include "backend/matmul/tile_function.h"

enum { C_TILE = 0, A_TILE = 4, B_TILE = 6 };

static LLVMValueRef number(emit *e, int which) {
    return LLVMConstInt(e->i8, (unsigned)which, false);
}

static void load(emit *e, const char *intrinsic, int which, LLVMValueRef p, int64_t row_bytes) {
    build_intrinsic(e, intrinsic, 0, NULL, 3,
                    (LLVMValueRef[]){number(e, which), p, build_const_i64(e, row_bytes)});
}

static void store(emit *e, int which, LLVMValueRef p, int64_t row_bytes) {
    build_intrinsic(e, "llvm.x86.tilestored64", 0, NULL, 3,
                    (LLVMValueRef[]){number(e, which), p, build_const_i64(e, row_bytes)});
}

static int heights(const tile *t) {
    return t->rows / AMX_ROWS;
}

static int c_tile(const tile *t, int i, int j) {
    return C_TILE + i * t->vectors + j;
}

// Where tile (i, j) of rows `row_bytes` apart begins.
static LLVMValueRef c_at(emit *e, LLVMValueRef c, int64_t row_bytes, int i, int j) {
    return tile_at_constant(e, c, i * AMX_ROWS * row_bytes + (int64_t)j * AMX_ROW_BYTES);
}

static void begin_sum(emit *e, const tile *t, int i, int j) {
    int which = c_tile(t, i, j);
    LLVMValueRef n = number(e, which);
    if (t->accumulate)
        load(e, "llvm.x86.tileloadd64", which, c_at(e, t->c, t->ldc, i, j), t->ldc);
    else if (t->start_row)
        load(e, "llvm.x86.tileloadd64", which, c_at(e, tile_param_start(t), t->start_row, i, j),
             t->start_row);
    else
        build_intrinsic(e, "llvm.x86.tilezero", 0, NULL, 1, &n);
}

static void begin_sums(emit *e, const tile *t) {
    for (int i = 0; i < heights(t); i++)
        for (int j = 0; j < t->vectors; j++) begin_sum(e, t, i, j);
}

static const char *dot(const target_product *p) {
    return p->left == ELEM_BF16 ? "llvm.x86.tdpbf16ps" : "llvm.x86.tdpbusd";
}

static void load_left(emit *e, const tile *t, LLVMValueRef a, int i) {
    load(e, "llvm.x86.tileloaddt164", A_TILE + i, tile_at_constant(e, a, i * AMX_ROWS * t->lda), t->lda);
}

static void load_right(emit *e, const tile *t, LLVMValueRef b, int j) {
    load(e, "llvm.x86.tileloadd64", B_TILE + j, tile_at_constant(e, b, j * t->panel), GROUP_BYTES);
}

static void multiply_add(emit *e, const tile *t, int i, int j) {
    build_intrinsic(
        e, dot(t->product), 0, NULL, 3,
        (LLVMValueRef[]){number(e, c_tile(t, i, j)), number(e, A_TILE + i), number(e, B_TILE + j)});
}

// A step of k.
static void step(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b) {
    for (int j = 0; j < t->vectors; j++) {
        load_right(e, t, b, j);
        for (int i = 0; i < heights(t); i++) {
            if (j == 0) load_left(e, t, a, i);
            multiply_add(e, t, i, j);
        }
    }
}

// The lines of a step that begin in the next bytes of each stream: what other products fetch in four turns. With many row
// tiles a stream stays within a line for several steps; one that is asked for again would cost as much of L2's time as a
// line of A.
static void fetch_lines(emit *e, const tile *t, LLVMValueRef ahead, LLVMValueRef bytes) {
    LLVMValueRef behind = LLVMBuildNeg(e->b, LLVMBuildPtrToInt(e->b, ahead, e->i64, ""), "");
    loop line = build_loop(e, LLVMBuildAnd(e->b, behind, build_const_i64(e, 63), ""), bytes, 64, "line");
    for (int i = 0; i < t->line_count; i++)
        tile_prefetch(e, tile_at_constant(e, tile_at(e, ahead, line.index), t->lines[i]), false, 2);
    build_loop_end(e, &line);
}

static void fetch_next(emit *e, const tile *t, LLVMValueRef next) {
    LLVMBasicBlockRef end = build_if(e, LLVMBuildIsNotNull(e->b, tile_param(t, PARAM_NEXT), ""));
    for (int turn = 0; turn < AMX_ROWS / TILE_UNROLL; turn++)
        tile_prefetch(e, tile_at_constant(e, next, turn * TILE_NEXT_BYTES), false, 2);
    build_if_end(e, end);
}

// Prefetches of one step; where the streams go on.
static LLVMValueRef fetch(emit *e, const tile *t, LLVMValueRef ahead, LLVMValueRef next) {
    if (t->next) fetch_next(e, t, next);
    if (!t->line_count) return ahead;
    LLVMValueRef bytes = tile_mul(e, tile_param(t, PARAM_STEP), AMX_ROWS / TILE_UNROLL);
    fetch_lines(e, t, ahead, bytes);
    return tile_at(e, ahead, bytes);
}

// What the steps of k carry on.
typedef struct walk {
    LLVMValueRef a, b, ahead, next; // next: NULL where there is none
} walk;

static walk walk_begin(const tile *t) {
    return (walk){tile_param(t, PARAM_A), tile_param(t, PARAM_B), tile_param(t, PARAM_AHEAD),
                  t->next ? tile_param(t, PARAM_NEXT) : NULL};
}

// The prefetches of a step, and the walk behind it.
static walk walk_on(emit *e, const tile *t, const walk *w) {
    walk on = {.a = tile_at_constant(e, w->a, AMX_ROW_BYTES),
               .b = tile_at_constant(e, w->b, AMX_ROWS * GROUP_BYTES),
               .ahead = fetch(e, t, w->ahead, w->next)};
    if (w->next) on.next = tile_at_constant(e, w->next, AMX_ROWS / TILE_UNROLL * TILE_NEXT_BYTES);
    return on;
}

// Steps until the first panel of B ends at `end`; `sums` (NULL: none): each one finishes sums->count rows of them, from
// sums->first on, which goes on.
static walk k_loop(emit *e, const tile *t, const walk *from, LLVMValueRef end, tile_sums *sums) {
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->context, t->function, "k");
    LLVMBasicBlockRef exit = LLVMAppendBasicBlockInContext(e->context, t->function, "done");
    LLVMBuildBr(e->b, body);
    LLVMPositionBuilderAtEnd(e->b, body);
    walk w = {tile_phi(e, from->a, before), tile_phi(e, from->b, before), tile_phi(e, from->ahead, before),
              NULL};
    if (t->next) w.next = tile_phi(e, from->next, before);
    LLVMValueRef row = sums ? tile_phi(e, sums->first, before) : NULL;
    step(e, t, w.a, w.b);
    walk on = walk_on(e, t, &w);
    if (sums) {
        sums->first = row;
        t->finish(e, t, sums);
        LLVMValueRef after = LLVMBuildAdd(e->b, row, build_const_i64(e, sums->count), "");
        LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
        LLVMAddIncoming(row, &after, &here, 1);
        sums->first = after;
    }
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMAddIncoming(w.a, &on.a, &latch, 1);
    LLVMAddIncoming(w.b, &on.b, &latch, 1);
    LLVMAddIncoming(w.ahead, &on.ahead, &latch, 1);
    if (t->next) LLVMAddIncoming(w.next, &on.next, &latch, 1);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, on.b, end, ""), body, exit);
    LLVMPositionBuilderAtEnd(e->b, exit);
    return on;
}

static void store_sums(emit *e, const tile *t, LLVMValueRef to, int64_t row_bytes) {
    for (int i = 0; i < heights(t); i++)
        for (int j = 0; j < t->vectors; j++)
            store(e, c_tile(t, i, j), c_at(e, to, row_bytes, i, j), row_bytes);
}

// Where the first panel of B ends, behind so many groups of k, rounded up to whole steps.
static LLVMValueRef end_of(emit *e, const tile *t, LLVMValueRef groups) {
    LLVMValueRef up = LLVMBuildAdd(e->b, groups, build_const_i64(e, AMX_ROWS - 1), "");
    LLVMValueRef whole = LLVMBuildAnd(e->b, up, build_const_i64(e, -AMX_ROWS), "");
    return tile_at(e, tile_param(t, PARAM_B), tile_mul(e, whole, GROUP_BYTES));
}

static void multiply(emit *e, const tile *t) {
    LLVMValueRef groups = t->k ? build_const_i64(e, tile_groups(t->product, t->k)) : tile_param_k(t);
    walk w = walk_begin(t);
    begin_sums(e, t);
    k_loop(e, t, &w, end_of(e, t, groups), NULL);
}

static tile_sums stacked(emit *e, const tile *t) {
    int64_t row_bytes = (int64_t)t->vectors * AMX_ROW_BYTES;
    return (tile_sums){.memory = tile_stack(e, t, t->rows * row_bytes), .row_bytes = row_bytes};
}

// The first step: the sums of the block before leave each tile as this block's begin in it.
static walk take_over(emit *e, const tile *t, const tile_sums *sums) {
    walk w = walk_begin(t);
    for (int j = 0; j < t->vectors; j++) load_right(e, t, w.b, j);
    for (int i = 0; i < heights(t); i++) {
        load_left(e, t, w.a, i);
        for (int j = 0; j < t->vectors; j++) {
            store(e, c_tile(t, i, j), c_at(e, sums->memory, sums->row_bytes, i, j), sums->row_bytes);
            begin_sum(e, t, i, j);
            multiply_add(e, t, i, j);
        }
    }
    return walk_on(e, t, &w);
}

// Steps of which each finishes `rows` rows of the block before, up to where the panel ends behind `end` steps.
static walk finish_rows(emit *e, const tile *t, const walk *from, tile_sums *sums, int rows, int64_t end) {
    sums->count = rows;
    return k_loop(e, t, from, end_of(e, t, build_const_i64(e, end * AMX_ROWS)), rows ? sums : NULL);
}

// The rows are dealt to the steps as evenly as they go: then the epilogue is hidden behind as many products as there are.
static void multiply_and_finish_before(emit *e, const tile *t) {
    tile_sums sums = stacked(e, t);
    int64_t steps = ceil_div(tile_groups(t->product, t->k), AMX_ROWS), each = t->rows / (steps - 1),
            more = t->rows % (steps - 1);
    walk w = take_over(e, t, &sums);
    sums.first = build_const_i64(e, 0);
    if (more) w = finish_rows(e, t, &w, &sums, (int)each + 1, 1 + more);
    if (more < steps - 1) finish_rows(e, t, &w, &sums, (int)each, steps);
}

void tile_amx_body(emit *e, const tile *t) {
    switch (t->turn) {
    case TURN_FIRST: multiply(e, t); return;
    case TURN_BETWEEN: multiply_and_finish_before(e, t); return;
    case TURN_ALONE: multiply(e, t); break;
    case TURN_LAST: break;
    }
    tile_sums sums = {.memory = t->c, .row_bytes = t->ldc};
    if (t->finish) sums = stacked(e, t);
    store_sums(e, t, sums.memory, sums.row_bytes);
    if (t->finish) t->finish(e, t, &sums);
}
