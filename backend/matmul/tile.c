// The inner kernel of every product. A is read in place, row-major, a group of k broadcast at a time; B streams
// through in panels of PANEL_COLUMNS; the sums stay in registers. The only integer work in the loop is the
// advance of three pointers.
#include "backend/matmul/tile_function.h"

#include <assert.h>

// Lines that are asked for in L1 go through L2 and stay there when a wide tile pushes them out of L1. On Zen 5 memory then
// gives more than when they are asked for in L2 alone (docs/benchmarks.md, "Prefetched into L1"). A tile of one row loads
// as fast as memory gives, and its loads need the buffers of L1's misses that such requests would hold.
#define LOCALITY_L1 3
#define LOCALITY_L2 2

static int locality_ahead(const tile *t) {
    return t->rows == 1 ? LOCALITY_L2 : LOCALITY_L1;
}

int tile_vectors(const emit *e, const target_product *product, int rows, int64_t columns) {
    int registers = e->target->vector_registers, in_panel = PANEL_COLUMNS / e->width;
    int vectors = 1;
    if (columns == 0 || columns > product->columns) columns = product->columns;
    if (product->step == STEP_TILES) return (int)(columns / AMX_COLUMNS);
    for (int v = 1; rows * v + v + 1 <= registers; v++) {
        if (v % in_panel != 0 && in_panel % v != 0) continue;
        if ((int64_t)v * e->width <= columns) vectors = v;
    }
    return vectors;
}

static int64_t group_left_bytes(const tile *t) {
    return elem_bytes(t->product->left, t->product->group);
}

// Vectors of four floats take many operands a step, and LLVM's scheduler, which loads the next step's early,
// would spill for them: no load crosses this.
static void keep_apart(emit *e) {
    if (e->width == 4) LLVMBuildFence(e->b, LLVMAtomicOrderingSequentiallyConsistent, true, "");
}

// sum over `end - b` bytes of B, TILE_UNROLL steps at a time; leaves a, b and the sums where the loop ended.
static void k_loop(emit *e, const tile *t, LLVMValueRef *a, LLVMValueRef *b, LLVMValueRef end,
                   LLVMValueRef *acc) {
    int n = t->rows * t->vectors;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->context, f, "k");
    LLVMBasicBlockRef exit = LLVMAppendBasicBlockInContext(e->context, f, "done");
    LLVMBuildBr(e->b, body);
    LLVMPositionBuilderAtEnd(e->b, body);
    LLVMValueRef *sums = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (int i = 0; i < n; i++) acc[i] = sums[i] = tile_phi(e, acc[i], before);
    LLVMValueRef at_a = tile_phi(e, *a, before), at_b = tile_phi(e, *b, before);
    LLVMValueRef at_ahead = tile_phi(e, tile_param(t, PARAM_AHEAD), before);
    LLVMValueRef at_next = t->next ? tile_phi(e, tile_param(t, PARAM_NEXT), before) : NULL;
    int touched = 0;
    if (t->next) tile_prefetch(e, at_next, false, LOCALITY_L2);
    for (int u = 0; u < TILE_UNROLL; u++) {
        for (; touched < t->line_count * (u + 1) / TILE_UNROLL; touched++) {
            tile_prefetch(e, tile_at_constant(e, at_ahead, t->lines[touched]), false, locality_ahead(t));
        }
        if (u > 0) keep_apart(e);
        step_emit(e, t, at_a, at_b, u, t->product->group, acc);
    }
    *a = tile_at_constant(e, at_a, TILE_UNROLL * group_left_bytes(t));
    *b = tile_at_constant(e, at_b, TILE_UNROLL * GROUP_BYTES);
    LLVMValueRef next_ahead = tile_at(e, at_ahead, tile_param(t, PARAM_STEP));
    LLVMAddIncoming(at_a, a, &body, 1);
    LLVMAddIncoming(at_b, b, &body, 1);
    LLVMAddIncoming(at_ahead, &next_ahead, &body, 1);
    if (t->next) {
        LLVMValueRef on = tile_at_constant(e, at_next, TILE_NEXT_BYTES);
        LLVMAddIncoming(at_next, &on, &body, 1);
    }
    for (int i = 0; i < n; i++) LLVMAddIncoming(sums[i], &acc[i], &body, 1);
    LLVMValueRef more = LLVMBuildICmp(e->b, LLVMIntNE, *b, end, "");
    LLVMBuildCondBr(e->b, more, body, exit);
    LLVMPositionBuilderAtEnd(e->b, exit);
}

static void function_begin(emit *e, tile *t) {
    LLVMTypeRef params[8 + TILE_MAX_EXTRAS] = {e->ptr, e->ptr, e->ptr, e->ptr, e->i64};
    unsigned n = PARAM_NEXT;
    if (t->next) params[n++] = e->ptr;
    if (t->k == 0) params[n++] = e->i64;
    if (t->start_row) params[n++] = e->ptr;
    for (int i = 0; i < t->extra_count; i++) {
        t->extra[i] = NULL;
        params[n++] = e->ptr;
    }
    t->type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, n, false);
    t->function = build_function(e, t->name, t->type);
    build_attribute(e, t->function, "noinline");
    t->c = tile_param(t, PARAM_C);
    for (int i = 0; i < t->extra_count; i++) {
        t->extra[i] = LLVMGetParam(t->function, n - (unsigned)t->extra_count + (unsigned)i);
    }
}

static LLVMValueRef *first_sums(emit *e, const tile *t) {
    int n = t->rows * t->vectors;
    LLVMTypeRef of = tile_sum_type(e, t->product);
    LLVMValueRef *acc = ARENA_ARRAY(e->arena, LLVMValueRef, n);
    for (int i = 0; i < n; i++)
        acc[i] = t->accumulate
                     ? build_load(e, of, tile_c(e, t, i / t->vectors, i % t->vectors), (unsigned)e->width * 4)
                     : LLVMConstNull(of);
    return acc;
}

// The whole of k, with the sums in registers.
static tile_sums multiply(emit *e, const tile *t) {
    LLVMValueRef a = tile_param(t, PARAM_A), b = tile_param(t, PARAM_B);
    tile_sums sums = {.acc = first_sums(e, t)};
    tile_touch_rows(e, t);
    int64_t groups = tile_groups(t->product, t->k),
            whole = t->k / t->product->group / TILE_UNROLL * TILE_UNROLL;
    LLVMValueRef steps = t->k == 0 ? tile_param_k(t) : build_const_i64(e, whole);
    if (t->k == 0 || whole > 0) {
        LLVMValueRef end = tile_at(e, b, tile_mul(e, steps, GROUP_BYTES));
        k_loop(e, t, &a, &b, end, sums.acc);
    }
    for (int u = 0; u < groups - whole; u++) {
        int64_t left = t->k - (whole + u) * t->product->group;
        step_emit(e, t, a, b, u, (int)(left < t->product->group ? left : t->product->group), sums.acc);
    }
    return sums;
}

static void multiply_and_finish(emit *e, const tile *t) {
    tile_sums sums = multiply(e, t);
    if (t->finish)
        t->finish(e, t, &sums);
    else
        tile_store(e, t, sums.acc);
}

void tile_emit(emit *e, tile *t) {
    assert(t->extra_count <= TILE_MAX_EXTRAS && t->line_count <= TILE_MAX_LINES);
    assert((t->turn == TURN_ALONE && !t->start_row) || t->product->step == STEP_TILES);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    function_begin(e, t);
    if (t->product->step == STEP_TILES)
        tile_amx_body(e, t);
    else
        multiply_and_finish(e, t);
    LLVMBuildRetVoid(e->b);
    if (caller) LLVMPositionBuilderAtEnd(e->b, caller);
}

void tile_call(emit *e, const tile *t, const tile_args *x) {
    LLVMValueRef args[8 + TILE_MAX_EXTRAS] = {x->a, x->b, x->c, x->ahead, x->step};
    unsigned n = PARAM_NEXT;
    if (t->next) args[n++] = x->next;
    if (t->k == 0) args[n++] = x->k;
    if (t->start_row) args[n++] = x->start;
    for (int i = 0; i < t->extra_count; i++) args[n++] = x->extra[i];
    LLVMBuildCall2(e->b, t->type, t->function, args, n, "");
}
