// The columns family: sums down the columns of rows, as the gradients of biases and of norms' vectors need them.
//
//   y[N] = sum over t of f(rows [t,N], numbers [t,1], vectors [N], scalars)      t: T, S, R, or the rows of a matrix
//
// Rows are f32, or bf16 that a cast widens.
//
// The body is pointwise ops, one reduce_sum over the first axis, and a reshape behind it, if any. The rows that are summed up
// never lie in memory. A task owns columns, so nobody adds to another's sums: a chunk of SUM_CHUNK rows from the first one on
// is added up in ascending order, and chunks are added in theirs, whatever the tasks and the threads.
#include "backend/loop_nest/loop_nest.h"

#define SUM_CHUNK 128
// Vectors of a task's row: for one or two threads, and for more.
#define FEW_VECTORS  8
#define MANY_VECTORS 4
#define ALL_ROWS     (INT64_C(1) << 48)

typedef enum operand_kind { ROWS, NUMBERS, VECTOR, SCALAR, FOREIGN } operand_kind;

typedef struct columns {
    const graph *body;
    value summed; // the operand of the reduce_sum
    dim rows;
    int64_t n;
    int ops;
} columns;

static bool is_one(dim d) {
    return dim_is(d, 1);
}

static operand_kind kind_of(const columns *c, const type *t) {
    int rank = t->rank;
    if (t->layout != LAYOUT_ROW) return FOREIGN;
    if (rank == 2 && dim_eq(t->d[0], c->rows))
        return dim_is(t->d[1], c->n) ? ROWS : is_one(t->d[1]) ? NUMBERS : FOREIGN;
    if (rank == 0 || (rank == 1 && is_one(t->d[0])) || (rank == 2 && is_one(t->d[0]) && is_one(t->d[1])))
        return SCALAR;
    if (rank == 1 || (rank == 2 && is_one(t->d[0]))) return dim_is(t->d[rank - 1], c->n) ? VECTOR : FOREIGN;
    return FOREIGN;
}

// Are v and all that it follows from params of f32, literals and pointwise ops?
static bool takes(columns *c, value v, bool *seen) {
    const node *n = graph_node(c->body, v);
    if (seen[v]) return true;
    seen[v] = true;
    if (value_is_scalar(c->body, v, NULL)) return n->type.e == ELEM_F32;
    if (kind_of(c, &n->type) == FOREIGN) return false;
    if (n->op == OP_param)
        return n->type.e == ELEM_F32 || (n->type.e == ELEM_BF16 && kind_of(c, &n->type) == ROWS);
    if (!(op_flag_bits(n->op) & POINTWISE)) return false;
    c->ops++;
    for (int i = 0; i < n->input_count; i++)
        if (!takes(c, n->inputs[i], seen)) return false;
    return true;
}

static bool find_rows(columns *c) {
    const graph *body = c->body;
    const node *n = graph_node(body, body->outputs[0].value);
    const type *y = &n->type;
    if (n->op == OP_reshape) n = graph_node(body, n->inputs[0]);
    const attr *axes = n->op == OP_reduce_sum ? node_attr(n, ATTR_axes) : NULL;
    if (!axes || axes->n != 1 || axes->u.ints[0] != 0 || n->type.e != ELEM_F32) return false;
    c->summed = n->inputs[0];
    const type *t = graph_type(body, c->summed);
    if (t->rank != 2 || t->layout != LAYOUT_ROW || t->d[1].s != SYM_NONE) return false;
    c->rows = t->d[0];
    c->n = t->d[1].n;
    bool known = t->d[0].s == SYM_NONE && t->d[0].n > 1;
    bool counted = t->d[0].n == 0 && (t->d[0].s == SYM_T || t->d[0].s == SYM_S || t->d[0].s == SYM_R);
    // the sums lie side by side
    return (known || counted) && y->rank >= 1 && y->rank <= 2 && (dim_is(y->d[y->rank - 1], c->n));
}

// Rows that are counted lie in the arena, padded to whole vectors.
static bool operands_fit(const kernel_site *s, const columns *c) {
    const node *n = graph_node(s->graph, s->node);
    for (int i = 0; i < n->input_count; i++) {
        operand_kind kind = kind_of(c, graph_type(s->graph, n->inputs[i]));
        int64_t ld = s->variant->places[n->inputs[i]].ld;
        if (kind == ROWS && c->rows.s != SYM_NONE && (ld < c->n || ld % PANEL_COLUMNS)) return false;
    }
    return true;
}

static bool recognise(arena *a, const kernel_site *s, columns *c) {
    const node *n = graph_node(s->graph, s->node);
    if ((n->op != OP_fuse && n->op != OP_reduce_sum) || !kernel_has_one_result(s)) return false;
    *c = (columns){.body = loop_nest_flatten(a, s)};
    return find_rows(c) && takes(c, c->summed, ARENA_ARRAY(a, bool, c->body->count)) && operands_fit(s, c);
}

bool columns_accepts(const emit *e, const kernel_site *s) {
    columns c;
    return recognise(e->arena, s, &c);
}

// --- Emission

// One vector of one row.
typedef struct spot {
    emit *e;
    const kernel_site *s;
    const columns *c;
    LLVMValueRef args, row, column; // i64; the vector's first column
} spot;

static LLVMValueRef load_param(void *context, value v) {
    const spot *x = context;
    emit *e = x->e;
    const type *t = graph_type(x->c->body, v);
    value operand = graph_node(x->s->graph, x->s->node)->inputs[v];
    operand_kind kind = kind_of(x->c, t);
    int64_t placed = x->s->variant->places[operand].ld, ld = placed ? placed : t->d[t->rank - 1].n;
    int64_t bytes = (int64_t)elem_size(t->e);
    LLVMValueRef at = build_arg(e, x->args, v), size = build_const_i64(e, bytes);
    if (kind == ROWS || kind == NUMBERS)
        at = build_gep(e, at, LLVMBuildMul(e->b, x->row, build_const_i64(e, ld * bytes), ""));
    if (kind == NUMBERS || kind == SCALAR) return build_splat(e, build_load(e, e->f32, at, 4), e->width);
    at = build_gep(e, at, LLVMBuildMul(e->b, x->column, size, ""));
    LLVMTypeRef of = t->e == ELEM_F32 ? e->vf : LLVMVectorType(e->i16, (unsigned)e->width);
    return build_load(e, of, at, (unsigned)(ld % PANEL_COLUMNS ? bytes : e->width * bytes));
}

// Adds the row to the sums at `sums`, a stack slot a vector. What is the same in all columns is computed once.
static void add_row(spot *x, LLVMValueRef first, int vectors, LLVMValueRef *sums) {
    emit *e = x->e;
    const columns *c = x->c;
    LLVMValueRef *memo = ARENA_ARRAY(e->arena, LLVMValueRef, c->body->count);
    for (int i = 0; i < vectors; i++) {
        pointwise p = {
            .e = e, .body = c->body, .load = load_param, .context = x, .width = e->width, .memo = memo};
        for (value v = 0; v < c->body->count; v++) {
            operand_kind kind = kind_of(c, graph_type(c->body, v));
            if (kind == ROWS || kind == VECTOR) memo[v] = NULL;
        }
        x->column = LLVMBuildAdd(e->b, first, build_const_i64(e, (int64_t)i * e->width), "");
        LLVMValueRef y = pointwise_value(&p, c->summed);
        LLVMValueRef had = build_load(e, e->vf, sums[i], (unsigned)e->width * 4);
        build_store(e, LLVMBuildFAdd(e->b, had, y, ""), sums[i], (unsigned)e->width * 4);
    }
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static void stack_of(emit *e, int vectors, LLVMValueRef *out) {
    for (int i = 0; i < vectors; i++) out[i] = view_stack(e, e->vf);
}

static void set_zero(emit *e, int vectors, LLVMValueRef *sums) {
    for (int i = 0; i < vectors; i++) build_store(e, LLVMConstNull(e->vf), sums[i], (unsigned)e->width * 4);
}

// The sums of `vectors` vectors of columns from column `first` (i64) on.
static void sum_columns(spot *x, LLVMValueRef size, LLVMValueRef first, int vectors, LLVMValueRef out) {
    emit *e = x->e;
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef sums[FEW_VECTORS], chunk[FEW_VECTORS], most = build_const_i64(e, SUM_CHUNK);
    stack_of(e, vectors, sums);
    stack_of(e, vectors, chunk);
    set_zero(e, vectors, sums);
    loop chunks = build_loop(e, build_const_i64(e, 0), size, SUM_CHUNK, "chunk");
    set_zero(e, vectors, chunk);
    LLVMValueRef end = smaller(e, LLVMBuildAdd(e->b, chunks.index, most, ""), size);
    loop rows = build_loop(e, chunks.index, end, 1, "row");
    x->row = rows.index;
    add_row(x, first, vectors, chunk);
    build_loop_end(e, &rows);
    for (int i = 0; i < vectors; i++) {
        LLVMValueRef had = build_load(e, e->vf, sums[i], align), more = build_load(e, e->vf, chunk[i], align);
        build_store(e, LLVMBuildFAdd(e->b, had, more, ""), sums[i], align);
    }
    build_loop_end(e, &chunks);
    LLVMValueRef to = build_gep(e, out, LLVMBuildMul(e->b, first, build_const_i64(e, 4), ""));
    for (int i = 0; i < vectors; i++) {
        LLVMValueRef sum = build_load(e, e->vf, sums[i], align);
        build_store(e, sum, build_gep(e, to, build_const_i64(e, (int64_t)i * e->width * 4)), align);
    }
}

static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const columns *c, int vectors) {
    LLVMValueRef f = build_function(e, "columns", e->kernel_type), args = LLVMGetParam(f, 0);
    int64_t all = ceil_div(c->n, e->width), rest = all % vectors;
    spot x = {.e = e, .s = s, .c = c, .args = args};
    bool counted = c->rows.s != SYM_NONE;
    LLVMValueRef size =
        counted ? build_call_size(e, LLVMGetParam(f, 1), c->rows.s) : build_const_i64(e, c->rows.n);
    LLVMValueRef task = LLVMGetParam(f, 2),
                 out = build_arg(e, args, graph_node(s->graph, s->node)->input_count);
    LLVMValueRef first = LLVMBuildMul(e->b, task, build_const_i64(e, (int64_t)vectors * e->width), "");
    LLVMValueRef whole = LLVMBuildICmp(e->b, LLVMIntSLT, task, build_const_i64(e, all / vectors), "");
    LLVMBasicBlockRef behind = build_if(e, whole);
    sum_columns(&x, size, first, vectors, out);
    build_if_end(e, behind);
    if (rest) {
        behind = build_if(e, LLVMBuildNot(e->b, whole, ""));
        sum_columns(&x, size, first, (int)rest, out);
        build_if_end(e, behind);
    }
    LLVMBuildRetVoid(e->b);
    return f;
}

// Bytes of a row of what it reads.
static int64_t row_bytes(const kernel_site *s, const columns *c) {
    const node *n = graph_node(s->graph, s->node);
    int64_t bytes = 0;
    for (int i = 0; i < n->input_count; i++) {
        const type *t = graph_type(s->graph, n->inputs[i]);
        operand_kind kind = kind_of(c, t);
        bytes += kind == ROWS ? c->n * (int64_t)elem_size(t->e) : kind == NUMBERS ? 4 : 0;
    }
    return bytes;
}

bool columns_emit(emit *e, const kernel_site *s, kernel *out) {
    columns c;
    if (!recognise(e->arena, s, &c)) return false;
    // Of R there may be no row, and then there would be no task.
    bool counted = c.rows.s == SYM_T || c.rows.s == SYM_S;
    double flops = (double)(c.ops + 1) * (double)c.n;
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int vectors = class < 2 ? FEW_VECTORS : MANY_VECTORS;
        kernel_phase *phase = &out->phases[class][0];
        out->phase_count[class] = 1;
        *phase = (kernel_phase){.dim = counted ? c.rows.s : SYM_NONE,
                                .unit = counted ? ALL_ROWS : 1,
                                .inner = ceil_div(ceil_div(c.n, e->width), vectors),
                                .flops_row = counted ? flops : 0,
                                .flops_call = c.rows.s == SYM_NONE ? flops * (double)c.rows.n : 0,
                                .row_bytes = row_bytes(s, &c) * (c.rows.s == SYM_NONE ? c.rows.n : counted),
                                .suffix = ""};
        for (int like = 0; like < class && !phase->function; like++)
            if (out->phases[like][0].inner == phase->inner) phase->function = out->phases[like][0].function;
        if (!phase->function) phase->function = emit_kernel(e, s, &c, vectors);
    }
    return true;
}
