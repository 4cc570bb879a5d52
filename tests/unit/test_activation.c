// links: hub ir
// Activations of config.json's hidden_act, evaluated against their formulas.
#include <math.h>

#include "folder.h"

static double phi(double x) {
    return 0.5 * (1 + erf(x / sqrt(2)));
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static double clipped(double x, double least, double most) {
    return fmin(fmax(x, least), most);
}

static double gelu(double x) {
    return x * phi(x);
}
static double gelu_tanh(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double gelu_10(double x) {
    return clipped(gelu(x), -10, 10);
}
static double quick_gelu(double x) {
    return x * sigmoid(1.702 * x);
}
static double relu(double x) {
    return fmax(x, 0);
}
static double relu2(double x) {
    return relu(x) * relu(x);
}
static double relu6(double x) {
    return clipped(x, 0, 6);
}
static double leaky_relu(double x) {
    return x > 0 ? x : 0.01 * x;
}
static double hardswish(double x) {
    return x * clipped(x + 3, 0, 6) / 6;
}
static double laplace(double x) {
    return (1 + erf((x - 0.707107) / (0.282095 * sqrt(2)))) / 2;
}
static double silu(double x) {
    return x * sigmoid(x);
}
static double mish(double x) {
    return x * tanh(x > 30 ? x : log1p(exp(x)));
}
static double linear(double x) {
    return x;
}

static const struct {
    const char *name;
    double (*formula)(double);
} activations[] = {
    {"gelu", gelu},
    {"gelu_python", gelu},
    {"gelu_new", gelu_tanh},
    {"gelu_fast", gelu_tanh},
    {"gelu_accurate", gelu_tanh},
    {"gelu_python_tanh", gelu_tanh},
    {"gelu_pytorch_tanh", gelu_tanh},
    {"gelu_10", gelu_10},
    {"quick_gelu", quick_gelu},
    {"relu", relu},
    {"relu2", relu2},
    {"relu6", relu6},
    {"leaky_relu", leaky_relu},
    {"hardswish", hardswish},
    {"laplace", laplace},
    {"silu", silu},
    {"swish", silu},
    {"mish", mish},
    {"tanh", tanh},
    {"sigmoid", sigmoid},
    {"linear", linear},
};

// The values of a node of a one-layer model's graph and of what feeds it.
typedef struct seen {
    value in, out;
    double (*formula)(double);
    const float *x;
    double most;
    int compared;
} seen;

static bool observe(void *context, const graph *g, value v, const tensor *t) {
    seen *s = context;
    (void)g;
    int64_t n = tensor_count(t);
    if (v == s->in) {
        float *copy = malloc(sizeof(float) * (size_t)n);
        memcpy(copy, t->data, sizeof(float) * (size_t)n);
        s->x = copy;
    }
    for (int64_t i = 0; v == s->out && i < n; i++) {
        double wants = s->formula(s->x[i]), off = fabs(((float *)t->data)[i] - wants);
        s->most = fmax(s->most, off / fmax(1, fabs(wants)));
        s->compared++;
    }
    return true;
}

// What up-projection the activation of layer 0 reads: the layer's only value of the width 112 that its query
// feeds first.
static value first_of_width(const graph *g, int64_t width) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_add && n->type.rank == 2 && dim_is(n->type.d[1], width)) return v;
    }
    return VALUE_NONE;
}

static value by_name(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++) {
        if (graph_node(g, v)->name && !strcmp(graph_node(g, v)->name, name)) return v;
    }
    return VALUE_NONE;
}

START_TEST(formulas) {
    char *text = case_text("bert-base-model/config.json"), with[64];
    snprintf(with, sizeof(with), "\"hidden_act\": \"%s\"", activations[_i].name);
    char *changed = replaced(text, "\"hidden_act\": \"gelu\"", with);
    write_text("config.json", changed);
    link_case("bert-base-model/model.safetensors", "model.safetensors");
    opened x = open_model((hub_options){0});
    ck_assert(x.ok);
    static const int32_t ids[] = {2, 50, 60, 3}, types[4], positions[] = {0, 1, 2, 3}, bounds[] = {0, 4};
    const eval_input inputs[] = {
        {"ids", {ELEM_I32, 1, {4}, (void *)(uintptr_t)ids}},
        {"types", {ELEM_I32, 1, {4}, (void *)(uintptr_t)types}},
        {"positions", {ELEM_I32, 1, {4}, (void *)(uintptr_t)positions}},
        {"bounds", {ELEM_I32, 1, {2}, (void *)(uintptr_t)bounds}},
    };
    seen s = {first_of_width(x.m.graph, 112), by_name(x.m.graph, "layer.0.intermediate"),
              activations[_i].formula};
    eval_options e = {
        .source = &x.m.source, .input_count = 4, .inputs = inputs, .observe = observe, .observe_context = &s};
    tensor results[2];
    ck_assert(graph_eval(x.m.graph, &e, x.a, results, &x.d));
    ck_assert_int_eq(s.compared, 4 * 112);
    ck_assert_msg(s.most < 1e-6, "%s is off by %g", activations[_i].name, s.most);
    free((void *)(uintptr_t)s.x);
    close_model(&x);
    free(changed);
    free(text);
}
END_TEST

static void add(TCase *c) {
    tcase_add_loop_test(c, formulas, 0, sizeof(activations) / sizeof(activations[0]));
}

int main(void) {
    return run_suite("activations", add);
}
