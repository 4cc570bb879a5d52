// Moves the rows of one head between memory and the layouts that the register tiles read and write.
#include "backend/attention/attention.h"

#include <assert.h>

// void (ptr, i64, ptr); the builder at its entry.
static LLVMValueRef begin(emit *e, const char *name) {
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr};
    return build_helper(e, name, NULL, 3, params);
}

// `lanes` elements at element `at` of a row.
static LLVMValueRef load_lanes(emit *e, elem x, LLVMValueRef row, int64_t at, int lanes) {
    LLVMValueRef from = tile_at_constant(e, row, elem_bytes(x, at));
    return build_load(e, view_elem(e, x, lanes), from, (unsigned)elem_size(x));
}

static void store_lanes(emit *e, elem x, LLVMValueRef v, LLVMValueRef row, int64_t at) {
    build_store(e, v, tile_at_constant(e, row, elem_bytes(x, at)), (unsigned)elem_size(x));
}

LLVMValueRef attention_numbers(emit *e, const heads *x, elem from, LLVMValueRef v) {
    return cast_op(e, x->as, x->read, cast_op(e, from, x->as, v));
}

// The same of a row of heads, as the product reads them.
static LLVMValueRef load_numbers(emit *e, const heads *x, LLVMValueRef row, int64_t at, int lanes) {
    return attention_numbers(e, x, x->e, load_lanes(e, x->e, row, at, lanes));
}

// The address of row i, or of the last of `count` rows, `ld` bytes apart.
static LLVMValueRef row_at(emit *e, LLVMValueRef rows, LLVMValueRef i, LLVMValueRef count, int64_t ld) {
    LLVMValueRef last = LLVMBuildSub(e->b, count, build_const_i64(e, 1), "");
    LLVMValueRef within = LLVMBuildICmp(e->b, LLVMIntSLT, i, last, "");
    return tile_at(e, rows, tile_mul(e, LLVMBuildSelect(e->b, within, i, last, ""), ld));
}

static LLVMValueRef plus(emit *e, LLVMValueRef x, int64_t n) {
    return n == 0 ? x : LLVMBuildAdd(e->b, x, build_const_i64(e, n), "");
}

// Fetches the row that lies `rows` further on: each lies in a page of its own, where the hardware looks ahead
// no further.
static void fetch_ahead(emit *e, const heads *x, LLVMValueRef row, int64_t rows) {
    int64_t line = 64 / (int64_t)elem_size(x->e);
    for (int64_t c = 0; c < x->width; c += line)
        tile_prefetch(e, tile_at_constant(e, row, elem_bytes(x->e, rows * x->ld + c)), false, 3);
}

// Asks for this row of the next head, which is as a rule the next task's: other phases have driven the rows out of the core's
// own caches.
static void fetch_next_head(emit *e, const heads *x, LLVMValueRef row) {
    int64_t line = 64 / (int64_t)elem_size(x->e);
    if (x->count <= 1 || x->group > 1 || x->stride < x->width) return;
    for (int64_t c = 0; c < x->width; c += line)
        tile_prefetch(e, tile_at_constant(e, row, elem_bytes(x->e, x->stride + c)), false, 2);
}

// Copies `n` elements, not all of them whole vectors, to numbers that the product reads.
static void copy_row(emit *e, const heads *x, LLVMValueRef from, LLVMValueRef to, int64_t n) {
    int64_t whole = e->width * attention_group(x);
    for (int64_t at = 0, lanes; at < n; at += lanes) {
        lanes = at + whole <= n ? whole : 1;
        store_lanes(e, x->read, load_numbers(e, x, from, at, (int)lanes), to, at);
    }
}

// `n` floats, each times `share`, to elements of type x.
static void give_row(emit *e, LLVMValueRef from, elem x, LLVMValueRef to, int64_t n, LLVMValueRef share) {
    LLVMValueRef shares = build_splat(e, share, e->width);
    for (int64_t at = 0, lanes; at < n; at += lanes) {
        lanes = at + e->width <= n ? e->width : 1;
        LLVMValueRef v = load_lanes(e, ELEM_F32, from, at, (int)lanes);
        v = LLVMBuildFMul(e->b, v, lanes > 1 ? shares : share, "");
        store_lanes(e, x, cast_op(e, ELEM_F32, x, v), to, at);
    }
}

// v[i][j] becomes v[j][i], in log2(width) rounds: in each, blocks of `s` lanes change places across rows that
// are `s` apart.
static void transpose(emit *e, LLVMValueRef *v) {
    int w = e->width;
    for (int s = 1; s < w; s *= 2) {
        LLVMValueRef low[64], high[64];
        assert(w <= 64);
        for (int l = 0; l < w; l++) {
            low[l] = LLVMConstInt(e->i32, (unsigned)(l & s ? w + l - s : l), false);
            high[l] = LLVMConstInt(e->i32, (unsigned)(l & s ? w + l : l + s), false);
        }
        LLVMValueRef pick_low = LLVMConstVector(low, (unsigned)w),
                     pick_high = LLVMConstVector(high, (unsigned)w);
        for (int i = 0; i < w; i++) {
            if (i & s) continue;
            LLVMValueRef a = v[i], b = v[i + s];
            v[i] = LLVMBuildShuffleVector(e->b, a, b, pick_low, "");
            v[i + s] = LLVMBuildShuffleVector(e->b, a, b, pick_high, "");
        }
    }
}

// `lanes` groups of a row's elements from element `at` on, each in a lane of 32 bits.
static LLVMValueRef load_groups(emit *e, const heads *x, LLVMValueRef row, int64_t at, int lanes) {
    int64_t group = attention_group(x);
    LLVMValueRef v = load_numbers(e, x, row, at, (int)(lanes * group));
    LLVMTypeRef t = lanes > 1 ? LLVMVectorType(e->f32, (unsigned)lanes) : e->f32;
    return LLVMBuildBitCast(e->b, v, t, "");
}

// The row's last group, where its elements are too few: one bf16, and a zero.
static LLVMValueRef load_last(emit *e, const heads *x, LLVMValueRef row) {
    LLVMValueRef v = load_numbers(e, x, row, x->width - 1, 1);
    return LLVMBuildBitCast(e->b, LLVMBuildZExt(e->b, v, e->i32, ""), e->f32, "");
}

void attention_fill(emit *e, const heads *x, LLVMValueRef row) {
    int64_t n = attention_filled(x) - x->width;
    if (n > 0) store_lanes(e, x->read, LLVMConstNull(view_elem(e, x->read, (int)n)), row, x->width);
}

// `width` keys from key i on, as columns of the panel from `to` on.
static void pack_key_vectors(emit *e, const heads *x, LLVMValueRef rows, LLVMValueRef count, LLVMValueRef i,
                             LLVMValueRef to) {
    LLVMValueRef from[64], v[64];
    for (int k = 0; k < e->width; k++) {
        from[k] = row_at(e, rows, plus(e, i, k), count, elem_bytes(x->e, x->ld));
        fetch_ahead(e, x, from[k], PANEL_COLUMNS);
        fetch_next_head(e, x, from[k]);
    }
    int64_t c = 0, group = attention_group(x), whole = x->width / group;
    for (; c + e->width <= whole; c += e->width) {
        for (int k = 0; k < e->width; k++) v[k] = load_groups(e, x, from[k], c * group, e->width);
        transpose(e, v);
        for (int k = 0; k < e->width; k++) {
            build_store(e, v[k], tile_at_constant(e, to, (c + k) * GROUP_BYTES), (unsigned)e->width * 4);
        }
    }
    for (; c < ceil_div(x->width, group); c++) {
        for (int k = 0; k < e->width; k++) {
            LLVMValueRef g = c < whole ? load_groups(e, x, from[k], c * group, 1) : load_last(e, x, from[k]);
            build_store(e, g, tile_at_constant(e, to, c * GROUP_BYTES + k * 4), 4);
        }
    }
    for (; c < attention_filled(x) / group; c++)
        build_store(e, LLVMConstNull(e->vf), tile_at_constant(e, to, c * GROUP_BYTES),
                    (unsigned)e->width * 4);
}

LLVMValueRef attention_pack_keys(emit *e, const heads *x) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, "attention.keys"), count = LLVMGetParam(f, 1);
    loop panel = build_loop(e, build_const_i64(e, 0), count, PANEL_COLUMNS, "panel");
    int64_t key_bytes = attention_panel_bytes(x) / PANEL_COLUMNS;
    LLVMValueRef to = tile_at_step(e, LLVMGetParam(f, 2), panel.index, key_bytes);
    loop part = build_loop(e, build_const_i64(e, 0), build_const_i64(e, PANEL_COLUMNS), e->width, "part");
    LLVMValueRef first = LLVMBuildAdd(e->b, panel.index, part.index, "");
    pack_key_vectors(e, x, LLVMGetParam(f, 0), count, first, tile_at(e, to, tile_mul(e, part.index, 4)));
    build_loop_end(e, &part);
    build_loop_end(e, &panel);
    return build_helper_end(e, f, NULL, caller);
}

// PANEL_COLUMNS elements of two rows by turns, from element `start` of a and b on.
static LLVMValueRef by_turns(emit *e, LLVMValueRef a, LLVMValueRef b, int64_t start) {
    LLVMValueRef pick[2 * PANEL_COLUMNS];
    int64_t lanes = LLVMGetVectorSize(LLVMTypeOf(a));
    for (int i = 0; i < 2 * PANEL_COLUMNS; i++)
        pick[i] = LLVMConstInt(e->i32, (unsigned long long)(start + i / 2 + i % 2 * lanes), false);
    return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(pick, 2 * PANEL_COLUMNS), "");
}

// A group of two rows of values into all panels: two panels at a time, or one, or an element.
static void pack_pair(emit *e, const heads *x, const LLVMValueRef *from, LLVMValueRef to, int64_t panel) {
    for (int64_t c = 0, lanes; c < x->width; c += lanes) {
        int64_t whole = (x->width - c) / PANEL_COLUMNS;
        lanes = whole > 0 ? (whole > 1 ? 2 : 1) * PANEL_COLUMNS : 1;
        LLVMValueRef a = load_numbers(e, x, from[0], c, (int)lanes),
                     b = load_numbers(e, x, from[1], c, (int)lanes);
        LLVMValueRef at = tile_at_constant(e, to, c / PANEL_COLUMNS * panel + c % PANEL_COLUMNS * 4);
        if (lanes == 1) {
            store_lanes(e, x->read, a, at, 0);
            store_lanes(e, x->read, b, at, 1);
        }
        for (int64_t k = 0; k < lanes / PANEL_COLUMNS; k++) {
            LLVMValueRef mixed = by_turns(e, a, b, k * PANEL_COLUMNS);
            build_store(e, mixed, tile_at_constant(e, at, k * panel), GROUP_BYTES);
        }
    }
}

static void pack_row(emit *e, const heads *x, LLVMValueRef from, LLVMValueRef to, int64_t panel) {
    for (int64_t c = 0; c < x->width; c += PANEL_COLUMNS) {
        int64_t n = x->width - c < PANEL_COLUMNS ? x->width - c : PANEL_COLUMNS;
        LLVMValueRef part = tile_at_constant(e, from, elem_bytes(x->e, c));
        copy_row(e, x, part, tile_at_constant(e, to, c / PANEL_COLUMNS * panel), n);
    }
}

LLVMValueRef attention_pack_values(emit *e, const heads *x, int64_t panel) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, "attention.values"), count = LLVMGetParam(f, 1), from[2];
    int64_t group = attention_group(x);
    assert(group <= 2);
    loop row = build_loop(e, build_const_i64(e, 0), attention_up_to(e, count, attention_whole_keys(x)), group,
                          "row");
    for (int k = 0; k < group; k++) {
        from[k] = row_at(e, LLVMGetParam(f, 0), plus(e, row.index, k), count, elem_bytes(x->e, x->ld));
        fetch_ahead(e, x, from[k], PANEL_COLUMNS);
        fetch_next_head(e, x, from[k]);
    }
    LLVMValueRef to = tile_at_step(e, LLVMGetParam(f, 2), row.index, GROUP_BYTES / group);
    if (group == 2)
        pack_pair(e, x, from, to, panel);
    else
        pack_row(e, x, from[0], to, panel);
    build_loop_end(e, &row);
    return build_helper_end(e, f, NULL, caller);
}

LLVMValueRef attention_take_rows(emit *e, const heads *x, int tile_rows, int64_t ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f = begin(e, "attention.queries");
    loop row = build_loop(e, build_const_i64(e, 0), build_const_i64(e, tile_rows), 1, "row");
    LLVMValueRef from = row_at(e, LLVMGetParam(f, 0), row.index, LLVMGetParam(f, 1), elem_bytes(x->e, x->ld));
    fetch_ahead(e, x, from, tile_rows); // the next tile's
    fetch_next_head(e, x, from);
    LLVMValueRef to = tile_at_step(e, LLVMGetParam(f, 2), row.index, elem_bytes(x->read, ld));
    copy_row(e, x, from, to, x->width);
    attention_fill(e, x, to);
    build_loop_end(e, &row);
    return build_helper_end(e, f, NULL, caller);
}

LLVMValueRef attention_give_rows(emit *e, int64_t width, int64_t ld, elem gives, int64_t out_ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr, e->ptr};
    LLVMValueRef f = build_helper(e, "attention.give", NULL, 4, params);
    loop row = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 1), 1, "row");
    LLVMValueRef from = tile_at_step(e, LLVMGetParam(f, 0), row.index, ld * 4);
    LLVMValueRef share = tile_at_step(e, LLVMGetParam(f, 3), row.index, 4);
    LLVMValueRef to = tile_at_step(e, LLVMGetParam(f, 2), row.index, elem_bytes(gives, out_ld));
    for (int64_t c = 0; c < elem_bytes(gives, width); c += 64) // the next head's
        tile_prefetch(e, tile_at_constant(e, to, elem_bytes(gives, width) + c), true, 2);
    give_row(e, from, gives, to, width, build_load(e, e->f32, share, 4));
    build_loop_end(e, &row);
    return build_helper_end(e, f, NULL, caller);
}
