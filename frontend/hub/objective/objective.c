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

static value log_softmax(objective *o, value x) {
    return graph_op2(o->g, OP_sub, x, loss_log_sum(o->g, x));
}

// How far the softmax of x is from that of the teacher's logits, both at the temperature: sum p (log p - log q), times
// its square, so that gradients keep their size. [X,1]
static value divergence(objective *o, value x, value teacher) {
    graph *g = o->g;
    double t = o->train->temperature > 0 ? o->train->temperature : 1;
    value q = log_softmax(o, times(o, x, 1 / t)), p = log_softmax(o, times(o, teacher, 1 / t));
    value apart = graph_op2(g, OP_sub, p, q), gap = graph_op2(g, OP_mul, graph_op1(g, OP_exp, p), apart);
    return times(o, loss_over(g, OP_reduce_sum, gap, 1), t * t);
}

// Cross-entropy of the logits' rows, mixed with the teacher's; its sum.
static value of_labels(objective *o, value x) {
    graph *g = o->g;
    const hub_training *t = o->train;
    const loss_labels how = {t->label_smoothing, t->class_weights, t->class_weight_count};
    value labels = target_of(o, "labels", ELEM_I32, rows_of(o, x), 0);
    value hard = loss_cross_entropy(g, x, labels, &how);
    if (!t->teacher) return loss_sum(g, hard);
    value teacher = target_of(o, "teacher", ELEM_F32, rows_of(o, x), graph_type(g, x)->d[1].n);
    value known = loss_known(g, labels), soft = graph_op2(g, OP_mul, divergence(o, x, teacher), known);
    hard = times(o, hard, 1 - t->soft);
    soft = times(o, soft, t->soft);
    return loss_sum(g, graph_op2(g, OP_add, hard, soft));
}

// log(1 + e^x) - x y, whatever the size of x: max(x, 0) - x y + log(1 + e^-|x|).
static value of_several(objective *o, value x) {
    graph *g = o->g;
    value y = target_of(o, "labels", ELEM_F32, rows_of(o, x), graph_type(g, x)->d[1].n);
    value size = graph_op2(g, OP_maximum, x, graph_op1(g, OP_neg, x));
    value one = graph_scalar(g, 1), zero = graph_scalar(g, 0);
    value tail = graph_op1(g, OP_exp, graph_op1(g, OP_neg, size));
    tail = graph_op1(g, OP_log, graph_op2(g, OP_add, tail, one));
    value positive = graph_op2(g, OP_maximum, x, zero), product = graph_op2(g, OP_mul, x, y);
    return loss_sum(g, graph_op2(g, OP_add, graph_op2(g, OP_sub, positive, product), tail));
}

static value of_numbers(objective *o, value x) {
    value y = target_of(o, "labels", ELEM_F32, rows_of(o, x), graph_type(o->g, x)->d[1].n);
    value gap = graph_op2(o->g, OP_sub, x, y);
    return loss_sum(o->g, graph_op2(o->g, OP_mul, gap, gap));
}

// --- Spans

// Cross-entropy of one text's tokens: [S,1]. A label beyond the text's end, or -100, adds nothing.
static value of_places(objective *o, value bounds, value logits, value labels) {
    graph *body = graph_new(o->g->arena, NULL);
    dim tokens[] = {dim_num(1), dim_sym(SYM_L)};
    value l = graph_param(body, "logits", type_make(ELEM_F32, 1, &tokens[1]));
    value y = graph_param(body, "label", type_make(ELEM_I32, 1, tokens));
    value x = graph_reshape(body, l, 2, tokens), is = loss_is_label(body, x, y);
    value sum = loss_log_sum(body, x), row = graph_op2(body, OP_sub, sum, loss_picked(body, is, x));
    value there = loss_picked(body, is, graph_scalar(body, 1));
    graph_output_add(body, NULL, graph_op2(body, OP_mul, row, there));
    return graph_region(o->g, OP_per_sequence, 3, (value[]){bounds, logits, labels}, body, 1);
}

static value input_named(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (g->nodes[v].op == OP_input && !strcmp(g->nodes[v].name, name)) return v;
    return VALUE_NONE;
}

static value of_spans(objective *o) {
    value bounds = input_named(o->g, "bounds"), sum[2];
    static const char *const outputs[] = {"start_logits", "end_logits"}, *const targets[] = {"starts",
                                                                                             "ends"};
    for (int i = 0; i < 2; i++) {
        value labels = target_of(o, targets[i], ELEM_I32, dim_sym(SYM_S), 0);
        sum[i] = of_places(o, bounds, output_named(o, outputs[i]), labels);
    }
    return loss_sum(o->g, times(o, graph_op2(o->g, OP_add, sum[0], sum[1]), 0.5));
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
    return loss_sum(g, loss_cross_entropy(g, scores, positives, &(loss_labels){0}));
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
    return loss_sum(g, graph_op2(g, OP_mul, gap, loss_known(g, pairs)));
}

// --- All

static bool check(const objective *o) {
    const hub_training *t = o->train;
    bool labels = o->kind == OBJECTIVE_CLASSES || o->kind == OBJECTIVE_WORDS;
    if (!labels && (t->label_smoothing > 0 || t->class_weights || t->teacher))
        return diag_error(
            o->d, "--train",
            "%s: label smoothing, class weights and a teacher are for one label per text or token", t->task);
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
