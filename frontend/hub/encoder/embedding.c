// Embeddings: tokens' rows are pooled to a text's row, in a per_sequence, and the modules of a
// sentence-transformers folder work on that row. All of it is primitive ops.
#include <string.h>

#include "frontend/hub/config/activation.h"
#include "frontend/hub/encoder/encoder.h"

// --- Pooling

// The body of a pooling: over one text's rows. kept: 1 where a token is shown and no prompt's, else 0,
// f32[L,1]; VALUE_NONE: all are kept.
typedef struct pooler {
    graph *g;
    value x, kept;     // f32[L,W], f32[L,1]
    bool masks, skips; // a mask hides rows; a prompt's are skipped
    bool may_be_empty; // no row may be left
    dim width;
} pooler;

static value over_rows(graph *g, op o, value x) {
    int64_t rows = 0;
    attr axes = {.id = ATTR_axes, .n = 1, .u.ints = &rows};
    return graph_append(g, o, 1, &x, 1, &axes);
}

static value ones(const pooler *p) { // f32[L,1]
    dim shape[] = {dim_sym(SYM_L), dim_num(1)};
    attr to = {.id = ATTR_shape, .n = 2, .u.dims = shape};
    value one = graph_scalar(p->g, 1);
    return graph_append(p->g, OP_broadcast, 1, &one, 1, &to);
}

// 0, 1, 2, ..: which row it is, f32[L,1].
static value row_numbers(const pooler *p) {
    dim shape[] = {dim_sym(SYM_L), dim_num(1)};
    attr attrs[] = {{.id = ATTR_shape, .n = 2, .u.dims = shape}, {.id = ATTR_axis, .u.i = 0}};
    value i = graph_append(p->g, OP_iota, 0, NULL, 2, attrs);
    attr to = {.id = ATTR_to, .u.e = ELEM_F32};
    return graph_append(p->g, OP_cast, 1, &i, 1, &to);
}

static value compared(graph *g, const char *predicate, value a, value b) {
    attr word = attr_word(ATTR_predicate, predicate);
    return graph_append(g, OP_compare, 2, (value[]){a, b}, 1, &word);
}

static value is_kept(const pooler *p) {
    return compared(p->g, "gt", p->kept, graph_scalar(p->g, 0.5));
}

// The sum of the rows that are kept, each times its weight, and the sum of the weights.
static value weighted_sum(const pooler *p, value weights, value *total) {
    if (p->kept != VALUE_NONE) weights = graph_op2(p->g, OP_mul, weights, p->kept);
    *total = over_rows(p->g, OP_reduce_sum, weights);
    return over_rows(p->g, OP_reduce_sum, graph_op2(p->g, OP_mul, p->x, weights));
}

// The row of that number, f32[1,1].
static value numbered_row(const pooler *p, value number) {
    value is = compared(p->g, "eq", row_numbers(p), number);
    value x = graph_op3(p->g, OP_select, is, p->x, graph_scalar(p->g, 0));
    return over_rows(p->g, OP_reduce_sum, x);
}

// The first row, hidden or not, as in Transformers; with a prompt before the text, the first row after it.
static value first_row(const pooler *p) {
    graph *g = p->g;
    if (!p->skips)
        return graph_slice(g, p->x, 2, (dim[]){dim_num(0), dim_num(0)}, (dim[]){dim_num(1), p->width});
    return numbered_row(p, over_rows(g, OP_reduce_sum, graph_op2(g, OP_sub, ones(p), p->kept)));
}

static value last_row(const pooler *p) {
    dim begin[] = {{SYM_L, -1}, dim_num(0)}, end[] = {dim_sym(SYM_L), p->width};
    if (!p->masks) return graph_slice(p->g, p->x, 2, begin, end);
    return numbered_row(p, over_rows(p->g, OP_reduce_max, graph_op2(p->g, OP_mul, row_numbers(p), p->kept)));
}

static value mean_row(const pooler *p, bool root) {
    graph *g = p->g;
    value count;
    if (p->kept == VALUE_NONE && !root) return over_rows(g, OP_reduce_mean, p->x);
    value sum = weighted_sum(p, ones(p), &count);
    if (p->may_be_empty) count = graph_op2(g, OP_maximum, count, graph_scalar(g, 1));
    return root ? graph_op2(g, OP_mul, sum, graph_op1(g, OP_rsqrt, count)) : graph_op2(g, OP_div, sum, count);
}

static value pooled_row(const pooler *p, hub_pooling pooling) {
    graph *g = p->g;
    value x = p->x, total, one;
    switch (pooling) {
    case POOLING_CLS: return first_row(p);
    case POOLING_MAX:
        if (p->kept != VALUE_NONE) {
            value least = graph_scalar(g, -3.4e38);
            x = graph_op3(g, OP_select, is_kept(p), x, least);
        }
        return over_rows(g, OP_reduce_max, x);
    case POOLING_WEIGHTED:
        one = graph_scalar(g, 1);
        x = weighted_sum(p, graph_op2(g, OP_add, row_numbers(p), one), &total);
        return graph_op2(g, OP_div, x, total);
    case POOLING_LAST: return last_row(p);
    case POOLING_SUM:
        return p->kept == VALUE_NONE ? over_rows(g, OP_reduce_sum, x) : weighted_sum(p, ones(p), &total);
    case POOLING_MEAN_SQRT: return mean_row(p, true);
    case POOLING_MEAN:
    case POOLING_LATE: break;
    }
    return mean_row(p, false);
}

// 1 where `is` holds, else 0, also times what is kept so far.
static void keep(pooler *p, value is) {
    value no = graph_scalar(p->g, 0), yes = graph_scalar(p->g, 1);
    value kept = graph_op3(p->g, OP_select, is, yes, no);
    p->kept = p->kept == VALUE_NONE ? kept : graph_op2(p->g, OP_mul, p->kept, kept);
}

static value is_no_prompt(const pooler *p, value prompt) {
    int32_t none = 0;
    dim shape[] = {dim_sym(SYM_L), dim_num(1)};
    value zero = hub_build_numbers(p->g, type_make(ELEM_I32, 0, NULL), &none);
    return compared(p->g, "eq", graph_reshape(p->g, prompt, 2, shape), zero);
}

value hub_build_pooled(hub_builder *b, value x, int n, const hub_pooling *poolings) {
    pooler p = {.g = graph_new(b->g->arena, NULL),
                .kept = VALUE_NONE,
                .width = graph_type(b->g, x)->d[1],
                .may_be_empty = b->config->sentence.fixed};
    dim rows[] = {dim_sym(SYM_L), p.width}, column[] = {rows[0], dim_num(1)};
    value inputs[4] = {b->bounds, x}, parts[HUB_POOLINGS_MOST], mask = VALUE_NONE, prompt = VALUE_NONE;
    int count = 2;
    p.skips = b->config->head == HEAD_EMBEDDING && b->prompt != VALUE_NONE;
    p.masks = b->mask != VALUE_NONE && (p.skips || n > 1 || poolings[0] != POOLING_CLS);
    p.x = graph_param(p.g, "x", type_make(ELEM_F32, 2, rows));
    if (p.masks) {
        inputs[count++] = b->mask;
        mask = graph_param(p.g, "mask", type_make(ELEM_I32, 1, rows));
    }
    if (p.skips) {
        inputs[count++] = b->prompt;
        prompt = graph_param(p.g, "prompt", type_make(ELEM_I32, 1, rows));
    }
    if (p.masks) keep(&p, hub_build_is_shown(p.g, mask, 2, column));
    if (p.skips) keep(&p, is_no_prompt(&p, prompt));
    for (int i = 0; i < n; i++) parts[i] = pooled_row(&p, poolings[i]);
    attr axis = {.id = ATTR_axis, .u.i = 1};
    graph_output_add(p.g, NULL, n == 1 ? parts[0] : graph_append(p.g, OP_concat, n, parts, 1, &axis));
    return graph_region(b->g, OP_per_sequence, count, inputs, p.g, 1);
}

// --- The modules after the pooling

// Its name in its file.
static const char *own_name(const hub_step_tensor *t) {
    const char *slash = strrchr(t->name, '/');
    return slash ? slash + 1 : t->name;
}

static value constant(hub_builder *b, const hub_step_tensor *t, int i, bool turned) {
    arena *a = b->g->arena;
    const char *name = arena_printf(a, "step.%d.%s", i, own_name(t));
    recipe *r = recipe_tensor(a, t->name, t->e, t->rank, t->shape);
    if (t->e != ELEM_F32) r = recipe_cast(a, r, ELEM_F32);
    if (turned) r = recipe_transpose(a, r);
    return graph_constant_recipe(b->g, name, r);
}

static value dense(hub_builder *b, const hub_step *s, int i, value x) {
    graph *g = b->g;
    value y = graph_op2(g, OP_matmul, x, constant(b, &s->weight, i, true));
    if (s->biased) y = graph_op2(g, OP_add, y, constant(b, &s->bias, i, false));
    y = hub_activation(g, s->activation, y);
    if (!s->residual) return y;
    if (s->in != s->out) x = graph_op2(g, OP_matmul, x, constant(b, &s->shortcut, i, true));
    return graph_op2(g, OP_add, y, x);
}

static value norm(hub_builder *b, const hub_step *s, int i, value x) {
    attr eps = attr_float(ATTR_eps, 1e-5);
    value in[] = {x, constant(b, &s->weight, i, false), constant(b, &s->bias, i, false)};
    return graph_append(b->g, OP_layer_norm, 3, in, 1, &eps);
}

// x / max(|x|, 1e-12), of each row.
static value normalized(hub_builder *b, value x) {
    graph *g = b->g;
    int64_t axis = 1;
    attr axes = {.id = ATTR_axes, .n = 1, .u.ints = &axis};
    value square = graph_op2(g, OP_mul, x, x);
    value sum = graph_append(g, OP_reduce_sum, 1, &square, 1, &axes);
    value floored = graph_op2(g, OP_maximum, sum, graph_scalar(g, 1e-24));
    return graph_op2(g, OP_mul, x, graph_op1(g, OP_rsqrt, floored));
}

static value stepped(hub_builder *b, const hub_step *s, int i, value x) {
    switch (s->kind) {
    case STEP_DENSE: return dense(b, s, i, x);
    case STEP_NORM: return norm(b, s, i, x);
    case STEP_NORMALIZE: break;
    }
    return normalized(b, x);
}

static value all_steps(hub_builder *b, value x) {
    const hub_sentence *s = &b->config->sentence;
    for (int i = 0; i < s->step_count; i++) {
        x = stepped(b, &s->steps[i], i, x);
        if (i + 1 < s->step_count) hub_build_named(b, x, arena_printf(b->g->arena, "step.%d", i));
    }
    return x;
}

value hub_build_embedding(hub_builder *b) {
    const hub_sentence *s = &b->config->sentence;
    value x = hub_build_pooled(b, b->hidden[b->config->layers], s->pooling_count, s->poolings);
    if (s->step_count) x = hub_build_named(b, x, "pooled");
    return hub_build_named(b, all_steps(b, x), "embedding");
}

value hub_build_dense(hub_builder *b) {
    value x = hub_build_pooled(b, b->hidden[b->config->layers], 1, (hub_pooling[]){POOLING_CLS});
    return hub_build_named(b, normalized(b, x), "embedding");
}

value hub_build_head_vectors(hub_builder *b) {
    value x = dense(b, &b->config->sentence.vectors_head, 0, b->hidden[b->config->layers]);
    return hub_build_named(b, normalized(b, x), "vectors");
}

value hub_build_token_weights(hub_builder *b) {
    dim rows = dim_sym(SYM_T);
    value x = dense(b, &b->config->sentence.weights_head, 1, b->hidden[b->config->layers]);
    return hub_build_named(b, graph_reshape(b->g, x, 1, &rows), "token_weights");
}

value hub_build_vectors(hub_builder *b) {
    return hub_build_named(b, all_steps(b, b->hidden[b->config->layers]), "vectors");
}

// --- Their weights

static bool take_weight(const hub_checkpoint *c, hub_step_tensor *t, const char *file, diag *d) {
    char where[700];
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    snprintf(where, sizeof where, "%.400s: tensor \"%.200s\"", file, own_name(t));
    if (!hub_checkpoint_entry(c, t->name, &dtype, &rank, &shape, &data))
        return diag_error(d, where, "is missing");
    if (!hub_weight_elem(dtype, &t->e))
        return diag_error(d, where, "%s is not supported for weights: " HUB_WEIGHT_DTYPES, dtype);
    bool fits = rank == t->rank && shape[0] == t->shape[0] && (rank == 1 || shape[1] == t->shape[1]);
    return fits || diag_error(d, where, "has another shape than config.json says");
}

static int64_t elements(const hub_step_tensor *t) {
    return t->rank == 2 ? t->shape[0] * t->shape[1] : t->shape[0];
}

// A projection among the encoder's tensors, which says how wide it is.
static bool check_inner(hub_weights *w, hub_step *s, int64_t width, diag *d) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    bool found = hub_checkpoint_entry(w->checkpoint, s->weight.name, &dtype, &rank, &shape, &data);
    s->in = width;
    s->out = found && rank == 2 ? shape[0] : 1;
    s->weight.shape[0] = s->out;
    s->weight.shape[1] = width;
    w->parameters += s->out * width;
    return take_weight(w->checkpoint, &s->weight, w->checkpoint->where, d);
}

static bool check_step(hub_weights *w, hub_step *s, int64_t width, diag *d) {
    const char *key = s->kind == STEP_DENSE ? "in_features" : "dimension";
    const hub_fields f = {s->config, "", NULL, d};
    hub_checkpoint *c = w->checkpoint;
    if (!s->weights) return check_inner(w, s, width, d);
    if (s->in != width)
        return hub_field_wrong(&f, key, "%lld is not the width that comes in, %lld", (long long)s->in,
                               (long long)width);
    if (!hub_checkpoint_add(c, s->folder, s->weights, d)) return false;
    bool ok = take_weight(c, &s->weight, s->weights, d);
    if (s->biased) ok &= take_weight(c, &s->bias, s->weights, d);
    if (s->residual && s->in != s->out) ok &= take_weight(c, &s->shortcut, s->weights, d);
    w->parameters += elements(&s->weight) + (s->biased ? elements(&s->bias) : 0);
    if (s->residual && s->in != s->out) w->parameters += elements(&s->shortcut);
    return ok;
}

// A head of BGE-M3's: its file says how wide it is where that is not fixed.
static bool check_head(hub_weights *w, hub_step *s, int64_t width, diag *d) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    if (!hub_checkpoint_add(w->checkpoint, s->folder, s->weights, d)) return false;
    bool found = hub_checkpoint_entry(w->checkpoint, s->weight.name, &dtype, &rank, &shape, &data);
    if (!s->out) s->out = found && rank == 2 ? shape[0] : 1;
    s->in = s->weight.shape[1] = width;
    s->weight.shape[0] = s->bias.shape[0] = s->out;
    w->parameters += s->out * (width + 1);
    return take_weight(w->checkpoint, &s->weight, s->weights, d) &&
           take_weight(w->checkpoint, &s->bias, s->weights, d);
}

bool hub_weights_add_heads(hub_weights *w, hub_config *config, diag *d) {
    hub_sentence *s = &config->sentence;
    int64_t width = config->sizes[SIZE_HIDDEN];
    return (!s->several[ANSWER_SPARSE] || check_head(w, &s->weights_head, width, d)) &&
           (!s->several[ANSWER_VECTORS] || check_head(w, &s->vectors_head, width, d));
}

bool hub_weights_add_steps(hub_weights *w, const hub_config *config, diag *d) {
    const hub_sentence *s = &config->sentence;
    int64_t width = config->sizes[SIZE_HIDDEN] * (s->late.present ? 1 : s->pooling_count);
    for (int i = 0; i < s->step_count; i++) {
        hub_step *step = &s->steps[i];
        if (step->kind == STEP_NORMALIZE) continue;
        if (!check_step(w, step, width, d)) return false;
        width = step->out;
    }
    return true;
}
