#include "backend/matmul/epilogue.h"

#include <assert.h>

// --- Recognition

static bool is_costly(op o) {
    return o == OP_div || o == OP_exp || o == OP_log || o == OP_tanh || o == OP_cos || o == OP_sin ||
           o == OP_erf || o == OP_rsqrt || o == OP_sigmoid || o == OP_gelu;
}

// The next operand: param v, whose number is its operand's.
static void add_operand(epilogue *x, value v, panel_extra extra) {
    x->args[x->count] = v;
    x->extras[x->count] = extra;
    x->values[x->count++] = v;
}

static bool add_param(const kernel_site *s, const value *operands, epilogue *x, value v) {
    for (int i = 0; i < x->count; i++) {
        if (x->values[i] == v) return true;
    }
    if (!operands || x->count == TILE_MAX_EXTRAS) return false;
    const type *t = graph_type(x->body, v), *c = graph_type(x->body, x->anchor);
    panel_extra m = {.e = t->e};
    if (!view_loads(t->e) || t->layout != LAYOUT_ROW) return false;
    if (t->rank == 0) {
        m.kind = EXTRA_FIXED;
    } else if (t->rank == 1 && dim_eq(t->d[0], c->d[1])) {
        m.kind = EXTRA_COLUMNS;
    } else if (t->rank == 2 && dim_eq(t->d[0], c->d[0]) && (type_same_shape(t, c) || dim_is(t->d[1], 1)) &&
               !node_is_constant(graph_node(s->graph, operands[v]))) {
        m.kind = type_same_shape(t, c) ? EXTRA_ROWS : EXTRA_NUMBERS;
        m.ld = s->variant->places[operands[v]].ld;
    } else {
        return false;
    }
    add_operand(x, v, m);
    return true;
}

// Of 8-bit products. In an mlp the scales are made in the kernel: of no operand, one number a row.
static bool add_sums(const kernel_site *s, const value *operands, epilogue *x) {
    const product_sums *sums = &x->sums;
    if (sums->offsets == VALUE_NONE) return true;
    x->scales = true;
    add_operand(x, sums->offsets, (panel_extra){EXTRA_COLUMNS, ELEM_I32, 0});
    bool param = graph_node(x->body, sums->scales)->op == OP_param;
    int64_t ld = param ? s->variant->places[operands[sums->scales]].ld : 1;
    add_operand(x, sums->scales, (panel_extra){EXTRA_NUMBERS, ELEM_F32, ld});
    if (!param) x->args[1] = -1;
    return !param || !node_is_constant(graph_node(s->graph, operands[sums->scales]));
}

static bool add_store(epilogue *x, const epilogue_store *store) {
    int i = x->count + x->store_count;
    if (i == TILE_MAX_EXTRAS || store->ld % PANEL_COLUMNS) return false;
    x->values[i] = store->v;
    x->args[i] = store->arg;
    x->extras[i] = (panel_extra){EXTRA_STORED, graph_type(x->body, store->v)->e, store->ld};
    x->store_count++;
    return true;
}

static bool collect_epilogue(const kernel_site *s, const value *operands, epilogue *x, value v, bool *seen) {
    if (v == x->anchor || seen[v]) return true;
    seen[v] = true;
    const node *n = graph_node(x->body, v);
    double scalar;
    if (value_is_scalar(x->body, v, &scalar)) return true;
    if (n->op == OP_param) return add_param(s, operands, x, v);
    if (!(op_flag_bits(n->op) & POINTWISE)) return false;
    x->op_count++;
    x->costly |= is_costly(n->op);
    for (int i = 0; i < n->input_count; i++) {
        if (!collect_epilogue(s, operands, x, n->inputs[i], seen)) return false;
    }
    return true;
}

// May the tile store v?
static bool stores_value(const epilogue *x, value v) {
    const type *t = graph_type(x->body, v);
    return (t->e == ELEM_F32 || t->e == ELEM_BF16) && type_same_shape(t, graph_type(x->body, x->anchor));
}

bool epilogue_collect_sums(const kernel_site *s, const graph *body, const value *operands,
                           const product_sums *sums, value result, int store_count,
                           const epilogue_store *stores, epilogue *out) {
    *out = (epilogue){.body = body, .anchor = sums->value, .result = result, .sums = *sums};
    arena *a = arena_new();
    bool *seen = ARENA_ARRAY(a, bool, body->count);
    bool ok = add_sums(s, operands, out) && stores_value(out, result) &&
              collect_epilogue(s, operands, out, result, seen);
    for (int i = 0; ok && i < store_count; i++)
        ok = stores_value(out, stores[i].v) && collect_epilogue(s, operands, out, stores[i].v, seen);
    for (int i = 0; ok && i < store_count; i++) ok = add_store(out, &stores[i]);
    arena_free(a);
    return ok;
}

bool epilogue_collect(const kernel_site *s, const graph *body, const value *operands, value anchor,
                      value result, int store_count, const epilogue_store *stores, epilogue *out) {
    *out = (epilogue){.anchor = anchor, .result = result};
    const product_sums sums = {
        .anchor = anchor, .value = anchor, .offsets = VALUE_NONE, .scales = VALUE_NONE, .groups = 1};
    return !body || epilogue_collect_sums(s, body, operands, &sums, result, store_count, stores, out);
}

bool epilogue_set_pool(epilogue *x, epilogue_pool pool, int64_t ld) {
    if (x->count == TILE_MAX_EXTRAS || x->store_count || x->pauses) return false;
    x->pool = pool;
    x->pool_ld = ld;
    add_operand(x, VALUE_NONE, (panel_extra){EXTRA_NUMBERS, ELEM_I32, 1});
    x->args[x->count - 1] = -1;
    return true;
}

bool epilogue_find_magnitudes(epilogue *x) {
    int end = x->count + x->store_count;
    if (!x->count || end == TILE_MAX_EXTRAS) return false;
    for (int i = end; i > x->count; i--) { // behind the operands
        x->values[i] = x->values[i - 1];
        x->args[i] = x->args[i - 1];
        x->extras[i] = x->extras[i - 1];
    }
    x->magnitudes = x->count;
    add_operand(x, VALUE_NONE, (panel_extra){EXTRA_NUMBERS, ELEM_F32, MAGNITUDE_BYTES / 4});
    x->args[x->magnitudes] = -1;
    return true;
}

// --- Emission

// One vector of the tile.
typedef struct location {
    emit *e;
    const epilogue *x;
    const tile *t;
    LLVMValueRef row; // i64
    int vector;
} location;

static LLVMValueRef load_param(void *context, value v) {
    const location *c = context;
    emit *e = c->e;
    int i = 0;
    while (c->x->values[i] != v) i++;
    const panel_extra *x = &c->x->extras[i];
    LLVMValueRef p = c->t->extra[i];
    unsigned size = (unsigned)elem_size(x->e), vector = (unsigned)e->width * size;
    if (x->kind == EXTRA_FIXED)
        return build_splat(e, build_load(e, view_elem(e, x->e, 1), p, size), e->width);
    if (x->kind == EXTRA_ROWS || x->kind == EXTRA_NUMBERS)
        p = tile_at(e, p, tile_mul(e, c->row, x->ld * size));
    if (x->kind == EXTRA_NUMBERS)
        return build_splat(e, build_load(e, view_elem(e, x->e, 1), p, size), e->width);
    LLVMValueRef at = tile_at_constant(e, p, (int64_t)c->vector * vector);
    return build_load(e, view_elem(e, x->e, e->width), at, vector);
}

// The sums of an 8-bit product, scaled: f32, with what C holds.
static LLVMValueRef scaled(emit *e, const epilogue *x, const tile *t, LLVMValueRef row, int vector,
                           LLVMValueRef sum) {
    int64_t column = (int64_t)vector * e->width * 4;
    LLVMValueRef offsets = build_load(e, e->vi, tile_at_constant(e, t->extra[0], column), 4);
    LLVMValueRef at = tile_at(e, t->extra[1], tile_mul(e, row, x->extras[1].ld * 4));
    LLVMValueRef scale = build_splat(e, build_load(e, e->f32, at, 4), e->width);
    LLVMValueRef whole = LLVMBuildSIToFP(e->b, LLVMBuildAdd(e->b, sum, offsets, ""), e->vf, "");
    if (!x->resumes) return LLVMBuildFMul(e->b, whole, scale, "");
    LLVMValueRef c = tile_at_constant(e, tile_at(e, t->c, tile_mul(e, row, t->ldc)), column);
    return math_fma(e, whole, scale, build_load(e, e->vf, c, (unsigned)e->width * 4));
}

// The result's vector; those of the stores are stored.
static LLVMValueRef one_vector(emit *e, const epilogue *x, const tile *t, LLVMValueRef row, int vector,
                               LLVMValueRef sum) {
    if (x->scales) sum = scaled(e, x, t, row, vector, sum);
    if (x->pauses) return sum;
    location here = {.e = e, .x = x, .t = t, .row = row, .vector = vector};
    LLVMValueRef *memo = ARENA_ARRAY(e->arena, LLVMValueRef, x->body->count);
    memo[x->anchor] = sum;
    pointwise p = {
        .e = e, .body = x->body, .load = load_param, .context = &here, .width = e->width, .memo = memo};
    LLVMValueRef result = pointwise_value(&p, x->result);
    for (int i = x->count; i < x->count + x->store_count; i++) {
        int64_t size = (int64_t)elem_size(x->extras[i].e);
        LLVMValueRef to = tile_at(e, t->extra[i], tile_mul(e, row, x->extras[i].ld * size));
        LLVMValueRef kept = pointwise_value(&p, x->values[i]);
        build_store(e, kept, tile_at_constant(e, to, vector * e->width * size), (unsigned)(e->width * size));
    }
    return result;
}

// Adds a row's vectors to those of its text. Texts' rows are whole in C, so a row of none is added to none.
static void pool_row(emit *e, const epilogue *x, const tile *t, LLVMValueRef row, LLVMValueRef *vectors) {
    LLVMValueRef at = tile_at(e, t->extra[x->count - 1], tile_mul(e, row, 4)), none = NULL;
    LLVMValueRef text = build_load(e, e->i32, at, 4), zero = LLVMConstInt(e->i32, 0, false);
    if (t->product->step == STEP_TILES) {
        none = LLVMBuildICmp(e->b, LLVMIntSLT, text, zero, "");
        text = LLVMBuildSelect(e->b, none, zero, text, "");
    }
    LLVMValueRef c = tile_at(e, t->c, tile_mul(e, LLVMBuildSExt(e->b, text, e->i64, ""), x->pool_ld * 4));
    for (int v = 0; v < t->vectors; v++) {
        LLVMValueRef to = tile_at_constant(e, c, (int64_t)v * e->width * 4);
        LLVMValueRef had = build_load(e, e->vf, to, (unsigned)e->width * 4), y;
        if (x->pool == POOL_SUM) {
            y = LLVMBuildFAdd(e->b, had, vectors[v], "");
        } else { // NaN stays
            LLVMValueRef less = LLVMBuildFCmp(e->b, LLVMRealOLE, vectors[v], had, "");
            LLVMValueRef lost = LLVMBuildFCmp(e->b, LLVMRealUNO, had, had, "");
            y = LLVMBuildSelect(e->b, LLVMBuildOr(e->b, less, lost, ""), had, vectors[v], "");
        }
        if (none) y = LLVMBuildSelect(e->b, none, had, y, "");
        build_store(e, y, to, (unsigned)e->width * 4);
    }
}

// A row at a time, on the registers.
static void finish_pooled(emit *e, const epilogue *x, const tile *t, const tile_sums *sums) {
    LLVMValueRef *row = ARENA_ARRAY(e->arena, LLVMValueRef, t->vectors);
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef number = build_const_i64(e, r);
        for (int v = 0; v < t->vectors; v++)
            row[v] = one_vector(e, x, t, number, v, tile_sum(e, t, sums, r, v));
        pool_row(e, x, t, number, row);
    }
}

// On the registers; all is loaded before anything is stored, so that a vector of columns is loaded once.
static void finish_cheap(emit *e, const epilogue *x, const tile *t, const tile_sums *sums) {
    if (x->pool) {
        finish_pooled(e, x, t, sums);
        return;
    }
    LLVMValueRef *done = ARENA_ARRAY(e->arena, LLVMValueRef, t->rows * t->vectors);
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++)
            done[r * t->vectors + v] =
                one_vector(e, x, t, build_const_i64(e, r), v, tile_sum(e, t, sums, r, v));
    tile_store(e, t, done);
}

// The sums in a small tile on the stack.
static tile_sums to_memory(emit *e, const tile *t, const tile_sums *sums) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef stack = tile_stack(e, t, (int64_t)t->rows * t->vectors * align);
    for (int i = 0; i < t->rows * t->vectors; i++)
        build_store(e, sums->acc[i], tile_at_constant(e, stack, (int64_t)i * align), align);
    return (tile_sums){.memory = stack, .row_bytes = (int64_t)t->vectors * align};
}

// A row of the sums in memory.
static void finish_row(emit *e, const epilogue *x, const tile *t, const tile_sums *sums, LLVMValueRef row) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef found = NULL, most = NULL;
    if (x->magnitudes && !x->pauses) {
        found = tile_at(e, t->extra[x->magnitudes], tile_mul(e, row, MAGNITUDE_BYTES));
        most = build_load(e, e->vf, found, align);
    }
    LLVMValueRef from = tile_at(e, sums->memory, tile_mul(e, row, sums->row_bytes));
    LLVMValueRef to = tile_at(e, t->c, tile_mul(e, row, t->ldc));
    LLVMValueRef *sum = ARENA_ARRAY(e->arena, LLVMValueRef, t->vectors);
    for (int v = 0; v < t->vectors; v++) {
        sum[v] =
            build_load(e, tile_sum_type(e, t->product), tile_at_constant(e, from, (int64_t)v * align), align);
        sum[v] = one_vector(e, x, t, row, v, sum[v]);
        if (most) most = larger_magnitude(e, sum[v], most);
        int64_t bytes = e->width * epilogue_c_size(x);
        if (!x->pool) build_store(e, sum[v], tile_at_constant(e, to, v * bytes), (unsigned)bytes);
    }
    if (x->pool) pool_row(e, x, t, row, sum);
    if (most) build_store(e, most, found, align);
}

// From memory, a row at a time: on the registers costly ops would spill most of the sums.
static void finish_in_memory(emit *e, const epilogue *x, const tile *t, const tile_sums *sums) {
    for (int i = 0; i < sums->count; i++)
        finish_row(e, x, t, sums, LLVMBuildAdd(e->b, sums->first, build_const_i64(e, i), ""));
    if (sums->count) return;
    loop rows = build_loop(e, build_const_i64(e, 0), build_const_i64(e, t->rows), 1, "epilogue");
    finish_row(e, x, t, sums, rows.index);
    build_loop_end(e, &rows);
}

void epilogue_finish(emit *e, const tile *t, const tile_sums *sums) {
    const epilogue *x = t->context;
    bool in_memory = x->costly || x->magnitudes;
    if ((!in_memory || x->pauses) && sums->acc) {
        finish_cheap(e, x, t, sums);
        return;
    }
    tile_sums lying = sums->acc ? to_memory(e, t, sums) : *sums;
    finish_in_memory(e, x, t, &lying);
}

int64_t epilogue_c_size(const epilogue *x) {
    return !x->body || x->pauses ? 4 : (int64_t)elem_size(graph_type(x->body, x->result)->e);
}

void epilogue_attach(panels *p, const epilogue *x) {
    p->extra_count = x->count + x->store_count;
    for (int i = 0; i < p->extra_count; i++) p->extras[i] = x->extras[i];
    bool stored = x->body && (x->pool || x->result != x->anchor || x->store_count || x->scales);
    p->finish = stored ? epilogue_finish : NULL;
    p->c_size = epilogue_c_size(x);
    p->context = (void *)x;
}

void epilogue_extras(emit *e, const epilogue *x, LLVMValueRef args, LLVMValueRef row, panels_args *out) {
    for (int i = 0; i < x->count + x->store_count; i++) {
        const panel_extra *m = &x->extras[i];
        if (x->args[i] < 0) continue;
        out->extra[i] = build_arg(e, args, x->args[i]);
        if (m->kind == EXTRA_ROWS || m->kind == EXTRA_STORED || m->kind == EXTRA_NUMBERS)
            out->extra[i] = tile_at(e, out->extra[i], tile_mul(e, row, m->ld * (int64_t)elem_size(m->e)));
    }
}

void epilogue_extras_group(emit *e, const epilogue *x, LLVMValueRef group, panels_args *out) {
    int64_t columns = graph_type(x->body, x->sums.value)->d[1].n;
    out->extra[0] = tile_at(e, out->extra[0], tile_mul(e, group, columns * 4));
    if (x->args[1] >= 0) out->extra[1] = tile_at(e, out->extra[1], tile_mul(e, group, 4));
}
