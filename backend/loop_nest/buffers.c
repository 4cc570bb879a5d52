// The memory of a loop nest's task: sizes, buffers and copies.
#include "backend/loop_nest/loop_nest.h"

#include <assert.h>
#include <string.h>

#define BUFFER_MAX ((int64_t)1 << 46) // bytes of one; the sum of a body's can't overflow

// --- Sizes and buffers

LLVMValueRef loop_nest_size(const loop_nest *n, dim d) {
    if (d.s == SYM_NONE) return build_const_i64(n->e, d.n);
    assert(n->size[d.s]);
    return LLVMBuildNSWAdd(n->e->b, n->size[d.s], build_const_i64(n->e, d.n), "");
}

void loop_nest_sizes(const loop_nest *n, const type *t, LLVMValueRef *size) {
    for (int i = 0; i < t->rank; i++) size[i] = loop_nest_size(n, t->d[i]);
}

void loop_nest_rooms(const loop_nest *n, const type *t, int64_t *room) {
    for (int i = 0; i < t->rank; i++) room[i] = dim_value(t->d[i], &n->most);
}

// First fit among the buffers that are still read.
static int64_t find_room(const loop_nest *n, int64_t bytes) {
    int64_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n->buffer_count; i++) {
            const loop_nest_buffer *b = &n->buffers[i];
            if (b->last < n->now || at + bytes <= b->offset || b->offset + b->bytes <= at) continue;
            at = b->offset + b->bytes;
            moved = true;
        }
    }
    return at;
}

// Bytes of a buffer for a value with so much room, 0 (with a diagnostic) where no machine has them.
static int64_t room_bytes(const loop_nest *n, const type *t, const int64_t *room) {
    int64_t last = t->rank && room[t->rank - 1] > 0 ? room[t->rank - 1] : 1, bytes = BUFFER_MAX + 1;
    bool fits = last <= BUFFER_MAX;
    if (fits) bytes = elem_bytes(t->e, last);
    for (int i = 0; i + 1 < t->rank; i++)
        fits = fits && !__builtin_mul_overflow(bytes, room[i] > 0 ? room[i] : 1, &bytes);
    if (fits && bytes <= BUFFER_MAX) return round_up(bytes, 64);
    char text[128];
    diag_error(n->e->diag, NULL, "a value of %s between two ops needs too large a buffer",
               type_print(t, text, sizeof(text)));
    return 0;
}

view loop_nest_allocate(loop_nest *n, const type *t, int last) {
    LLVMValueRef size[IR_MAX_RANK];
    int64_t room[IR_MAX_RANK];
    loop_nest_sizes(n, t, size);
    loop_nest_rooms(n, t, room);
    int64_t bytes = room_bytes(n, t, room), at = find_room(n, bytes);
    if (!bytes) memset(room, 0, sizeof(room)); // too large: its strides are of no use, and would overflow
    n->buffers[n->buffer_count] = (loop_nest_buffer){at, bytes, last};
    if (at + bytes > n->scratch_bytes) n->scratch_bytes = at + bytes;
    view v = view_make(t, build_gep(n->e, n->scratch, build_const_i64(n->e, at)), size, room, 0);
    v.type.layout = LAYOUT_ROW;
    v.buffer = n->buffer_count++;
    return v;
}

// --- Copies

// A matrix as panels [ceil(N/16)][K][16] of its columns, of which the last has columns past the end.
static view in_panels(emit *e, const view *v) {
    int64_t rows = v->type.d[0].n, panels = ceil_div(v->type.d[1].n, PANEL_COLUMNS);
    const dim d[] = {dim_num(panels), dim_num(rows), dim_num(PANEL_COLUMNS)};
    bool packed = v->type.layout == LAYOUT_PACKED;
    view r = *v;
    r.type = type_make(v->type.e, 3, d);
    r.padded = false;
    r.stride[0] = PANEL_COLUMNS * (packed ? rows : v->stride[1]);
    r.stride[1] = packed ? PANEL_COLUMNS : v->stride[0];
    r.stride[2] = packed ? 1 : v->stride[1];
    for (int i = 0; i < 3; i++) r.size[i] = build_const_i64(e, d[i].n);
    return r;
}

// Between row-major and packed f32 matrices: what fills the last panel stays zero.
static void copy_panels(loop_nest *n, const view *from, const view *to) {
    emit *e = n->e;
    LLVMValueRef columns = build_const_i64(e, to->type.d[1].n), whole = build_const_i64(e, PANEL_COLUMNS);
    view in = in_panels(e, from), out = in_panels(e, to);
    walk w = walk_begin(e, 2, out.size);
    view row = walk_view(e, &w, &in), home = walk_view(e, &w, &out);
    LLVMValueRef left = LLVMBuildNSWSub(e->b, columns, LLVMBuildNSWMul(e->b, w.index[0], whole, ""), "");
    bool full = to->type.d[1].n % PANEL_COLUMNS == 0;
    if (!full)
        home.size[0] =
            LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, whole, ""), left, whole, "");
    row.size[0] = home.size[0];
    view_copy(e, &row, &home);
    walk_end(e, &w);
}

void loop_nest_copy(loop_nest *n, const view *from, const view *to) {
    emit *e = n->e;
    if (from->type.layout == LAYOUT_PACKED || to->type.layout == LAYOUT_PACKED) {
        copy_panels(n, from, to);
        return;
    }
    walk w = walk_begin(e, to->type.rank > 0 ? to->type.rank - 1 : 0, to->size);
    view in = walk_view(e, &w, from), out = walk_view(e, &w, to);
    view_copy(e, &in, &out);
    walk_end(e, &w);
}

void loop_nest_fill(loop_nest *n, const view *out, double number) {
    emit *e = n->e;
    walk w = walk_begin(e, out->type.rank > 0 ? out->type.rank - 1 : 0, out->size);
    view row = walk_view(e, &w, out);
    for (sweep s = sweep_of(e, &row, 1, (const view *[]){&row}); sweep_next(&s);) {
        LLVMTypeRef t = view_elem(e, out->type.e, s.width);
        LLVMValueRef x = LLVMConstNull(t);
        if (number != 0)
            x = s.width == 1 ? build_const_f32(e, number)
                             : build_splat(e, build_const_f32(e, number), s.width);
        sweep_store(&s, &row, x);
    }
    walk_end(e, &w);
}

view loop_nest_led(const view *v, const view *out) {
    int last = out->type.rank - 1, own = v->type.rank - 1;
    type t = out->type;
    LLVMValueRef size[IR_MAX_RANK];
    t.e = v->type.e;
    for (int i = 0; i < last; i++) size[i] = out->size[i];
    t.d[last] = v->type.d[own];
    size[last] = v->size[own];
    return view_broadcast(v, &t, size);
}

static void copy_element(emit *e, const view *from, const view *to) {
    sweep s = sweep_begin(e, build_const_i64(e, 1), 1, 1);
    view in = *from, out = *to;
    in.type.rank = out.type.rank = 0;
    sweep_store(&s, &out, sweep_load(&s, &in));
}

// Element by element: its number in `to`, taken apart along the axes of `from`.
void loop_nest_copy_linear(loop_nest *n, const view *from, const view *to) {
    emit *e = n->e;
    walk w = walk_begin(e, to->type.rank, to->size);
    LLVMValueRef number = build_const_i64(e, 0), index[IR_MAX_RANK];
    for (int i = 0; i < to->type.rank; i++)
        number = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, number, to->size[i], ""), w.index[i], "");
    for (int i = from->type.rank - 1; i >= 0; i--) {
        index[i] = LLVMBuildURem(e->b, number, from->size[i], "");
        number = LLVMBuildUDiv(e->b, number, from->size[i], "");
    }
    view in = view_from(e, from, index), out = view_from(e, to, w.index);
    copy_element(e, &in, &out);
    walk_end(e, &w);
}

view loop_nest_row_major(loop_nest *n, const view *v) {
    if (v->type.layout == LAYOUT_ROW) return *v;
    view copy = loop_nest_allocate(n, &v->type, n->now);
    loop_nest_copy(n, v, &copy);
    return copy;
}

view loop_nest_swept(loop_nest *n, const view *v) {
    int last = v->type.rank - 1;
    if (v->immediate || v->type.layout != LAYOUT_ROW || last < 0 || v->stride[last] == 1 ||
        v->stride[last] == 0)
        return *v;
    view copy = loop_nest_allocate(n, &v->type, n->now);
    loop_nest_copy(n, v, &copy);
    return copy;
}
