// The update family: pointwise ops over matrices of known size, in one pass over memory, as the update of a weight and its
// states is:
//
//   fuse (w, m, v, gradient, numbers) { m' = ...; v' = ...; w' = ...; yield assign w, w'; assign m, m'; assign v, v' }
//
// All values have one shape, or are one number. A task is a stretch of elements, so threads share the pass; each element is
// computed from the same element of each operand, so nothing depends on the cut. States are written in place, after all that a
// vector needs has been read.
#include "backend/loop_nest/loop_nest.h"

// Elements of a task, about: some tens of kilobytes of each operand.
#define TASK_ELEMENTS 16384

typedef struct sweeping {
    const graph *body;
    const type *shape; // of all values that are no numbers
    int64_t rows, n;   // rows of n elements; one row, where they lie side by side in all operands and results
    int64_t task;      // elements of a task of one row, or rows of one
    int ops;
} sweeping;

static bool is_number(const type *t) {
    for (int i = 0; i < t->rank; i++)
        if (!dim_is(t->d[i], 1)) return false;
    return true;
}

static bool fits(const sweeping *w, const type *t) {
    return type_same_shape(t, w->shape) && t->layout == w->shape->layout;
}

static bool takes(sweeping *w, value v) {
    const node *n = graph_node(w->body, v);
    if (value_is_scalar(w->body, v, NULL)) return true;
    bool number = is_number(&n->type);
    if (!number && !fits(w, &n->type)) return false;
    if (n->op == OP_param)
        return number ? n->type.e == ELEM_F32 || n->type.e == ELEM_I32 : view_loads(n->type.e);
    w->ops += n->op != OP_assign;
    return n->op == OP_assign || (op_flag_bits(n->op) & POINTWISE);
}

// From one row to the next, in elements.
static int64_t row_step(const kernel_site *s, const sweeping *w, value v) {
    int64_t ld = s->variant->places[v].ld, n = w->shape->d[w->shape->rank - 1].n;
    return w->shape->rank >= 2 && !node_is_constant(graph_node(s->graph, v)) && ld > n ? ld : n;
}

static bool is_flat(arena *a, const kernel_site *s, const sweeping *w) {
    const node *n = graph_node(s->graph, s->node);
    int count;
    const kernel_result *r = kernel_results(a, s, &count);
    bool flat = true;
    for (int i = 0; i < n->input_count; i++)
        flat = flat && (is_number(graph_type(w->body, i)) || row_step(s, w, n->inputs[i]) == w->n);
    for (int i = 0; i < count; i++) flat = flat && row_step(s, w, r[i].node) == w->n;
    return flat;
}

static bool recognise(arena *a, const kernel_site *s, sweeping *w) {
    const node *n = graph_node(s->graph, s->node);
    if (n->op == OP_per_sequence || n->type.rank < 1) return false;
    *w = (sweeping){.body = loop_nest_flatten(a, s), .shape = &n->type};
    const type *t = w->shape;
    int64_t count = type_count(t);
    // What fills the last panel of a packed matrix stays zero: there must be nothing.
    if (count < 2 || (t->layout == LAYOUT_PACKED && t->d[1].n % PANEL_COLUMNS)) return false;
    for (value v = 0; v < w->body->count; v++)
        if (!takes(w, v)) return false;
    for (int i = 0; i < w->body->output_count; i++) {
        const type *y = graph_type(w->body, w->body->outputs[i].value);
        if (is_number(y) || !view_loads(y->e) ||
            graph_node(w->body, w->body->outputs[i].value)->op == OP_param)
            return false;
    }
    w->n = t->d[t->rank - 1].n;
    w->rows = count / w->n;
    if (t->layout == LAYOUT_PACKED || w->rows == 1 || is_flat(a, s, w)) w->n = count, w->rows = 1;
    w->task = w->rows == 1 ? TASK_ELEMENTS : ceil_div(TASK_ELEMENTS, w->n);
    return true;
}

bool update_accepts(const emit *e, const kernel_site *s) {
    sweeping w;
    return recognise(e->arena, s, &w);
}

// --- Emission

// Views of a task's stretch by value of the body, and the vectors of numbers.
typedef struct stretch {
    const sweeping *w;
    const sweep *s;
    view *views;
    LLVMValueRef *numbers;
} stretch;

static LLVMValueRef load_value(void *context, value v) {
    const stretch *x = context;
    if (!x->numbers[v]) return sweep_load(x->s, &x->views[v]);
    return x->s->width == 1 ? x->numbers[v] : build_splat(x->s->e, x->numbers[v], x->s->width);
}

static view view_of(emit *e, LLVMValueRef base, elem of, LLVMValueRef first, LLVMValueRef count) {
    dim d = dim_num(1);
    type t = type_make(of, 1, &d);
    view v = {.type = t, .size = {count}, .stride = {1}, .buffer = -1};
    v.base = build_gep(e, base, LLVMBuildMul(e->b, first, build_const_i64(e, (int64_t)elem_size(of)), ""));
    return v;
}

// One vector: all is computed before anything is stored.
static void emit_vector(const sweep *s, stretch *x, const view *outs) {
    const graph *body = x->w->body;
    emit *e = s->e;
    x->s = s;
    pointwise p = {.e = e,
                   .body = body,
                   .load = load_value,
                   .context = x,
                   .width = s->width,
                   .memo = ARENA_ARRAY(e->arena, LLVMValueRef, body->count)};
    for (value v = 0; v < body->count; v++)
        if (graph_node(body, v)->op == OP_assign) pointwise_value(&p, graph_node(body, v)->inputs[1]);
    for (int i = 0; i < body->output_count; i++)
        if (graph_node(body, body->outputs[i].value)->op != OP_assign)
            pointwise_value(&p, body->outputs[i].value);
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op == OP_assign) sweep_store(s, &x->views[n->inputs[0]], pointwise_value(&p, n->inputs[1]));
    }
    for (int i = 0; i < body->output_count; i++)
        if (graph_node(body, body->outputs[i].value)->op != OP_assign)
            sweep_store(s, &outs[i], pointwise_value(&p, body->outputs[i].value));
}

// `count` elements from element `first` of row `row` on.
static void emit_stretch(emit *e, const kernel_site *s, const sweeping *w, LLVMValueRef args,
                         LLVMValueRef row, LLVMValueRef first, LLVMValueRef count) {
    const node *n = graph_node(s->graph, s->node);
    int results;
    const kernel_result *r = kernel_results(e->arena, s, &results);
    stretch x = {.w = w,
                 .views = ARENA_ARRAY(e->arena, view, w->body->count),
                 .numbers = ARENA_ARRAY(e->arena, LLVMValueRef, w->body->count)};
    view *outs = ARENA_ARRAY(e->arena, view, results);
    for (int i = 0; i < n->input_count; i++) {
        const type *t = graph_type(w->body, i);
        LLVMValueRef base = build_arg(e, args, i);
        LLVMValueRef step = build_const_i64(e, row_step(s, w, n->inputs[i]));
        if (is_number(t))
            x.numbers[i] = build_load(e, view_elem(e, t->e, 1), base, (unsigned)elem_size(t->e));
        else
            x.views[i] = view_of(e, base, t->e,
                                 LLVMBuildAdd(e->b, LLVMBuildMul(e->b, row, step, ""), first, ""), count);
    }
    for (int i = 0; i < results; i++) {
        LLVMValueRef step = build_const_i64(e, row_step(s, w, r[i].node));
        LLVMValueRef at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, row, step, ""), first, "");
        outs[i] = view_of(e, build_arg(e, args, r[i].arg), graph_type(w->body, w->body->outputs[i].value)->e,
                          at, count);
    }
    for (sweep p = sweep_begin(e, count, e->width, 1); sweep_next(&p);) emit_vector(&p, &x, outs);
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const sweeping *w) {
    LLVMValueRef f = build_function(e, "update", e->kernel_type), args = LLVMGetParam(f, 0);
    LLVMValueRef task = build_const_i64(e, w->task), zero = build_const_i64(e, 0),
                 n = build_const_i64(e, w->n);
    LLVMValueRef first = LLVMBuildMul(e->b, LLVMGetParam(f, 2), task, "");
    if (w->rows == 1) {
        emit_stretch(e, s, w, args, zero, first, smaller(e, LLVMBuildSub(e->b, n, first, ""), task));
    } else {
        LLVMValueRef end = smaller(e, LLVMBuildAdd(e->b, first, task, ""), build_const_i64(e, w->rows));
        loop rows = build_loop(e, first, end, 1, "row");
        emit_stretch(e, s, w, args, rows.index, zero, n);
        build_loop_end(e, &rows);
    }
    LLVMBuildRetVoid(e->b);
    return f;
}

// Bytes beside the constants that are read: other operands, and all that is written.
static int64_t other_bytes(const kernel_site *s, const sweeping *w) {
    const node *n = graph_node(s->graph, s->node);
    int64_t bytes = 0, count = w->rows * w->n;
    for (int i = 0; i < n->input_count; i++)
        if (!node_is_constant(graph_node(s->graph, n->inputs[i])) && !is_number(graph_type(w->body, i)))
            bytes += elem_bytes(graph_type(w->body, i)->e, count);
    for (value v = 0; v < w->body->count; v++)
        if (graph_node(w->body, v)->op == OP_assign) bytes += elem_bytes(ELEM_F32, count);
    for (int i = 0; i < w->body->output_count; i++) {
        const node *y = graph_node(w->body, w->body->outputs[i].value);
        if (y->op != OP_assign) bytes += elem_bytes(y->type.e, count);
    }
    return bytes;
}

bool update_emit(emit *e, const kernel_site *s, kernel *out) {
    sweeping w;
    if (!recognise(e->arena, s, &w)) return false;
    kernel_phase phase = {.function = emit_kernel(e, s, &w),
                          .dim = SYM_NONE,
                          .unit = 1,
                          .inner = ceil_div(w.rows == 1 ? w.n : w.rows, w.task),
                          .flops_call = (double)w.ops * (double)w.n * (double)w.rows,
                          .row_bytes = other_bytes(s, &w),
                          .suffix = ""};
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        out->phases[class][0] = phase;
        out->phase_count[class] = 1;
    }
    return true;
}
