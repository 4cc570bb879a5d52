#include "backend/matmul/panel_pack.h"

#include "backend/emit/view.h"
#include "backend/matmul/tile.h"

#define MOST_LANES 16

// A function that is emitted: its forms, and the numbers in a group.
typedef struct packer {
    panel_form f;
    int group;
    LLVMTypeRef lane; // an element in memory
    int64_t size;     // its bytes
} packer;

static packer packer_of(const emit *e, panel_form f) {
    bool f32 = f.from == ELEM_F32;
    return (packer){f, (int)packed_group(f.to), f32 ? e->f32 : e->i16, (int64_t)elem_size(f.from)};
}

// --- Vectors of groups

static LLVMValueRef lanes_of(emit *e, const int *pick, int n) {
    LLVMValueRef lanes[2 * MOST_LANES];
    for (int i = 0; i < n; i++) lanes[i] = LLVMConstInt(e->i32, (unsigned)pick[i], false);
    return LLVMConstVector(lanes, (unsigned)n);
}

static LLVMValueRef zeros(const packer *p, int lanes) {
    return LLVMConstNull(LLVMVectorType(p->lane, (unsigned)lanes));
}

// `lanes` elements at `from`, of which the first `there` are there.
static LLVMValueRef load_lanes(emit *e, const packer *p, LLVMValueRef from, int lanes, int there) {
    LLVMTypeRef t = LLVMVectorType(p->lane, (unsigned)lanes);
    if (there >= lanes) return build_load(e, t, from, (unsigned)p->size);
    LLVMValueRef v = LLVMConstNull(t);
    for (int i = 0; i < there; i++) {
        LLVMValueRef x = build_load(e, p->lane, tile_at_constant(e, from, i * p->size), (unsigned)p->size);
        v = LLVMBuildInsertElement(e->b, v, x, LLVMConstInt(e->i32, (unsigned)i, false), "");
    }
    return v;
}

// As they lie in a panel: a vector of 4 bytes a lane, whatever the elements.
static LLVMValueRef as_lanes(emit *e, LLVMValueRef v) {
    return LLVMBuildBitCast(e->b, v, e->vi, "");
}

// 2 * width numbers side by side become width groups of two.
static LLVMValueRef round_pairs(emit *e, const packer *p, LLVMValueRef v) {
    return as_lanes(e, cast_op(e, p->f.from, p->f.to, v));
}

// Groups of one column each: lane c holds number c of each of the rows.
static LLVMValueRef join_rows(emit *e, const packer *p, LLVMValueRef *rows) {
    if (p->group == 1) return as_lanes(e, rows[0]);
    int side[2 * MOST_LANES], mixed[2 * MOST_LANES], w = e->width;
    for (int i = 0; i < 2 * w; i++) side[i] = i, mixed[i] = i / 2 + (i % 2 ? w : 0);
    LLVMValueRef v = LLVMBuildShuffleVector(e->b, rows[0], rows[1], lanes_of(e, side, 2 * w), "");
    v = cast_op(e, p->f.from, p->f.to, v);
    return as_lanes(e, LLVMBuildShuffleVector(e->b, v, v, lanes_of(e, mixed, 2 * w), ""));
}

// Turns a block of width x width lanes round: v[i] is row i, then column i. Step s swaps, in each block of 2s x 2s, the two
// quarters beside the diagonal.
static void turn(emit *e, LLVMValueRef *v) {
    int n = e->width, low[MOST_LANES], high[MOST_LANES];
    for (int s = 1; s < n; s *= 2) {
        for (int j = 0; j < n; j++) {
            low[j] = j & s ? n + j - s : j;
            high[j] = j & s ? n + j : j + s;
        }
        for (int i = 0; i < n; i++) {
            if (i & s) continue;
            LLVMValueRef a = v[i], b = v[i + s];
            v[i] = LLVMBuildShuffleVector(e->b, a, b, lanes_of(e, low, n), "");
            v[i + s] = LLVMBuildShuffleVector(e->b, a, b, lanes_of(e, high, n), "");
        }
    }
}

static void store_lanes(emit *e, LLVMValueRef v, LLVMValueRef to) {
    build_store(e, v, to, (unsigned)e->width * 4);
}

// --- Rows, as they lie

// Of a group's rows the first `there`, which begin at `from`: columns [c, c + width).
static LLVMValueRef group_at(emit *e, const packer *p, LLVMValueRef from, LLVMValueRef stride, int there,
                             int c, int columns) {
    LLVMValueRef rows[2];
    for (int i = 0; i < p->group; i++) {
        rows[i] = zeros(p, e->width);
        if (i < there)
            rows[i] = load_lanes(e, p, tile_at_constant(e, from, c * p->size), e->width, columns - c);
        from = tile_at(e, from, stride);
    }
    return join_rows(e, p, rows);
}

// Group `group` (i64) of each panel, of which `there` rows are there.
static void pack_group(emit *e, const packer *p, LLVMValueRef f, LLVMValueRef group, int there, int64_t panel,
                       int columns) {
    LLVMValueRef stride = LLVMGetParam(f, 1);
    LLVMValueRef first = LLVMBuildMul(e->b, tile_mul(e, group, p->group), stride, "");
    LLVMValueRef from = tile_at(e, LLVMGetParam(f, 0), first);
    LLVMValueRef out = tile_at(e, LLVMGetParam(f, 3), tile_mul(e, group, GROUP_BYTES));
    loop panels = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 4), 1, "panel");
    from = tile_at(e, from, tile_mul(e, panels.index, PANEL_COLUMNS * p->size));
    out = tile_at(e, out, tile_mul(e, panels.index, panel));
    for (int c = 0; c < PANEL_COLUMNS; c += e->width) {
        LLVMValueRef lanes = group_at(e, p, from, stride, there, c, columns);
        store_lanes(e, lanes, tile_at_constant(e, out, c * 4));
    }
    build_loop_end(e, &panels);
}

LLVMValueRef panel_pack_rows(emit *e, panel_form form, int64_t panel, int columns) {
    packer p = packer_of(e, form);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "panel.rows", NULL, 5, params), count = LLVMGetParam(f, 2);
    LLVMValueRef group = build_const_i64(e, p.group), whole = LLVMBuildUDiv(e->b, count, group, "");
    loop groups = build_loop(e, build_const_i64(e, 0), whole, 1, "group");
    pack_group(e, &p, f, groups.index, p.group, panel, columns);
    build_loop_end(e, &groups);
    if (p.group > 1) {
        LLVMValueRef left = LLVMBuildURem(e->b, count, group, "");
        LLVMBasicBlockRef behind =
            build_if(e, LLVMBuildICmp(e->b, LLVMIntNE, left, build_const_i64(e, 0), ""));
        pack_group(e, &p, f, whole, 1, panel, columns);
        build_if_end(e, behind);
    }
    return build_helper_end(e, f, NULL, caller);
}

// --- Turned round

// Row c of the matrix, from its number `at` on.
static LLVMValueRef numbers_at(emit *e, const packer *p, LLVMValueRef f, int c, LLVMValueRef at) {
    LLVMValueRef row = LLVMBuildMul(e->b, LLVMGetParam(f, 1), build_const_i64(e, c), "");
    return tile_at(e, tile_at(e, LLVMGetParam(f, 0), tile_mul(e, at, p->size)), row);
}

static LLVMValueRef group_out(emit *e, const packer *p, LLVMValueRef f, LLVMValueRef at) {
    LLVMValueRef group = LLVMBuildUDiv(e->b, at, build_const_i64(e, p->group), "");
    return tile_at(e, LLVMGetParam(f, 3), tile_mul(e, group, GROUP_BYTES));
}

// Of the panel's columns, width groups from number `at` on.
static void turn_block(emit *e, const packer *p, LLVMValueRef f, LLVMValueRef at, int columns) {
    LLVMValueRef to = group_out(e, p, f, at);
    for (int c = 0; c < PANEL_COLUMNS; c += e->width) {
        LLVMValueRef v[MOST_LANES];
        for (int i = 0; i < e->width; i++) {
            int lanes = p->group * e->width;
            v[i] = zeros(p, lanes);
            if (c + i < columns) v[i] = load_lanes(e, p, numbers_at(e, p, f, c + i, at), lanes, lanes);
            v[i] = round_pairs(e, p, v[i]);
        }
        turn(e, v);
        for (int i = 0; i < e->width; i++)
            store_lanes(e, v[i], tile_at_constant(e, to, i * GROUP_BYTES + c * 4));
    }
}

// One group, of which `there` numbers are there.
static void turn_group(emit *e, const packer *p, LLVMValueRef f, LLVMValueRef at, int there, int columns) {
    LLVMValueRef to = group_out(e, p, f, at);
    for (int c = 0; c < PANEL_COLUMNS; c += e->width) {
        LLVMValueRef numbers[2];
        for (int i = 0; i < p->group; i++) {
            numbers[i] = zeros(p, e->width);
            LLVMValueRef next = LLVMBuildAdd(e->b, at, build_const_i64(e, i), "");
            for (int k = 0; k < e->width && c + k < columns && i < there; k++) {
                LLVMValueRef x = build_load(e, p->lane, numbers_at(e, p, f, c + k, next), (unsigned)p->size);
                numbers[i] =
                    LLVMBuildInsertElement(e->b, numbers[i], x, LLVMConstInt(e->i32, (unsigned)k, false), "");
            }
        }
        LLVMValueRef lanes = join_rows(e, p, numbers);
        store_lanes(e, lanes, tile_at_constant(e, to, c * 4));
    }
}

LLVMValueRef panel_pack_turned(emit *e, panel_form form, int columns) {
    packer p = packer_of(e, form);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr};
    LLVMValueRef f = build_helper(e, "panel.turned", NULL, 4, params), count = LLVMGetParam(f, 2);
    LLVMValueRef whole = LLVMBuildAnd(e->b, count, build_const_i64(e, -e->width * p.group), ""),
                 even = LLVMBuildAnd(e->b, count, build_const_i64(e, -p.group), "");
    loop blocks = build_loop(e, build_const_i64(e, 0), whole, e->width * p.group, "block");
    turn_block(e, &p, f, blocks.index, columns);
    build_loop_end(e, &blocks);
    loop rest = build_loop(e, whole, even, p.group, "rest");
    turn_group(e, &p, f, rest.index, p.group, columns);
    build_loop_end(e, &rest);
    if (p.group > 1) {
        LLVMBasicBlockRef behind = build_if(e, LLVMBuildICmp(e->b, LLVMIntSLT, even, count, ""));
        turn_group(e, &p, f, even, 1, columns);
        build_if_end(e, behind);
    }
    return build_helper_end(e, f, NULL, caller);
}

// --- Rows that are summed up

// Row `row` (i64) of those at `from`, of which `count` are there (NULL: all); those behind are zeros.
static LLVMValueRef row_lanes(emit *e, const packer *p, LLVMValueRef from, LLVMValueRef stride,
                              LLVMValueRef row, LLVMValueRef count) {
    LLVMValueRef there = NULL;
    if (count) {
        there = LLVMBuildICmp(e->b, LLVMIntSLT, row, count, "");
        row = LLVMBuildSelect(e->b, there, row, build_const_i64(e, 0), "");
    }
    LLVMValueRef v =
        load_lanes(e, p, tile_at(e, from, LLVMBuildMul(e->b, row, stride, "")), e->width, e->width);
    return count ? LLVMBuildSelect(e->b, there, v, zeros(p, e->width), "") : v;
}

// Groups of rows from row `first` on, as many as a vector has lanes; `count`: NULL where all their rows are there.
static void turn_rows(emit *e, const packer *p, LLVMValueRef f, LLVMValueRef first, LLVMValueRef count,
                      int64_t ld) {
    LLVMValueRef stride = LLVMGetParam(f, 1);
    loop blocks = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 4), e->width, "columns");
    LLVMValueRef from = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, blocks.index, p->size)), v[MOST_LANES];
    for (int i = 0; i < e->width; i++) {
        LLVMValueRef rows[2];
        for (int k = 0; k < p->group; k++) {
            LLVMValueRef row = LLVMBuildAdd(e->b, first, build_const_i64(e, i * p->group + k), "");
            rows[k] = row_lanes(e, p, from, stride, row, count);
        }
        v[i] = join_rows(e, p, rows);
    }
    turn(e, v);
    LLVMValueRef to = tile_at(e, LLVMGetParam(f, 3), tile_mul(e, blocks.index, ld));
    to = tile_at(e, to, tile_mul(e, first, (int64_t)elem_size(p->f.to)));
    for (int i = 0; i < e->width; i++) store_lanes(e, v[i], tile_at_constant(e, to, i * ld));
    build_loop_end(e, &blocks);
}

LLVMValueRef panel_turn_rows(emit *e, panel_form form, int64_t ld) {
    packer p = packer_of(e, form);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, "rows.turned", NULL, 5, params), count = LLVMGetParam(f, 2);
    LLVMValueRef whole = LLVMBuildAnd(e->b, count, build_const_i64(e, -e->width * p.group), "");
    loop rows = build_loop(e, build_const_i64(e, 0), whole, e->width * p.group, "rows");
    turn_rows(e, &p, f, rows.index, NULL, ld);
    build_loop_end(e, &rows);
    LLVMBasicBlockRef behind = build_if(e, LLVMBuildICmp(e->b, LLVMIntSLT, whole, count, ""));
    turn_rows(e, &p, f, whole, count, ld);
    build_if_end(e, behind);
    return build_helper_end(e, f, NULL, caller);
}
