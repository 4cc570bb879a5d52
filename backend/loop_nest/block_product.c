// The loop nest's products of f32 by the register tile (backend/matmul), where they are large enough: both operands are laid
// out in scratch as the tile reads them, however they lie. k ascends with one accumulator an element, as in product.c, so it
// changes no bit which of the two makes a product; the op alone says that, not the variant.
#include "backend/loop_nest/block_product.h"

#include "backend/matmul/panel_pack.h"

// Multiply-adds from which on it pays, of so many tokens a text.
#define LEAST_WORK   65536
#define COUNTED_AXIS 64

static const panel_form f32 = {ELEM_F32, ELEM_F32};

// One matrix product, and how its parts lie.
typedef struct block_product {
    loop_nest *n;
    emit *e;
    const panels *tile;
    view left, right, sums;         // scratch: rows, panels (a row each), rows
    view x, w, out;                 // [M,K], [K,N], [M,N]
    LLVMValueRef m, k, k4, columns; // sizes (i64); k4: k up to whole steps of four
    bool in_place, direct;          // the left operand is read, the result written, where it lies
} block_product;

static int64_t about(dim d) {
    return d.s == SYM_NONE ? d.n : COUNTED_AXIS;
}

// k that may be 0 is left to product.c.
static bool is_positive(dim d) {
    bool counted = d.s == SYM_L || d.s == SYM_T || d.s == SYM_S || d.s == SYM_M;
    return d.s == SYM_NONE || (counted && d.n >= 0);
}

static bool is_plain(const view *v) {
    return v->type.e == ELEM_F32 && v->type.layout == LAYOUT_ROW && !v->immediate;
}

static bool takes(const loop_nest *n, const view *x, const view *w, const view *out) {
    int r = out->type.rank;
    dim k = x->type.d[x->type.rank - 1];
    if (!is_plain(x) || !is_plain(w) || !is_plain(out) || !is_positive(k)) return false;
    if (!target_product_in_registers(n->e->target, ELEM_F32, ELEM_F32)) return false;
    double work = (double)about(out->type.d[r - 2]) * (double)about(out->type.d[r - 1]) * (double)about(k);
    return work >= LEAST_WORK;
}

// --- Laying out

static LLVMValueRef whole_steps(emit *e, LLVMValueRef x, int64_t step) {
    return LLVMBuildAnd(e->b, x, build_const_i64(e, -step), "");
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

// Rows [from, to) of `v`, from column `first` on, of which there are `count`, into rows of `out`, `step` numbers apart.
static void copy_rows(emit *e, const view *v, LLVMValueRef from, LLVMValueRef to, LLVMValueRef first,
                      LLVMValueRef count, LLVMValueRef out, int64_t step) {
    loop rows = build_loop(e, from, to, 1, "row");
    view row = view_at(e, v, rows.index);
    view_step(e, &row, first, row.stride[0]);
    view home = {.type = row.type, .size = {count}, .stride = {1}, .buffer = -1};
    home.base = build_gep(e, out, tile_mul(e, rows.index, step * 4));
    row.size[0] = count;
    row.padded = false;
    view_copy(e, &row, &home);
    build_loop_end(e, &rows);
}

// Zeros in columns [from, to) of rows [first, last).
static void clear_columns(emit *e, LLVMValueRef out, int64_t step, LLVMValueRef first, LLVMValueRef last,
                          LLVMValueRef from, LLVMValueRef to) {
    loop rows = build_loop(e, first, last, 1, "row");
    LLVMValueRef row = build_gep(e, out, tile_mul(e, rows.index, step * 4));
    loop l = build_loop(e, from, to, 1, "column");
    build_store(e, build_const_f32(e, 0), build_gep(e, row, tile_mul(e, l.index, 4)), 4);
    build_loop_end(e, &l);
    build_loop_end(e, &rows);
}

static void lay_out_left(const block_product *p) {
    emit *e = p->e;
    int64_t step = p->left.stride[0];
    LLVMValueRef zero = build_const_i64(e, 0), done = zero;
    if (p->in_place) return;
    if (p->x.stride[0] == 1 &&
        p->x.stride[1] != 1) { // turned round; what is left of the last vector row by row
        LLVMValueRef f = panel_turn_rows(e, f32, step * 4), columns = whole_steps(e, p->m, e->width);
        LLVMValueRef args[] = {p->x.base, build_const_i64(e, p->x.stride[1] * 4), p->k, p->left.base,
                               columns};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, 5, "");
        done = columns;
    }
    copy_rows(e, &p->x, done, p->m, zero, p->k, p->left.base, step);
    clear_columns(e, p->left.base, step, done, p->m, p->k, p->k4);
}

// Panels from number `first` on of the right operand, row by row: the last may have columns past the end.
static void copy_panels(const block_product *p, LLVMValueRef first, LLVMValueRef count) {
    emit *e = p->e;
    LLVMValueRef zero = build_const_i64(e, 0), sixteen = build_const_i64(e, PANEL_COLUMNS);
    loop l = build_loop(e, first, count, 1, "panel");
    LLVMValueRef column = tile_mul(e, l.index, PANEL_COLUMNS);
    LLVMValueRef there = smaller(e, LLVMBuildSub(e->b, p->columns, column, ""), sixteen);
    LLVMValueRef out = build_gep(e, p->right.base, tile_mul(e, l.index, p->right.stride[0] * 4));
    copy_rows(e, &p->w, zero, p->k, column, there, out, PANEL_COLUMNS);
    build_loop_end(e, &l);
}

static void lay_out_right(const block_product *p) {
    emit *e = p->e;
    int64_t panel = p->right.stride[0] * 4;
    LLVMValueRef zero = build_const_i64(e, 0), done = zero;
    LLVMValueRef whole = LLVMBuildUDiv(e->b, p->columns, build_const_i64(e, PANEL_COLUMNS), "");
    LLVMValueRef up = LLVMBuildAdd(e->b, p->columns, build_const_i64(e, PANEL_COLUMNS - 1), "");
    LLVMValueRef count = LLVMBuildUDiv(e->b, up, build_const_i64(e, PANEL_COLUMNS), "");
    if (p->w.stride[1] == 1) {
        LLVMValueRef f = panel_pack_rows(e, f32, panel, PANEL_COLUMNS);
        LLVMValueRef args[] = {p->w.base, build_const_i64(e, p->w.stride[0] * 4), p->k, p->right.base, whole};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, 5, "");
        done = whole;
    } else if (p->w.stride[0] == 1) {
        LLVMValueRef f = panel_pack_turned(e, f32, PANEL_COLUMNS),
                     stride = build_const_i64(e, p->w.stride[1] * 4);
        loop l = build_loop(e, zero, whole, 1, "panel");
        LLVMValueRef from = build_gep(e, p->w.base, tile_mul(e, l.index, p->w.stride[1] * PANEL_COLUMNS * 4));
        LLVMValueRef args[] = {from, stride, p->k, build_gep(e, p->right.base, tile_mul(e, l.index, panel))};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, 4, "");
        build_loop_end(e, &l);
        done = whole;
    }
    copy_panels(p, done, count);
    LLVMValueRef from = tile_mul(e, p->k, PANEL_COLUMNS), to = tile_mul(e, p->k4, PANEL_COLUMNS);
    clear_columns(e, p->right.base, p->right.stride[0], zero, count, from, to);
}

// --- One matrix

static void multiply(const block_product *p) {
    emit *e = p->e;
    lay_out_left(p);
    lay_out_right(p);
    LLVMValueRef up = LLVMBuildAdd(e->b, p->columns, build_const_i64(e, PANEL_COLUMNS - 1), "");
    panels_args v = {.a = p->in_place ? p->x.base : p->left.base,
                     .b = p->right.base,
                     .c = p->direct ? p->out.base : p->sums.base,
                     .rows = p->m,
                     .from = build_const_i64(e, 0),
                     .to = LLVMBuildUDiv(e->b, up, build_const_i64(e, PANEL_COLUMNS), ""),
                     .after = p->right.base,
                     .k = p->k4};
    panels_call(e, p->tile, &v);
    if (p->direct) return;
    view from = p->sums;
    from.size[0] = p->out.size[0];
    from.size[1] = p->out.size[1];
    from.type = p->out.type;
    loop_nest_copy(p->n, &from, &p->out);
}

// --- The tiles and the scratch of a product

static view scratch_rows(loop_nest *n, int64_t rows, int64_t columns) {
    const dim d[] = {dim_num(rows), dim_num(columns)};
    const type t = type_make(ELEM_F32, 2, d);
    return loop_nest_allocate(n, &t, n->now);
}

// Products of equal strides share their tiles.
static const panels *tile_of(loop_nest *n, int64_t left, int64_t panel, int64_t sums) {
    emit *e = n->e;
    for (loop_nest_tile *t = n->tiles; t; t = t->next)
        if (t->p.lda == left && t->p.panel == panel && t->p.ldc == sums) return &t->p;
    const target_product *product = target_product_in_registers(e->target, ELEM_F32, ELEM_F32);
    loop_nest_tile *t = ARENA_NEW(e->arena, loop_nest_tile);
    t->p = (panels){.name = "loop_nest.tile",
                    .product = product,
                    .rows = product->rows,
                    .lda = left,
                    .ldc = sums,
                    .panel = panel};
    panels_emit(e, &t->p);
    t->next = n->tiles;
    n->tiles = t;
    return &t->p;
}

// Rows of whole lines, an odd number of them.
static int64_t odd_lines(int64_t numbers) {
    return (ceil_div(numbers, PANEL_COLUMNS) | 1) * PANEL_COLUMNS;
}

static bool lies_aligned(const view *v) {
    const type *t = &v->type;
    bool whole = v->stride[t->rank - 1] == 1 && t->d[t->rank - 1].s == SYM_NONE &&
                 t->d[t->rank - 1].n % PANEL_COLUMNS == 0;
    for (int i = 0; i + 1 < t->rank; i++) whole = whole && v->stride[i] % PANEL_COLUMNS == 0;
    return whole;
}

bool loop_nest_block_product(loop_nest *n, const view *x, const view *w, const view *out) {
    emit *e = n->e;
    if (!takes(n, x, w, out)) return false;
    int r = out->type.rank;
    const type *t = &out->type;
    int64_t room[IR_MAX_RANK], rooms[IR_MAX_RANK];
    loop_nest_rooms(n, t, room);
    loop_nest_rooms(n, &x->type, rooms);
    int64_t k = rooms[r - 1];
    dim inner = x->type.d[r - 1];
    block_product p = {.n = n, .e = e};
    p.in_place = x->stride[r - 1] == 1 && inner.s == SYM_NONE && inner.n % 4 == 0;
    p.direct = lies_aligned(out);
    p.left = scratch_rows(n, p.in_place ? 1 : room[r - 2], odd_lines(k));
    p.right = scratch_rows(n, ceil_div(room[r - 1], PANEL_COLUMNS), (round_up(k, 4) | 1) * PANEL_COLUMNS);
    p.sums = scratch_rows(n, p.direct ? 1 : room[r - 2], odd_lines(room[r - 1]));
    p.tile = tile_of(n, (p.in_place ? x->stride[r - 2] : p.left.stride[0]) * 4, p.right.stride[0] * 4,
                     (p.direct ? out->stride[r - 2] : p.sums.stride[0]) * 4);
    walk at = walk_begin(e, r - 2, out->size);
    p.x = walk_view(e, &at, x);
    p.out = walk_view(e, &at, out);
    p.w = *w;
    for (int i = 0; p.w.type.rank > 2; i++) p.w = view_at(e, &p.w, at.index[i]);
    p.m = p.out.size[0];
    p.columns = p.out.size[1];
    p.k = p.x.size[1];
    p.k4 = whole_steps(e, LLVMBuildAdd(e->b, p.k, build_const_i64(e, 3), ""), 4);
    multiply(&p);
    walk_end(e, &at);
    return true;
}
