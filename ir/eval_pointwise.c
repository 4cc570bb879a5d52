// Ops that work element by element, their operands broadcast as numpy does. Floats are computed in double and
// rounded once; i32 wraps.
#include "ir/eval_ops.h"

#include <math.h>
#include <string.h>

typedef double (*float_fn)(double a, double b);
typedef uint32_t (*int_fn)(uint32_t a, uint32_t b);
typedef bool (*test_fn)(double a, double b);

// What one element needs: the operands' addresses, and where the result goes.
typedef struct lane {
    const unsigned char *in[3];
    unsigned char *out;
    const void *context;
} lane;

// Calls `each` for every element of the result, in order.
static void for_each(const eval_call *c, const void *context, void (*each)(const lane *)) {
    const tensor *out = c->out;
    int operands = c->n->input_count, rank = out->rank;
    int64_t steps[3][IR_MAX_RANK], at[IR_MAX_RANK] = {0}, count = tensor_count(out);
    lane l = {.out = out->data, .context = context};
    for (int i = 0; i < operands; i++) {
        eval_broadcast_steps(eval_operand(c, i), rank, steps[i]);
        l.in[i] = eval_operand(c, i)->data;
    }
    for (int64_t n = 0; n < count; n++) {
        each(&l);
        l.out += eval_size(out->e);
        for (int axis = rank - 1; axis >= 0; axis--) {
            bool wraps = ++at[axis] == out->shape[axis];
            for (int i = 0; i < operands; i++)
                l.in[i] += wraps ? -steps[i][axis] * (out->shape[axis] - 1) : steps[i][axis];
            if (!wraps) break;
            at[axis] = 0;
        }
    }
}

static double load_float(const unsigned char *p) {
    eval_float f;
    memcpy(&f, p, sizeof(f));
    return (double)f;
}
static void store_float(unsigned char *p, double x) {
    eval_float f = (eval_float)x;
    memcpy(p, &f, sizeof(f));
}
static uint32_t load_int(const unsigned char *p) {
    uint32_t x;
    memcpy(&x, p, sizeof(x));
    return x;
}

static void each_unary(const lane *l) {
    store_float(l->out, (*(const float_fn *)l->context)(load_float(l->in[0]), 0));
}
static void each_binary(const lane *l) {
    store_float(l->out, (*(const float_fn *)l->context)(load_float(l->in[0]), load_float(l->in[1])));
}
static void each_int(const lane *l) {
    uint32_t y = (*(const int_fn *)l->context)(load_int(l->in[0]), l->in[1] ? load_int(l->in[1]) : 0);
    memcpy(l->out, &y, sizeof(y));
}

static bool unary(const eval_call *c, float_fn f) {
    for_each(c, &f, each_unary);
    return true;
}

static bool numeric(const eval_call *c, float_fn f, int_fn i) {
    if (c->out->e == ELEM_I32) {
        for_each(c, &i, each_int);
    } else {
        for_each(c, &f, c->n->input_count == 1 ? each_unary : each_binary);
    }
    return true;
}

static double add_f(double a, double b) {
    return a + b;
}
static double sub_f(double a, double b) {
    return a - b;
}
static double mul_f(double a, double b) {
    return a * b;
}
static double div_f(double a, double b) {
    return a / b;
}
static double max_f(double a, double b) {
    return isnan(a) || a > b ? a : b;
}
static double neg_f(double a, double b) {
    return (void)b, -a;
}
static double exp_f(double a, double b) {
    return (void)b, exp(a);
}
static double log_f(double a, double b) {
    return (void)b, log(a);
}
static double tanh_f(double a, double b) {
    return (void)b, tanh(a);
}
static double cos_f(double a, double b) {
    return (void)b, cos(a);
}
static double sin_f(double a, double b) {
    return (void)b, sin(a);
}
static double erf_f(double a, double b) {
    return (void)b, erf(a);
}
static double rsqrt_f(double a, double b) {
    return (void)b, 1 / sqrt(a);
}
static double sigmoid_f(double a, double b) {
    return (void)b, 1 / (1 + exp(-a));
}
static double gelu_f(double a, double b) {
    return (void)b, 0.5 * a * erfc(-a * 0.70710678118654752440);
}
static double gelu_tanh_f(double a, double b) {
    return (void)b, 0.5 * a * (1 + tanh(0.79788456080286535588 * (a + 0.044715 * a * a * a)));
}

static uint32_t add_i(uint32_t a, uint32_t b) {
    return a + b;
}
static uint32_t sub_i(uint32_t a, uint32_t b) {
    return a - b;
}
static uint32_t mul_i(uint32_t a, uint32_t b) {
    return a * b;
}
static uint32_t max_i(uint32_t a, uint32_t b) {
    return (int32_t)a > (int32_t)b ? a : b;
}
static uint32_t neg_i(uint32_t a, uint32_t b) {
    return (void)b, 0u - a;
}

bool kernel_add(const eval_call *c) {
    return numeric(c, add_f, add_i);
}
bool kernel_sub(const eval_call *c) {
    return numeric(c, sub_f, sub_i);
}
bool kernel_mul(const eval_call *c) {
    return numeric(c, mul_f, mul_i);
}
bool kernel_maximum(const eval_call *c) {
    return numeric(c, max_f, max_i);
}
bool kernel_neg(const eval_call *c) {
    return numeric(c, neg_f, neg_i);
}
bool kernel_div(const eval_call *c) {
    return numeric(c, div_f, NULL);
}
bool kernel_exp(const eval_call *c) {
    return unary(c, exp_f);
}
bool kernel_log(const eval_call *c) {
    return unary(c, log_f);
}
bool kernel_tanh(const eval_call *c) {
    return unary(c, tanh_f);
}
bool kernel_cos(const eval_call *c) {
    return unary(c, cos_f);
}
bool kernel_sin(const eval_call *c) {
    return unary(c, sin_f);
}
bool kernel_erf(const eval_call *c) {
    return unary(c, erf_f);
}
bool kernel_rsqrt(const eval_call *c) {
    return unary(c, rsqrt_f);
}
bool kernel_sigmoid(const eval_call *c) {
    return unary(c, sigmoid_f);
}
bool kernel_gelu(const eval_call *c) {
    bool exact = !strcmp(node_attr(c->n, ATTR_approximation)->u.name, "none");
    return unary(c, exact ? gelu_f : gelu_tanh_f);
}

// --- Choosing

static void each_select(const lane *l) {
    memcpy(l->out, *l->in[0] ? l->in[1] : l->in[2], *(const size_t *)l->context);
}

bool kernel_select(const eval_call *c) {
    size_t size = eval_size(c->out->e);
    for_each(c, &size, each_select);
    return true;
}

typedef struct comparison {
    test_fn test;
    bool ints;
} comparison;

static bool test_eq(double a, double b) {
    return a == b;
}
static bool test_ne(double a, double b) {
    return a != b;
}
static bool test_lt(double a, double b) {
    return a < b;
}
static bool test_le(double a, double b) {
    return a <= b;
}
static bool test_gt(double a, double b) {
    return a > b;
}
static bool test_ge(double a, double b) {
    return a >= b;
}

static void each_compare(const lane *l) {
    const comparison *k = l->context;
    double a = k->ints ? (double)(int32_t)load_int(l->in[0]) : load_float(l->in[0]);
    double b = k->ints ? (double)(int32_t)load_int(l->in[1]) : load_float(l->in[1]);
    *l->out = k->test(a, b);
}

bool kernel_compare(const eval_call *c) {
    static const struct {
        const char *word;
        test_fn test;
    } tests[] = {{"eq", test_eq}, {"ne", test_ne}, {"lt", test_lt},
                 {"le", test_le}, {"gt", test_gt}, {"ge", test_ge}};
    comparison k = {.ints = eval_operand(c, 0)->e == ELEM_I32};
    const char *word = node_attr(c->n, ATTR_predicate)->u.name;
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        if (!strcmp(tests[i].word, word)) k.test = tests[i].test;
    for_each(c, &k, each_compare);
    return true;
}

bool kernel_cast(const eval_call *c) {
    const tensor *x = eval_operand(c, 0);
    eval_convert(x->e, x->data, c->out->e, c->out->data, tensor_count(x));
    return true;
}
