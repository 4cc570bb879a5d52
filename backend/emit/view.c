// Views and walks: the one place where indices become addresses.
#include "backend/emit/view.h"

#include <assert.h>

view view_make(const type *t, LLVMValueRef base, const LLVMValueRef *size, const int64_t *room, int64_t ld) {
    view v = {.type = *t, .base = base, .buffer = -1};
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        bool last = i == t->rank - 1;
        v.size[i] = size[i];
        v.stride[i] = step;
        step *= last && ld > room[i] ? ld : room[i];
        if (last && t->e == ELEM_I4) step += step % 2; // a row begins with a byte
    }
    return v;
}

view view_immediate(emit *e, const graph *g, value v) {
    const node *n = graph_node(g, v);
    view x = {.type = n->type, .immediate = pointwise_literal(e, n, 1), .buffer = -1};
    for (int i = 0; i < x.type.rank; i++) x.size[i] = build_const_i64(e, 1);
    return x;
}

static bool is_odd(LLVMValueRef index, int64_t stride) {
    bool even = stride % 2 == 0 || (LLVMIsConstant(index) && LLVMConstIntGetSExtValue(index) % 2 == 0);
    return !even;
}

void view_step(emit *e, view *v, LLVMValueRef index, int64_t stride) {
    if (!stride) return;
    bool nibbles = v->type.e == ELEM_I4;
    LLVMValueRef step = build_const_i64(e, nibbles ? stride : stride * (int64_t)elem_size(v->type.e));
    LLVMValueRef by = LLVMBuildNSWMul(e->b, index, step, "");
    if (!nibbles) {
        v->base = build_gep(e, v->base, by);
        return;
    }
    v->skipped = v->skipped ? LLVMBuildNSWAdd(e->b, v->skipped, by, "") : by;
    v->odd |= is_odd(index, stride);
}

view view_from(emit *e, const view *v, const LLVMValueRef *index) {
    view r = *v;
    for (int i = 0; i < v->type.rank; i++) view_step(e, &r, index[i], v->stride[i]);
    return r;
}

LLVMValueRef view_address(emit *e, const view *v, const LLVMValueRef *index) {
    assert(v->type.e != ELEM_I4);
    return view_from(e, v, index).base;
}

static void drop_first(view *v) {
    v->type.rank--;
    for (int i = 0; i < v->type.rank; i++) {
        v->type.d[i] = v->type.d[i + 1];
        v->size[i] = v->size[i + 1];
        v->stride[i] = v->stride[i + 1];
    }
}

// Column `index` of a packed matrix.
static void step_in_panels(emit *e, view *v, LLVMValueRef index) {
    LLVMValueRef columns = build_const_i64(e, PANEL_COLUMNS);
    LLVMValueRef panel = LLVMBuildUDiv(e->b, index, columns, ""),
                 in = LLVMBuildURem(e->b, index, columns, "");
    panel = LLVMBuildNSWMul(e->b, panel, build_const_i64(e, v->groups * PANEL_COLUMNS * 4), "");
    in = LLVMBuildNSWMul(e->b, in, build_const_i64(e, 4), "");
    v->base = build_gep(e, v->base, LLVMBuildNSWAdd(e->b, panel, in, ""));
}

view view_at(emit *e, const view *v, LLVMValueRef index) {
    assert(v->type.rank > 0 && v->type.layout == LAYOUT_ROW);
    view r = *v;
    if (v->groups && v->type.rank == 2)
        step_in_panels(e, &r, index);
    else if (!v->immediate)
        view_step(e, &r, index, v->stride[0]);
    drop_first(&r);
    return r;
}

view view_transpose(const view *v, const type *t, const attr *perm) {
    view r = *v;
    r.type = *t;
    r.padded = false;
    for (int i = 0; i < t->rank; i++) {
        r.size[i] = v->size[perm->u.ints[i]];
        r.stride[i] = v->stride[perm->u.ints[i]];
    }
    return r;
}

view view_panel_rows(const view *v, const type *t) {
    view r = *v;
    r.type = *t;
    r.groups = packed_groups(t->e, t->d[1].n);
    r.padded = false;
    r.size[0] = v->size[1];
    r.size[1] = v->size[0];
    r.stride[0] = 0; // step_in_panels knows
    r.stride[1] = 1;
    return r;
}

view view_slice(emit *e, const view *v, const type *t, const LLVMValueRef *begin, const LLVMValueRef *size) {
    view r = v->immediate ? *v : view_from(e, v, begin);
    r.type = *t;
    r.padded = false;
    for (int i = 0; i < t->rank; i++) r.size[i] = size[i];
    return r;
}

view view_broadcast(const view *v, const type *t, const LLVMValueRef *size) {
    view r = *v;
    int missing = t->rank - v->type.rank;
    r.type = *t;
    r.type.e = v->type.e;
    for (int i = 0; i < t->rank; i++) {
        bool spread = i < missing || !dim_eq(v->type.d[i - missing], t->d[i]);
        r.stride[i] = spread ? 0 : v->stride[i - missing];
        r.size[i] = size[i];
    }
    if (t->rank && !r.stride[t->rank - 1]) r.padded = false;
    return r;
}

// --- Reshape

// Axes without those of length 1.
static int wide_axes(const type *t, int *axes) {
    int n = 0;
    for (int i = 0; i < t->rank; i++)
        if (!dim_is(t->d[i], 1)) axes[n++] = i;
    return n;
}

// Steps over the fewest axes of both shapes that hold the same elements; false where a symbol is compared
// with numbers.
static bool same_group(const type *a, const int *from, int n, int *i, const type *b, const int *to, int m,
                       int *k) {
    dim x = a->d[from[(*i)++]], y = b->d[to[(*k)++]];
    while (!dim_eq(x, y)) {
        if (x.s != SYM_NONE || y.s != SYM_NONE) return false;
        if (x.n < y.n && *i < n) {
            dim next = a->d[from[(*i)++]];
            if (next.s != SYM_NONE) return false;
            x.n *= next.n;
        } else if (y.n < x.n && *k < m) {
            dim next = b->d[to[(*k)++]];
            if (next.s != SYM_NONE) return false;
            y.n *= next.n;
        } else {
            return false;
        }
    }
    return true;
}

bool view_reshape(const view *v, const type *t, const LLVMValueRef *size, view *out) {
    int from[IR_MAX_RANK], to[IR_MAX_RANK], n = wide_axes(&v->type, from), m = wide_axes(t, to), i = 0, k = 0;
    *out = *v;
    out->type = *t;
    out->padded = false;
    for (int a = 0; a < t->rank; a++) {
        out->size[a] = size[a];
        out->stride[a] = 0;
    }
    if (v->immediate) return true;
    while (i < n && k < m) {
        int first = i, lowest = k;
        if (!same_group(&v->type, from, n, &i, t, to, m, &k)) return false;
        for (int a = first; a + 1 < i; a++) // a group of several axes must lie like one
            if (v->stride[from[a]] != v->stride[from[a + 1]] * v->type.d[from[a + 1]].n) return false;
        int64_t step = v->stride[from[i - 1]];
        for (int a = k - 1; a >= lowest; a--) {
            out->stride[to[a]] = step;
            step *= t->d[to[a]].n;
        }
    }
    return i == n && k == m;
}

// --- Walks

walk walk_begin(emit *e, int n, const LLVMValueRef *size) {
    walk w = {.n = n};
    for (int i = 0; i < n; i++) {
        w.loops[i] = build_loop(e, build_const_i64(e, 0), size[i], 1, "axis");
        w.index[i] = w.loops[i].index;
    }
    return w;
}

void walk_end(emit *e, walk *w) {
    for (int i = w->n - 1; i >= 0; i--) build_loop_end(e, &w->loops[i]);
}

view walk_view(emit *e, const walk *w, const view *v) {
    view r = *v;
    for (int i = 0; i < w->n; i++) r = view_at(e, &r, w->index[i]);
    return r;
}
