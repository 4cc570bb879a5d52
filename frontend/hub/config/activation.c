#include "frontend/hub/config/activation.h"

#include <string.h>

static value gelu(graph *g, value x, const char *approximation) {
    attr word = attr_word(ATTR_approximation, approximation);
    return graph_append(g, OP_gelu, 1, &x, 1, &word);
}

static value scaled(graph *g, value x, double c) {
    return graph_op2(g, OP_mul, x, graph_scalar(g, c));
}

static value minimum(graph *g, value x, double most) {
    value least = graph_scalar(g, -most);
    value negative = graph_op2(g, OP_maximum, graph_op1(g, OP_neg, x), least);
    return graph_op1(g, OP_neg, negative);
}

static value act_gelu(graph *g, value x) {
    return gelu(g, x, "none");
}

// gelu_new, gelu_fast and gelu_accurate spell the same formula in three ways.
static value act_gelu_tanh(graph *g, value x) {
    return gelu(g, x, "tanh");
}

static value act_gelu_10(graph *g, value x) {
    value least = graph_scalar(g, -10);
    return minimum(g, graph_op2(g, OP_maximum, gelu(g, x, "none"), least), 10);
}

static value act_relu(graph *g, value x) {
    return graph_op2(g, OP_maximum, x, graph_scalar(g, 0));
}

static value act_relu2(graph *g, value x) {
    value y = act_relu(g, x);
    return graph_op2(g, OP_mul, y, y);
}

static value act_relu6(graph *g, value x) {
    return minimum(g, act_relu(g, x), 6);
}

// (1 + erf((x - mu) / (sigma sqrt(2)))) / 2
static value act_laplace(graph *g, value x) {
    value z =
        scaled(g, graph_op2(g, OP_sub, x, graph_scalar(g, 0.707107)), 1 / (0.282095 * 1.4142135623730951));
    value one = graph_scalar(g, 1);
    return scaled(g, graph_op2(g, OP_add, graph_op1(g, OP_erf, z), one), 0.5);
}

static value act_leaky_relu(graph *g, value x) {
    return graph_op2(g, OP_maximum, x, scaled(g, x, 0.01));
}

static value act_silu(graph *g, value x) {
    return graph_op2(g, OP_mul, x, graph_op1(g, OP_sigmoid, x));
}

static value act_quick_gelu(graph *g, value x) {
    return graph_op2(g, OP_mul, x, graph_op1(g, OP_sigmoid, scaled(g, x, 1.702)));
}

static value act_tanh(graph *g, value x) {
    return graph_op1(g, OP_tanh, x);
}

static value act_sigmoid(graph *g, value x) {
    return graph_op1(g, OP_sigmoid, x);
}

static value act_linear(graph *g, value x) {
    (void)g;
    return x;
}

static value size_of(graph *g, value x) {
    return graph_op2(g, OP_maximum, x, graph_op1(g, OP_neg, x));
}

// log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), which does not overflow.
static value act_softplus(graph *g, value x) {
    value e = graph_op1(g, OP_exp, graph_op1(g, OP_neg, size_of(g, x)));
    value log = graph_op1(g, OP_log, graph_op2(g, OP_add, e, graph_scalar(g, 1)));
    return graph_op2(g, OP_add, act_relu(g, x), log);
}

static value act_mish(graph *g, value x) {
    return graph_op2(g, OP_mul, x, graph_op1(g, OP_tanh, act_softplus(g, x)));
}

// --- PyTorch's alone

// e^x - 1 where x is below 0, else 0.
static value falling(graph *g, value x) {
    value less = graph_scalar(g, -1);
    return graph_op2(g, OP_add, graph_op1(g, OP_exp, minimum(g, x, 0)), less);
}

static value act_elu(graph *g, value x) {
    value low = falling(g, x);
    return graph_op2(g, OP_add, act_relu(g, x), low);
}

static value act_selu(graph *g, value x) {
    value low = scaled(g, falling(g, x), 1.6732632423543772848170429916717);
    return scaled(g, graph_op2(g, OP_add, act_relu(g, x), low), 1.0507009873554804934193349852946);
}

static value act_softsign(graph *g, value x) {
    value one = graph_scalar(g, 1);
    return graph_op2(g, OP_div, x, graph_op2(g, OP_add, size_of(g, x), one));
}

static value act_hardtanh(graph *g, value x) {
    return minimum(g, graph_op2(g, OP_maximum, x, graph_scalar(g, -1)), 1);
}

static value act_hardsigmoid(graph *g, value x) {
    return scaled(g, act_relu6(g, graph_op2(g, OP_add, x, graph_scalar(g, 3))), 1.0 / 6);
}

static value act_hardswish(graph *g, value x) {
    return graph_op2(g, OP_mul, x, act_hardsigmoid(g, x));
}

static value act_log_sigmoid(graph *g, value x) {
    return graph_op1(g, OP_neg, act_softplus(g, graph_op1(g, OP_neg, x)));
}

static value act_tanhshrink(graph *g, value x) {
    return graph_op2(g, OP_sub, x, act_tanh(g, x));
}

static const struct {
    const char *name;
    value (*make)(graph *g, value x);
} activations[] = {
    {"gelu", act_gelu},
    {"gelu_python", act_gelu},
    {"gelu_new", act_gelu_tanh},
    {"gelu_pytorch_tanh", act_gelu_tanh},
    {"gelu_python_tanh", act_gelu_tanh},
    {"gelu_fast", act_gelu_tanh},
    {"gelu_accurate", act_gelu_tanh},
    {"gelu_10", act_gelu_10},
    {"quick_gelu", act_quick_gelu},
    {"relu", act_relu},
    {"relu2", act_relu2},
    {"relu6", act_relu6},
    {"leaky_relu", act_leaky_relu},
    {"laplace", act_laplace},
    {"hardswish", act_hardswish},
    {"silu", act_silu},
    {"swish", act_silu},
    {"mish", act_mish},
    {"tanh", act_tanh},
    {"sigmoid", act_sigmoid},
    {"linear", act_linear},
    // from here on not of ACT2FN
    {"elu", act_elu},
    {"selu", act_selu},
    {"softplus", act_softplus},
    {"softsign", act_softsign},
    {"hardtanh", act_hardtanh},
    {"hardsigmoid", act_hardsigmoid},
    {"log_sigmoid", act_log_sigmoid},
    {"tanhshrink", act_tanhshrink},
};
#define ACTIVATION_COUNT 21 // of ACT2FN

bool hub_activation_known(const char *name) {
    for (size_t i = 0; i < ACTIVATION_COUNT; i++) {
        if (!strcmp(name, activations[i].name)) return true;
    }
    return false;
}

const char *hub_activation_names(arena *a) {
    char *s = arena_strdup(a, "");
    for (size_t i = 0; i < ACTIVATION_COUNT; i++) {
        s = arena_printf(a, "%s%s%s", s, i ? ", " : "", activations[i].name);
    }
    return s;
}

value hub_activation(graph *g, const char *name, value x) {
    size_t i = 0;
    while (strcmp(name, activations[i].name)) i++;
    return activations[i].make(g, x);
}
