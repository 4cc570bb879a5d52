// links: hub ir
// Losses (frontend/hub/objective) of a few numbers against PyTorch's, as tests/models/training/losses.py wrote them; and what
// is refused.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/objective/objective.h"
#include "main.h"

#define FILE_OF_LOSSES BERTC_TESTS "/models/training/losses.safetensors"

static const float class_weights[] = {0.5F, 1, 2, 0.25F, 3};

#define TEACHER .teacher = true, .temperature = 2, .soft = 0.7

static const struct objective_case {
    const char *name;
    objective_kind kind;
    hub_training train;
    const char *outputs[2];
    sym rows[2];
    double count; // 1 / scale
} cases[] = {
    {"plain", OBJECTIVE_CLASSES, {.task = "tag"}, {"logits"}, {SYM_T}, 5},
    {"plain", OBJECTIVE_WORDS, {.task = "mlm"}, {"logits"}, {SYM_R}, 5},
    {"smooth", OBJECTIVE_CLASSES, {.task = "tag", .label_smoothing = 0.1}, {"logits"}, {SYM_T}, 5},
    {"weights",
     OBJECTIVE_CLASSES,
     {.task = "classify", .class_weights = class_weights, .class_weight_count = 5},
     {"logits"},
     {SYM_S},
     0.5 + 3 + 2 + 2 + 1},
    {"both",
     OBJECTIVE_CLASSES,
     {.task = "classify", .class_weights = class_weights, .class_weight_count = 5, .label_smoothing = 0.1},
     {"logits"},
     {SYM_S},
     0.5 + 3 + 2 + 2 + 1},
    {"large", OBJECTIVE_CLASSES, {.task = "tag"}, {"logits"}, {SYM_T}, 5},
    {"teacher",
     OBJECTIVE_CLASSES,
     {.task = "tag", .teacher = true, .temperature = 2, .soft = 0.7},
     {"logits"},
     {SYM_T},
     5},
    {"several", OBJECTIVE_SEVERAL, {.task = "classify"}, {"logits"}, {SYM_S}, 12},
    {"numbers", OBJECTIVE_NUMBERS, {.task = "regress"}, {"logits"}, {SYM_S}, 12},
    {"spans", OBJECTIVE_SPANS, {.task = "answer"}, {"start_logits", "end_logits"}, {SYM_T, SYM_T}, 2},
    {"order",
     OBJECTIVE_ORDER,
     {.task = "pretrain"},
     {"prediction_logits", "seq_relationship_logits"},
     {SYM_R, SYM_S},
     5},
    {"nearest", OBJECTIVE_NEAREST, {.task = "embed"}, {"embedding"}, {SYM_S}, 2},
    {"cosines", OBJECTIVE_COSINES, {.task = "embed", .cosine = true}, {"embedding"}, {SYM_S}, 2},
    {"heavy",
     OBJECTIVE_SEVERAL,
     {.task = "classify", .class_weights = (const float[]){0.5F, 3, 1}, .class_weight_count = 3},
     {"logits"},
     {SYM_S},
     12},
    {"several-teacher", OBJECTIVE_SEVERAL, {.task = "classify", TEACHER}, {"logits"}, {SYM_S}, 12},
    {"numbers-teacher", OBJECTIVE_NUMBERS, {.task = "regress", TEACHER}, {"logits"}, {SYM_S}, 12},
    {"spans-teacher",
     OBJECTIVE_SPANS,
     {.task = "answer", TEACHER},
     {"start_logits", "end_logits"},
     {SYM_T, SYM_T},
     2},
    {"nearest-teacher", OBJECTIVE_NEAREST, {.task = "embed", TEACHER}, {"embedding"}, {SYM_S}, 2},
    {"cosines-teacher",
     OBJECTIVE_COSINES,
     {.task = "embed", .cosine = true, TEACHER},
     {"embedding"},
     {SYM_S},
     2},
};
enum { CASES = sizeof cases / sizeof *cases };

// A tensor of the file as the evaluator has it; numbers of 64 bits as of 32.
static bool load(const safetensors *s, const char *name, tensor *out, arena *a) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    *out = (tensor){.e = ELEM_F32};
    if (!safetensors_entry(s, name, &dtype, &out->rank, &shape, &data, &bytes)) return false;
    for (int i = 0; i < out->rank; i++) out->shape[i] = shape[i];
    out->data = (void *)(uintptr_t)data;
    if (strcmp(dtype, "I64")) return true;
    int32_t *narrow = ARENA_ARRAY(a, int32_t, bytes / 8);
    for (size_t i = 0; i < bytes / 8; i++) {
        int64_t wide; // the file's tensors need not lie at multiples of 8
        memcpy(&wide, (const char *)data + 8 * i, sizeof wide);
        narrow[i] = (int32_t)wide;
    }
    out->e = ELEM_I32;
    out->data = narrow;
    return true;
}

// The outputs of a model as inputs of a graph that does nothing else.
static graph *model(const struct objective_case *c, const safetensors *s, arena *a) {
    graph *g = graph_new(a, "encoder");
    dim bounds = {SYM_S, 1};
    if (c->kind == OBJECTIVE_SPANS) graph_input(g, "bounds", type_make(ELEM_I32, 1, &bounds));
    for (int i = 0; i < 2 && c->outputs[i]; i++) {
        tensor t;
        ck_assert(load(s, arena_printf(a, "%s.%s", c->name, c->outputs[i]), &t, a));
        dim shape[] = {dim_sym(c->rows[i]), dim_num(t.rank == 2 ? t.shape[1] : 0)};
        value v = graph_input(g, c->outputs[i], type_make(ELEM_F32, t.rank, shape));
        graph_output_add(g, c->outputs[i], v);
    }
    return g;
}

static int inputs_of(const struct objective_case *c, const graph *g, const safetensors *s, eval_input *out,
                     float *scale, arena *a) {
    int n = 0;
    *scale = (float)(1 / c->count);
    for (value v = 0; v < g->count; v++) {
        const node *x = graph_node(g, v);
        if (x->op != OP_input) continue;
        eval_input in = {.name = x->name};
        if (!strcmp(x->name, "scale")) {
            in.value = (tensor){.e = ELEM_F32, .data = scale};
        } else {
            ck_assert_msg(load(s, arena_printf(a, "%s.%s", c->name, x->name), &in.value, a), "no %s",
                          x->name);
        }
        out[n++] = in;
    }
    return n;
}

START_TEST(as_pytorch) {
    const struct objective_case *c = &cases[_i];
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(FILE_OF_LOSSES, &d);
    ck_assert_ptr_nonnull(s);
    graph *g = model(c, s, a);
    int outputs = g->output_count;
    ck_assert_msg(hub_build_objective(g, c->kind, &c->train, &d), "%s: %s", c->name,
                  d.count ? d.items[0].text : "");
    ck_assert(graph_verify(g, c->name, &d));
    ck_assert_int_eq(g->output_count, outputs + 1);
    ck_assert_str_eq(g->outputs[outputs].name, "loss");
    eval_input inputs[8];
    float scale;
    eval_options o = {.inputs = inputs, .input_count = inputs_of(c, g, s, inputs, &scale, a)};
    tensor *results = ARENA_ARRAY(a, tensor, g->output_count), wanted;
    bool ok = graph_eval(g, &o, a, results, &d);
    ck_assert_msg(ok, "%s: %s", c->name, d.count ? d.items[0].text : "");
    ck_assert(load(s, arena_printf(a, "%s.loss", c->name), &wanted, a));
    double has = ((float *)results[outputs].data)[0], wants = ((float *)wanted.data)[0];
    ck_assert_msg(fabs(has - wants) <= 2e-6 * fmax(1, fabs(wants)), "%s: %.8g, PyTorch has %.8g", c->name,
                  has, wants);
    safetensors_close(s);
    diag_free(&d);
    arena_free(a);
}
END_TEST

static void refuse(objective_kind kind, hub_training t, const char *cause) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    graph *g = graph_new(a, "encoder");
    dim shape[] = {dim_sym(SYM_S), dim_num(3)};
    graph_output_add(g, "logits", graph_input(g, "logits", type_make(ELEM_F32, 2, shape)));
    ck_assert(!hub_build_objective(g, kind, &t, &d));
    ck_assert_msg(strstr(d.items[0].text, cause) != NULL, "%s", d.items[0].text);
    diag_free(&d);
    arena_free(a);
}

START_TEST(refused) {
    refuse(OBJECTIVE_NUMBERS, (hub_training){.task = "regress", .label_smoothing = 0.1},
           "regress: label smoothing");
    refuse(OBJECTIVE_ORDER, (hub_training){.task = "pretrain", .teacher = true},
           "pretrain: takes no teacher");
    refuse(OBJECTIVE_NUMBERS, (hub_training){.task = "regress", .class_weights = class_weights},
           "regress: label smoothing and class weights");
    refuse(OBJECTIVE_CLASSES,
           (hub_training){.task = "tag", .class_weights = class_weights, .class_weight_count = 5},
           "5 class weights, and the model has 3 labels");
}
END_TEST

int main(void) {
    Suite *s = suite_create("objective");
    TCase *t = tcase_create("objective");
    tcase_add_loop_test(t, as_pytorch, 0, CASES);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
