// Pointwise ops on vectors (or scalars): one op, and the walk over a body that computes a value from
// vectors that the caller loads. All ops work lane by lane, so a lane's bits don't depend on the vector
// that it is in.
#include "backend/emit/view.h"

#include <assert.h>
#include <string.h>

static bool is_float(const type *t) {
    return t->e == ELEM_F32;
}

// maximum: NaN where an operand is NaN. maxps gives its second operand then, so one that can't be NaN stands
// first.
static LLVMValueRef maximum(emit *e, LLVMValueRef a, LLVMValueRef b) {
    if (LLVMIsConstant(b)) {
        LLVMValueRef swap = a;
        a = b;
        b = swap;
    }
    LLVMValueRef y = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
    if (LLVMIsConstant(a)) return y;
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, a, a, ""), a, y, "");
}

static LLVMValueRef maximum_int(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, a, b, ""), a, b, "");
}

static LLVMValueRef compare(emit *e, const node *n, bool floats, const LLVMValueRef *x) {
    static const struct {
        const char *word;
        LLVMRealPredicate real;
        LLVMIntPredicate integer;
    } rows[] = {{"eq", LLVMRealOEQ, LLVMIntEQ},  {"ne", LLVMRealUNE, LLVMIntNE},
                {"lt", LLVMRealOLT, LLVMIntSLT}, {"le", LLVMRealOLE, LLVMIntSLE},
                {"gt", LLVMRealOGT, LLVMIntSGT}, {"ge", LLVMRealOGE, LLVMIntSGE}};
    const char *word = node_attr(n, ATTR_predicate)->u.name;
    size_t i = 0;
    while (strcmp(rows[i].word, word) != 0) i++; // the verifier knows the words
    return floats ? LLVMBuildFCmp(e->b, rows[i].real, x[0], x[1], "")
                  : LLVMBuildICmp(e->b, rows[i].integer, x[0], x[1], "");
}

static bool rounds(const node *n) {
    return n->op == OP_quantize || n->op == OP_scales || (n->op == OP_cast && n->type.e == ELEM_BF16);
}

// Is all that reads n a rounding to 8 or 16 bits?
static bool is_rounded(const graph *g, const node *n) {
    bool read = false;
    for (value v = 0; v < g->count; v++) {
        const node *u = graph_node(g, v);
        for (int i = 0; i < u->input_count; i++) {
            if (graph_node(g, u->inputs[i]) != n) continue;
            if (!rounds(u)) return false;
            read = true;
        }
    }
    for (int i = 0; i < g->output_count; i++)
        if (graph_node(g, g->outputs[i].value) == n) return false;
    return read;
}

static LLVMValueRef gelu(emit *e, const graph *g, const node *n, LLVMValueRef x) {
    bool by_tanh = strcmp(node_attr(n, ATTR_approximation)->u.name, "tanh") == 0;
    return is_rounded(g, n) ? math_gelu_rounded(e, x, by_tanh) : math_gelu(e, x, by_tanh);
}

// Each pointwise op and its code: `x` are its operands, `f` whether they are floats.
#define POINTWISE_OPS(X)                                                                                     \
    X(add, f ? LLVMBuildFAdd(b, x[0], x[1], "") : LLVMBuildAdd(b, x[0], x[1], ""))                           \
    X(sub, f ? LLVMBuildFSub(b, x[0], x[1], "") : LLVMBuildSub(b, x[0], x[1], ""))                           \
    X(mul, f ? LLVMBuildFMul(b, x[0], x[1], "") : LLVMBuildMul(b, x[0], x[1], ""))                           \
    X(div, LLVMBuildFDiv(b, x[0], x[1], ""))                                                                 \
    X(maximum, f ? maximum(e, x[0], x[1]) : maximum_int(e, x[0], x[1]))                                      \
    X(neg, f ? LLVMBuildFNeg(b, x[0], "") : LLVMBuildNeg(b, x[0], ""))                                       \
    X(exp, math_exp(e, x[0]))                                                                                \
    X(log, math_log(e, x[0]))                                                                                \
    X(tanh, math_tanh(e, x[0]))                                                                              \
    X(cos, math_cos(e, x[0]))                                                                                \
    X(sin, math_sin(e, x[0]))                                                                                \
    X(erf, math_erf(e, x[0]))                                                                                \
    X(rsqrt, math_rsqrt(e, x[0]))                                                                            \
    X(sigmoid, math_sigmoid(e, x[0]))                                                                        \
    X(gelu, gelu(e, g, n, x[0]))                                                                             \
    X(select, LLVMBuildSelect(b, x[0], x[1], x[2], ""))                                                      \
    X(compare, compare(e, n, f, x))                                                                          \
    X(cast, cast_op(e, t->e, n->type.e, x[0]))

#define HAS_CODE(name, code) (UINT64_C(1) << OP_##name) |
#define OP(name, least, most, attrs, flags, gradient)                                                        \
    _Static_assert(!((flags) & POINTWISE) == !((POINTWISE_OPS(HAS_CODE) 0) >> OP_##name & 1),                \
                   #name ": what ops.def calls POINTWISE has its code in POINTWISE_OPS, and nothing else");
#include "ir/ops.def"
#undef OP

LLVMValueRef pointwise_op(emit *e, const graph *g, const node *n, const LLVMValueRef *x) {
    LLVMBuilderRef b = e->b;
    const type *t = graph_type(g, n->inputs[0]);
    bool f = is_float(t);
    switch ((int)n->op) {
#define CASE(name, code)                                                                                     \
    case OP_##name: return code;
        POINTWISE_OPS(CASE)
#undef CASE
    }
    assert(0 && "a pointwise op");
    return NULL;
}

LLVMValueRef pointwise_element(emit *e, const attr *literal, int i) {
    uint16_t half;
    if (literal->e == ELEM_F32) return build_const_f32(e, (double)literal->u.floats[i]);
    LLVMTypeRef t = view_elem(e, literal->e, 1);
    if (elem_is_float(literal->e)) {
        memcpy(&half, (const char *)literal->u.literal + 2 * i, sizeof(half));
        return LLVMConstInt(t, half, false);
    }
    return LLVMConstInt(t, (unsigned long long)(int64_t)literal_number(literal, i), literal->e != ELEM_U8);
}

LLVMValueRef pointwise_literal(emit *e, const node *n, int width) {
    const attr *literal = node_attr(n, ATTR_value);
    assert(literal && literal->n == 1);
    LLVMValueRef x = pointwise_element(e, literal, 0);
    return width == 1 ? x : build_splat(e, x, width);
}

LLVMValueRef pointwise_value(pointwise *p, value v) {
    const node *n = graph_node(p->body, v);
    if (p->memo[v]) return p->memo[v];
    double scalar;
    if (value_is_scalar(p->body, v, &scalar)) {
        p->memo[v] = pointwise_literal(p->e, n, p->width);
    } else if ((op_flag_bits(n->op) & POINTWISE) && !(p->there && p->there[v])) {
        LLVMValueRef operands[3];
        for (int i = 0; i < n->input_count; i++) operands[i] = pointwise_value(p, n->inputs[i]);
        p->memo[v] = pointwise_op(p->e, p->body, n, operands);
    } else if ((n->op == OP_quantize || n->op == OP_dequantize) && !(p->there && p->there[v])) {
        LLVMValueRef x = pointwise_value(p, n->inputs[0]), factor = p->factors ? p->factors[v] : NULL;
        if (!factor) factor = quantize_factor(p->e, n, pointwise_value(p, n->inputs[1]));
        p->memo[v] = quantize_op(p->e, p->body, n, x, factor);
    } else {
        p->memo[v] = p->load(p->context, v);
    }
    return p->memo[v];
}
