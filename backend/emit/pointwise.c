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

static LLVMValueRef gelu(emit *e, const node *n, LLVMValueRef x) {
    return math_gelu(e, x, strcmp(node_attr(n, ATTR_approximation)->u.name, "tanh") == 0);
}

LLVMValueRef pointwise_op(emit *e, const graph *g, const node *n, const LLVMValueRef *x) {
    LLVMBuilderRef b = e->b;
    const type *t = graph_type(g, n->inputs[0]);
    bool f = is_float(t);
    switch ((int)n->op) {
    case OP_add: return f ? LLVMBuildFAdd(b, x[0], x[1], "") : LLVMBuildAdd(b, x[0], x[1], "");
    case OP_sub: return f ? LLVMBuildFSub(b, x[0], x[1], "") : LLVMBuildSub(b, x[0], x[1], "");
    case OP_mul: return f ? LLVMBuildFMul(b, x[0], x[1], "") : LLVMBuildMul(b, x[0], x[1], "");
    case OP_div: return LLVMBuildFDiv(b, x[0], x[1], "");
    case OP_maximum: return f ? maximum(e, x[0], x[1]) : maximum_int(e, x[0], x[1]);
    case OP_neg: return f ? LLVMBuildFNeg(b, x[0], "") : LLVMBuildNeg(b, x[0], "");
    case OP_exp: return math_exp(e, x[0]);
    case OP_log: return math_log(e, x[0]);
    case OP_tanh: return math_tanh(e, x[0]);
    case OP_cos: return math_cos(e, x[0]);
    case OP_sin: return math_sin(e, x[0]);
    case OP_erf: return math_erf(e, x[0]);
    case OP_rsqrt: return math_rsqrt(e, x[0]);
    case OP_sigmoid: return math_sigmoid(e, x[0]);
    case OP_gelu: return gelu(e, n, x[0]);
    case OP_select: return LLVMBuildSelect(b, x[0], x[1], x[2], "");
    case OP_compare: return compare(e, n, f, x);
    case OP_cast: return cast_op(e, t->e, n->type.e, x[0]);
    default: break;
    }
    assert(0 && "a pointwise op");
    return NULL;
}

LLVMValueRef pointwise_literal(emit *e, const node *n, int width) {
    const attr *literal = node_attr(n, ATTR_value);
    assert(literal && literal->n == 1);
    LLVMValueRef x = n->type.e == ELEM_F32
                         ? build_const_f32(e, (double)literal->u.floats[0])
                         : LLVMConstInt(e->i32, (unsigned long long)(int64_t)literal->u.i32s[0], true);
    return width == 1 ? x : build_splat(e, x, width);
}

LLVMValueRef pointwise_value(pointwise *p, value v) {
    const node *n = graph_node(p->body, v);
    if (p->memo[v]) return p->memo[v];
    double scalar;
    if (value_is_scalar(p->body, v, &scalar)) {
        p->memo[v] = pointwise_literal(p->e, n, p->e->width);
    } else if (op_flag_bits(n->op) & POINTWISE) {
        LLVMValueRef operands[3];
        for (int i = 0; i < n->input_count; i++) operands[i] = pointwise_value(p, n->inputs[i]);
        p->memo[v] = pointwise_op(p->e, p->body, n, operands);
    } else {
        p->memo[v] = p->load(p->context, v);
    }
    return p->memo[v];
}
