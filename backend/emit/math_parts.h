// The pieces that math.c, math_gelu.c and math_trig.c build their functions from. Private to these.
#ifndef BERTC_BACKEND_MATH_PARTS_H
#define BERTC_BACKEND_MATH_PARTS_H

#include "backend/emit/emit.h"

// `c`, rounded to float32, in the type of `like` (float or <n x float>).
LLVMValueRef math_const(emit *e, LLVMValueRef like, double c);
// The i32 type of the same shape, and a constant of it.
LLVMTypeRef math_int_type(emit *e, LLVMValueRef like);
LLVMValueRef math_int_const(emit *e, LLVMValueRef like, int64_t c);
// max(x, c) and min(x, c), one instruction each; x where x is NaN.
LLVMValueRef math_at_least(emit *e, LLVMValueRef x, double c);
LLVMValueRef math_at_most(emit *e, LLVMValueRef x, double c);
// An intrinsic of one operand, by name; and |size| with the sign of `sign`.
LLVMValueRef math_unary(emit *e, const char *intrinsic, LLVMValueRef x);
LLVMValueRef math_copysign(emit *e, LLVMValueRef size, LLVMValueRef sign);
// Horner: c[0] + c[1] x + ... + c[n-1] x^(n-1).
LLVMValueRef math_poly(emit *e, LLVMValueRef x, const double *c, int n);
// The same by pairs, pairs of pairs and so on (Estrin), 2 <= n <= 16: a few multiplications more, and a third of the
// latency. A core waits for Horner's chain where it holds too few vectors at a time.
LLVMValueRef math_poly_pairs(emit *e, LLVMValueRef x, const double *c, int n);

#endif
