// Sweeps: rows by vectors with a masked tail, loads and stores of every element type, accumulators.
#include "backend/emit/view.h"

#include <assert.h>
#include <string.h>

// What lies in memory: i1 takes a byte.
static LLVMTypeRef stored(const emit *e, elem x, int width) {
    if (x != ELEM_I1) return view_elem(e, x, width);
    return width == 1 ? e->i8 : LLVMVectorType(e->i8, (unsigned)width);
}

LLVMValueRef view_stack(emit *e, LLVMTypeRef t) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(LLVMGetBasicBlockParent(here));
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(e->b, first);
    else
        LLVMPositionBuilderAtEnd(e->b, entry);
    LLVMValueRef at = LLVMBuildAlloca(e->b, t, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return at;
}

// --- The loop

enum { PART_SLOTS, PART_VECTORS, PART_TAIL, PART_END };

sweep sweep_begin(emit *e, LLVMValueRef n, int width, int slots) {
    assert(slots <= SWEEP_SLOTS);
    return (sweep){.e = e, .n = n, .full = build_const_i64(e, 0), .width = width, .slots = slots, .part = -1};
}

sweep sweep_part(emit *e, LLVMValueRef begin, LLVMValueRef n, int width, int slots) {
    sweep s = sweep_begin(e, n, width, slots);
    s.begin = begin;
    return s;
}

// n rounded down to a multiple of `step`.
static LLVMValueRef whole(emit *e, LLVMValueRef n, int64_t step) {
    LLVMValueRef k = build_const_i64(e, step);
    return LLVMBuildNSWMul(e->b, LLVMBuildUDiv(e->b, n, k, ""), k, "");
}

static LLVMValueRef lane_numbers(emit *e, int width) {
    LLVMValueRef index[64];
    assert(width <= 64);
    for (int i = 0; i < width; i++) index[i] = LLVMConstInt(e->i32, (unsigned)i, false);
    return LLVMConstVector(index, (unsigned)width);
}

static LLVMValueRef tail_mask(const sweep *s) {
    emit *e = s->e;
    LLVMValueRef left = LLVMBuildTrunc(e->b, LLVMBuildSub(e->b, s->n, s->index, ""), e->i32, "");
    LLVMValueRef count = build_splat(e, left, s->width);
    return LLVMBuildICmp(e->b, LLVMIntSLT, lane_numbers(e, s->width), count, "");
}

// Is the part known to be empty?
static bool empty_part(const sweep *s, LLVMValueRef to) {
    if (s->part == PART_SLOTS && s->slots == 1) return true;
    if (s->part == PART_TAIL && s->width == 1) return true;
    return LLVMIsConstant(s->full) && LLVMIsConstant(to) &&
           LLVMConstIntGetSExtValue(s->full) >= LLVMConstIntGetSExtValue(to);
}

// The place of element i of the sweep in its row.
static LLVMValueRef in_row(const sweep *s, LLVMValueRef i) {
    return s->begin ? LLVMBuildNSWAdd(s->e->b, s->begin, i, "") : i;
}

static void open_part(sweep *s, LLVMValueRef to, int64_t step) {
    emit *e = s->e;
    s->l = build_loop(e, s->full, to, step, "sweep");
    // The tail of a row of known length is one vector at a known place.
    bool known = s->part == PART_TAIL && LLVMIsConstant(s->full);
    assert(!s->begin || s->part != PART_TAIL);
    s->index = in_row(s, known ? s->full : s->l.index);
    s->mask = s->part == PART_TAIL ? tail_mask(s) : NULL;
    s->slot = 0;
    s->full = to;
}

bool sweep_next(sweep *s) {
    emit *e = s->e;
    if (s->part == PART_SLOTS && s->slot + 1 < s->slots) {
        s->slot++;
        s->index = LLVMBuildNSWAdd(e->b, s->l.index, build_const_i64(e, (int64_t)s->slot * s->width), "");
        s->index = in_row(s, s->index);
        return true;
    }
    if (s->part >= 0) build_loop_end(e, &s->l);
    while (++s->part < PART_END) {
        int64_t step = s->part == PART_SLOTS ? (int64_t)s->width * s->slots : s->width;
        LLVMValueRef to = s->part == PART_TAIL ? s->n : whole(e, s->n, step);
        if (empty_part(s, to)) continue;
        open_part(s, to, step);
        return true;
    }
    return false;
}

// --- Loads and stores

static view lane(const sweep *s, const view *row) {
    view r = *row;
    if (r.type.rank > 0) view_step(s->e, &r, s->index, r.stride[0]);
    return r;
}

// Up to LLVM 21 the alignment is an operand before the mask; then it became an attribute of the pointer.
static LLVMValueRef masked(const sweep *s, const char *name, LLVMValueRef v, LLVMValueRef at,
                           LLVMValueRef other, unsigned align) {
    emit *e = s->e;
    LLVMTypeRef types[] = {LLVMTypeOf(v ? v : other), e->ptr};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    bool operand = LLVMCountParamTypes(LLVMIntrinsicGetType(e->context, id, types, 2)) == 4;
    LLVMValueRef args[4];
    int n = 0;
    if (v) args[n++] = v;
    args[n++] = at;
    if (operand) args[n++] = LLVMConstInt(e->i32, align, false);
    args[n++] = s->mask;
    if (other) args[n++] = other;
    LLVMValueRef call = build_intrinsic(e, name, 2, types, n, args);
    if (!operand) {
        unsigned kind = LLVMGetEnumAttributeKindForName("align", strlen("align"));
        LLVMAddCallSiteAttribute(call, v ? 2 : 1, LLVMCreateEnumAttribute(e->context, kind, align));
    }
    return call;
}

// i1 from its byte.
static LLVMValueRef from_memory(emit *e, elem x, LLVMValueRef v) {
    if (x != ELEM_I1) return v;
    return LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

// The byte that holds the first of the view's i4s.
static LLVMValueRef nibble_byte(emit *e, const view *at) {
    if (!at->skipped) return at->base;
    return build_gep(e, at->base, LLVMBuildLShr(e->b, at->skipped, build_const_i64(e, 1), ""));
}

// By how many bits its nibble is shifted up in that byte, i8.
static LLVMValueRef nibble_shift(emit *e, const view *at) {
    if (!at->odd || !at->skipped) return LLVMConstInt(e->i8, 0, false);
    LLVMValueRef odd = LLVMBuildTrunc(e->b, at->skipped, e->i8, "");
    odd = LLVMBuildAnd(e->b, odd, LLVMConstInt(e->i8, 1, false), "");
    return LLVMBuildShl(e->b, odd, LLVMConstInt(e->i8, 2, false), "");
}

static LLVMValueRef load_one(emit *e, const view *at) {
    elem x = at->type.e;
    if (x != ELEM_I4)
        return from_memory(e, x, build_load(e, stored(e, x, 1), at->base, (unsigned)elem_size(x)));
    LLVMValueRef byte = build_load(e, e->i8, nibble_byte(e, at), 1);
    return nibbles_signed(e, LLVMBuildLShr(e->b, byte, nibble_shift(e, at), ""));
}

static void store_one(emit *e, const view *at, LLVMValueRef v) {
    elem x = at->type.e;
    if (x == ELEM_I1) v = LLVMBuildZExt(e->b, v, e->i8, "");
    if (x != ELEM_I4) {
        build_store(e, v, at->base, (unsigned)elem_size(x));
        return;
    }
    LLVMValueRef address = nibble_byte(e, at), shift = nibble_shift(e, at),
                 low = LLVMConstInt(e->i8, 15, false);
    LLVMValueRef kept = LLVMBuildNot(e->b, LLVMBuildShl(e->b, low, shift, ""), "");
    kept = LLVMBuildAnd(e->b, build_load(e, e->i8, address, 1), kept, "");
    v = LLVMBuildShl(e->b, LLVMBuildAnd(e->b, v, low, ""), shift, "");
    build_store(e, LLVMBuildOr(e->b, kept, v, ""), address, 1);
}

// A row in panels: 4 bytes here, the next ones 64 bytes on. It is read in whole groups, which are there past its end too.
static LLVMValueRef load_groups(const sweep *s, const view *row) {
    emit *e = s->e;
    elem x = row->type.e;
    int64_t size = (int64_t)elem_size(x), each = 4 / size, n = s->width * size / 4;
    LLVMValueRef of = build_const_i64(e, each), line = build_const_i64(e, PANEL_COLUMNS * 4);
    LLVMValueRef at = LLVMBuildNSWMul(e->b, LLVMBuildUDiv(e->b, s->index, of, ""), line, "");
    if (s->width == 1) {
        LLVMValueRef in =
            LLVMBuildNSWMul(e->b, LLVMBuildURem(e->b, s->index, of, ""), build_const_i64(e, size), "");
        at = LLVMBuildNSWAdd(e->b, at, in, "");
        return build_load(e, stored(e, x, 1), build_gep(e, row->base, at), (unsigned)size);
    }
    LLVMValueRef base = build_gep(e, row->base, at),
                 words = LLVMGetPoison(LLVMVectorType(e->i32, (unsigned)n));
    for (int i = 0; i < n; i++) {
        LLVMValueRef p = build_gep(e, base, build_const_i64(e, i * PANEL_COLUMNS * 4));
        words = LLVMBuildInsertElement(e->b, words, build_load(e, e->i32, p, 4),
                                       LLVMConstInt(e->i32, (unsigned)i, false), "");
    }
    return LLVMBuildBitCast(e->b, words, stored(e, x, s->width), "");
}

LLVMValueRef sweep_load(const sweep *s, const view *row) {
    emit *e = s->e;
    elem x = row->type.e;
    unsigned align = (unsigned)elem_size(x);
    bool spread = row->type.rank == 0 || row->stride[0] == 0;
    if (row->immediate) return s->width == 1 ? row->immediate : build_splat(e, row->immediate, s->width);
    if (spread) {
        LLVMValueRef v = load_one(e, row);
        return s->width == 1 ? v : build_splat(e, v, s->width);
    }
    if (row->groups) return load_groups(s, row);
    view at = lane(s, row);
    if (s->width == 1) return load_one(e, &at);
    assert(row->stride[0] == 1);
    if (x == ELEM_I4) return nibbles_load(e, nibble_byte(e, &at), s->width);
    LLVMTypeRef t = stored(e, x, s->width);
    bool all = !s->mask || row->padded;
    return from_memory(e, x,
                       all ? build_load(e, t, at.base, align)
                           : masked(s, "llvm.masked.load", NULL, at.base, LLVMConstNull(t), align));
}

void sweep_store(const sweep *s, const view *row, LLVMValueRef v) {
    emit *e = s->e;
    elem x = row->type.e;
    unsigned align = (unsigned)elem_size(x);
    view at = lane(s, row);
    if (s->width == 1) {
        store_one(e, &at, v);
        return;
    }
    assert(row->stride[0] == 1);
    if (x == ELEM_I1) v = LLVMBuildZExt(e->b, v, stored(e, x, s->width), "");
    // the padding must hold finite values
    if (s->mask && row->padded) v = LLVMBuildSelect(e->b, s->mask, v, LLVMConstNull(LLVMTypeOf(v)), "");
    if (x == ELEM_I4)
        nibbles_store(e, v, nibble_byte(e, &at), s->width);
    else if (!s->mask || row->padded)
        build_store(e, v, at.base, align);
    else
        masked(s, "llvm.masked.store", v, at.base, NULL, align);
}

LLVMValueRef sweep_masked(const sweep *s, LLVMValueRef v, double other) {
    if (!s->mask) return v;
    LLVMValueRef k = build_splat(s->e, build_const_f32(s->e, other), s->width);
    return LLVMBuildSelect(s->e->b, s->mask, v, k, "");
}

bool sweep_vectors(const emit *e, const view *row) {
    if (row->immediate || row->type.rank == 0 || row->stride[0] == 0) return true;
    if (row->type.e != ELEM_I4 || row->stride[0] != 1) return row->stride[0] == 1;
    dim d = row->type.d[0];
    bool whole = row->padded || (d.s == SYM_NONE && d.n % e->width == 0);
    return whole && !row->odd && e->width > 1;
}

sweep sweep_of(emit *e, const view *row, int n, const view *const *rows) {
    bool vectors = row->type.rank > 0;
    for (int i = 0; i < n; i++) {
        const view *r = rows[i];
        if (!sweep_vectors(e, r)) vectors = false;
    }
    LLVMValueRef length = row->type.rank > 0 ? row->size[0] : build_const_i64(e, 1);
    return sweep_begin(e, length, vectors ? e->width : 1, 1);
}

LLVMValueRef sweep_lanes(const sweep *s) {
    return lane_numbers(s->e, s->width);
}

// --- Accumulators

accumulator accumulator_make(emit *e, int width, int n, double start) {
    accumulator a = {.type = view_elem(e, ELEM_F32, width), .n = n};
    LLVMValueRef first = build_const_f32(e, start);
    if (width > 1) first = build_splat(e, first, width);
    for (int i = 0; i < n; i++) {
        a.at[i] = view_stack(e, a.type);
        LLVMBuildStore(e->b, first, a.at[i]);
    }
    return a;
}

LLVMValueRef accumulator_get(const sweep *s, const accumulator *a) {
    return LLVMBuildLoad2(s->e->b, a->type, a->at[s->slot], "");
}

void accumulator_set(const sweep *s, const accumulator *a, LLVMValueRef v) {
    LLVMBuildStore(s->e->b, v, a->at[s->slot]);
}

static LLVMValueRef larger(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
}

static LLVMValueRef collapse(emit *e, const accumulator *a, bool maximum) {
    LLVMValueRef v[SWEEP_SLOTS];
    for (int i = 0; i < a->n; i++) v[i] = LLVMBuildLoad2(e->b, a->type, a->at[i], "");
    for (int n = a->n; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            v[i] =
                maximum ? larger(e, v[2 * i], v[2 * i + 1]) : LLVMBuildFAdd(e->b, v[2 * i], v[2 * i + 1], "");
    if (LLVMGetTypeKind(a->type) != LLVMVectorTypeKind) return v[0];
    return maximum ? build_reduce_max(e, v[0]) : build_reduce_add(e, v[0]);
}

LLVMValueRef accumulator_sum(emit *e, const accumulator *a) {
    return collapse(e, a, false);
}
LLVMValueRef accumulator_max(emit *e, const accumulator *a) {
    return collapse(e, a, true);
}
