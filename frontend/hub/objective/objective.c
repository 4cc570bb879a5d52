#include "frontend/hub/objective/objective.h"

#include <string.h>

#define SIMILARITY_SCALE 20.0 // as sentence-transformers' MultipleNegativesRankingLoss
#define HIDDEN           -1e30

typedef struct objective {
    graph *g;
    objective_kind kind;
    const hub_training *train;
    diag *d;
} objective;

static value target_of(objective *o, const char *name, elem e, dim rows, int64_t columns) {
    dim shape[] = {rows, dim_num(columns)};
    return graph_input(o->g, name, type_make(e, columns ? 2 : 1, shape));
}

static value output_named(const objective *o, const char *name) {
    for (int i = 0; i < o->g->output_count; i++)
        if (!strcmp(o->g->outputs[i].name, name)) return o->g->outputs[i].value;
    return o->g->outputs[0].value;
}

static dim rows_of(const objective *o, value x) {
    return graph_type(o->g, x)->d[0];
}

static value times(objective *o, value x, double c) {
    return graph_op2(o->g, OP_mul, x, graph_scalar(o->g, c));
}

// --- Labels of rows

// The teacher's outputs as a target.
static value teacher_of(objective *o, const char *name, value like) {
    const type *t = graph_type(o->g, like);
    return target_of(o, name, ELEM_F32, t->d[0], t->rank > 1 ? t->d[1].n : 0);
}

// (1 - soft) hard + soft soft, of two sums.
static value mixed(objective *o, value hard, value soft) {
    hard = times(o, hard, 1 - o->train->soft);
    soft = times(o, soft, o->train->soft);
    return graph_op2(o->g, OP_add, hard, soft);
}

static double temperature(const objective *o) {
    return o->train->temperature > 0 ? o->train->temperature : 1;
}

// Cross-entropy of the logits' rows, mixed with the teacher's; its sum.
static value of_labels(objective *o, value x) {
    graph *g = o->g;
    const hub_training *t = o->train;
    const loss_labels how = {t->label_smoothing, t->class_weights, t->class_weight_count};
    value labels = target_of(o, "labels", ELEM_I32, rows_of(o, x), 0);
    value hard = loss_cross_entropy(g, x, labels, &how);
    value sum = loss_sum(g, hard);
    if (!t->teacher) return sum;
    value apart = loss_divergence(g, x, teacher_of(o, "teacher", x), temperature(o));
    return mixed(o, sum, loss_sum(g, graph_op2(g, OP_mul, apart, loss_known(g, labels))));
}

// As torch's binary_cross_entropy_with_logits with pos_weight w: (1 - y) x + (1 + (w - 1) y) log(1 + e^-x).
static value of_several(objective *o, value x) {
    graph *g = o->g;
    const hub_training *t = o->train;
    value y = target_of(o, "labels", ELEM_F32, rows_of(o, x), graph_type(g, x)->d[1].n);
    value tail = loss_softplus(g, graph_op1(g, OP_neg, x)), hard;
    if (t->class_weights) {
        dim shape[] = {dim_num(1), dim_num(t->class_weight_count)};
        float *more = ARENA_ARRAY(g->arena, float, t->class_weight_count);
        for (int64_t i = 0; i < t->class_weight_count; i++) more[i] = t->class_weights[i] - 1;
        value w = graph_constant_f32(g, NULL, type_make(ELEM_F32, 2, shape), more), one = graph_scalar(g, 1);
        value heavy = graph_op2(g, OP_add, graph_op2(g, OP_mul, y, w), one);
        tail = graph_op2(g, OP_mul, tail, heavy);
    }
    value rest = graph_op2(g, OP_sub, x, graph_op2(g, OP_mul, x, y));
    hard = loss_sum(g, graph_op2(g, OP_add, rest, tail));
    if (!t->teacher) return hard;
    value apart = loss_divergence_of_each(g, x, teacher_of(o, "teacher", x), temperature(o));
    return mixed(o, hard, loss_sum(g, apart));
}

static value squared_gap(graph *g, value a, value b) {
    value gap = graph_op2(g, OP_sub, a, b);
    return graph_op2(g, OP_mul, gap, gap);
}

static value of_numbers(objective *o, value x) {
    value y = target_of(o, "labels", ELEM_F32, rows_of(o, x), graph_type(o->g, x)->d[1].n);
    value hard = loss_sum(o->g, squared_gap(o->g, x, y));
    if (!o->train->teacher) return hard;
    return mixed(o, hard, loss_sum(o->g, squared_gap(o->g, x, teacher_of(o, "teacher", x))));
}

// --- Spans

// Of one text's tokens, [S,1]: the cross-entropy, or the divergence from the teacher's logits (VALUE_NONE: it has none). A label
// beyond the text's end, or -100, adds nothing.
static value of_places(objective *o, value bounds, value logits, value labels, value teacher) {
    bool soft = teacher != VALUE_NONE;
    graph *body = graph_new(o->g->arena, NULL);
    dim tokens[] = {dim_num(1), dim_sym(SYM_L)};
    value l = graph_param(body, "logits", type_make(ELEM_F32, 1, &tokens[1]));
    value y = graph_param(body, "label", type_make(ELEM_I32, 1, tokens));
    value t = soft ? graph_param(body, "teacher", type_make(ELEM_F32, 1, &tokens[1])) : VALUE_NONE, row;
    value x = graph_reshape(body, l, 2, tokens), is = loss_is_label(body, x, y);
    if (soft) {
        row = loss_divergence(body, x, graph_reshape(body, t, 2, tokens), temperature(o));
    } else {
        value sum = loss_log_sum(body, x);
        row = graph_op2(body, OP_sub, sum, loss_picked(body, is, x));
    }
    value there = loss_picked(body, is, graph_scalar(body, 1));
    graph_output_add(body, NULL, graph_op2(body, OP_mul, row, there));
    return graph_region(o->g, OP_per_sequence, soft ? 4 : 3, (value[]){bounds, logits, labels, teacher}, body,
                        1);
}

static value input_named(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (g->nodes[v].op == OP_input && !strcmp(g->nodes[v].name, name)) return v;
    return VALUE_NONE;
}

static value of_spans(objective *o) {
    static const char *const outputs[] = {"start_logits", "end_logits"},
                             *const targets[] = {"starts", "ends"},
                             *const teachers[] = {"teacher_starts", "teacher_ends"};
    value bounds = input_named(o->g, "bounds"), hard[2], soft[2];
    for (int i = 0; i < 2; i++) {
        value logits = output_named(o, outputs[i]), teacher;
        value labels = target_of(o, targets[i], ELEM_I32, dim_sym(SYM_S), 0);
        hard[i] = of_places(o, bounds, logits, labels, VALUE_NONE);
        if (!o->train->teacher) continue;
        teacher = teacher_of(o, teachers[i], logits);
        soft[i] = of_places(o, bounds, logits, labels, teacher);
    }
    value sum = loss_sum(o->g, times(o, graph_op2(o->g, OP_add, hard[0], hard[1]), 0.5));
    if (!o->train->teacher) return sum;
    return mixed(o, sum, loss_sum(o->g, times(o, graph_op2(o->g, OP_add, soft[0], soft[1]), 0.5)));
}

// --- Pre-training

static value of_order(objective *o) {
    graph *g = o->g;
    value words = of_labels(o, output_named(o, "prediction_logits")), x = g->outputs[1].value;
    value next = target_of(o, "next", ELEM_I32, dim_sym(SYM_S), 0);
    value weights = target_of(o, "next_weights", ELEM_F32, dim_sym(SYM_S), 0);
    value row = loss_cross_entropy(g, x, next, &(loss_labels){0});
    dim column[] = {dim_sym(SYM_S), dim_num(1)};
    row = graph_op2(g, OP_mul, row, graph_reshape(g, weights, 2, column));
    return graph_op2(g, OP_add, words, loss_sum(g, row));
}

// --- Embeddings

// As sentence-transformers' MSELoss: the mean over texts and columns. Texts are not labels, which the loss is divided by:
// `teacher_weights` are labels / texts.
static value with_teacher(objective *o, value hard) {
    graph *g = o->g;
    if (!o->train->teacher) return hard;
    value x = output_named(o, "embedding"), gap = squared_gap(g, x, teacher_of(o, "teacher", x));
    value weights = target_of(o, "teacher_weights", ELEM_F32, dim_sym(SYM_S), 0);
    dim column[] = {dim_sym(SYM_S), dim_num(1)};
    value row = loss_over(g, OP_reduce_mean, gap, 1);
    row = graph_op2(g, OP_mul, row, graph_reshape(g, weights, 2, column));
    return mixed(o, hard, loss_sum(g, row));
}

// Each anchor's cosines with the candidates of the call, of which one is its positive.
static value of_nearest(objective *o) {
    graph *g = o->g;
    value x = loss_normalized(g, output_named(o, "embedding"));
    value positives = target_of(o, "positives", ELEM_I32, dim_sym(SYM_S), 0);
    value candidates = target_of(o, "candidates", ELEM_I32, dim_sym(SYM_S), 0);
    dim row[] = {dim_num(1), dim_sym(SYM_S)};
    value scores = graph_op2(g, OP_matmul, x, graph_transpose(g, x, 2, (int64_t[]){1, 0}));
    value one = loss_integer(g, 1);
    value is = loss_compared(g, "eq", graph_reshape(g, candidates, 2, row), one);
    value near = times(o, scores, SIMILARITY_SCALE), far = graph_scalar(g, HIDDEN);
    scores = graph_op3(g, OP_select, is, near, far);
    return with_teacher(o, loss_sum(g, loss_cross_entropy(g, scores, positives, &(loss_labels){0})));
}

static value of_cosines(objective *o) {
    graph *g = o->g;
    value x = loss_normalized(g, output_named(o, "embedding"));
    value pairs = target_of(o, "pairs", ELEM_I32, dim_sym(SYM_S), 0);
    value labels = target_of(o, "labels", ELEM_F32, dim_sym(SYM_S), 0);
    dim column[] = {dim_sym(SYM_S), dim_num(1)};
    value other = graph_op2(g, OP_gather, x, graph_op2(g, OP_maximum, pairs, loss_integer(g, 0)));
    value cosine = loss_over(g, OP_reduce_sum, graph_op2(g, OP_mul, x, other), 1);
    value gap = graph_op2(g, OP_sub, cosine, graph_reshape(g, labels, 2, column));
    gap = graph_op2(g, OP_mul, gap, gap);
    return with_teacher(o, loss_sum(g, graph_op2(g, OP_mul, gap, loss_known(g, pairs))));
}

// --- All

static bool check(const objective *o) {
    const hub_training *t = o->train;
    bool labels = o->kind == OBJECTIVE_CLASSES || o->kind == OBJECTIVE_WORDS;
    bool weighs = labels || o->kind == OBJECTIVE_SEVERAL;
    if ((!labels && t->label_smoothing > 0) || (!weighs && t->class_weights))
        return diag_error(o->d, "--train",
                          "%s: label smoothing and class weights are for one label per text or token",
                          t->task);
    if (t->teacher && o->kind == OBJECTIVE_ORDER)
        return diag_error(o->d, "--train", "%s: takes no teacher", t->task);
    if (t->teacher && t->class_weights)
        return diag_error(o->d, "--train", "%s: a teacher's loss has no class weights", t->task);
    int64_t columns = graph_type(o->g, o->g->outputs[0].value)->d[1].n;
    if (t->class_weights && t->class_weight_count != columns)
        return diag_error(o->d, "--train", "%lld class weights, and the model has %lld labels",
                          (long long)t->class_weight_count, (long long)columns);
    return true;
}

static value loss_of(objective *o) {
    value x = o->g->outputs[0].value;
    switch (o->kind) {
    case OBJECTIVE_CLASSES:
    case OBJECTIVE_WORDS: return of_labels(o, x);
    case OBJECTIVE_SEVERAL: return of_several(o, x);
    case OBJECTIVE_NUMBERS: return of_numbers(o, x);
    case OBJECTIVE_SPANS: return of_spans(o);
    case OBJECTIVE_ORDER: return of_order(o);
    case OBJECTIVE_NEAREST: return of_nearest(o);
    case OBJECTIVE_COSINES: break;
    }
    return of_cosines(o);
}

bool hub_build_objective(graph *g, objective_kind kind, const hub_training *train, diag *d) {
    objective o = {g, kind, train, d};
    if (!check(&o)) return false;
    value scale = graph_input(g, "scale", type_make(ELEM_F32, 0, NULL));
    value loss = graph_op2(g, OP_mul, loss_of(&o), scale);
    graph_name(g, loss, "loss");
    graph_output_add(g, "loss", loss);
    return true;
}
