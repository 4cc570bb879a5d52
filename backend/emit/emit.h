// What the emitters of backend/ share: the LLVM context of one module, and the interface between the code
// generator and the kernel families. Private to backend/.
#ifndef BERTC_BACKEND_EMIT_H
#define BERTC_BACKEND_EMIT_H

#include <llvm-c/Core.h>

#include "ir/ir.h"

typedef struct emit {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    const target *target;
    int width;                                           // floats in a vector: target->vector_floats
    LLVMTypeRef f32, i1, i8, i16, i32, i64, ptr, vf, vi; // vf: <width x float>, vi: <width x i32>
    // bertc_kernel of abi.h: void (ptr args, ptr call, i64 task, ptr scratch, ptr next, i64 next_bytes)
    LLVMTypeRef kernel_type;
    arena *arena;
    diag *diag;
} emit;

// Opens a fresh context with an empty module. Later functions are made for the target of the last
// build_target. What LLVM reports goes to e->diag as an internal error; `e` stays where it is. `arena` and `diag` are borrowed;
// build_end disposes the rest.
void build_begin(emit *e, arena *a, diag *d);
void build_target(emit *e, const target *t);
void build_end(emit *e);

// --- llvm_fatal.c: build_begin calls it before anything else of LLVM's. From then on LLVM ends the process
// where it can't go on, with one line and status 1.
void llvm_fatal_handle(void);

// --- math.c: vector polynomials on <n x float> (any n) or float; no libm, no fast-math. Accuracy in math.c's
// header.
LLVMValueRef math_exp(emit *e, LLVMValueRef x);
LLVMValueRef math_exp_bf16(emit *e, LLVMValueRef x);
LLVMValueRef math_log(emit *e, LLVMValueRef x);
LLVMValueRef math_cos(emit *e, LLVMValueRef x);
LLVMValueRef math_sin(emit *e, LLVMValueRef x);
LLVMValueRef math_erf(emit *e, LLVMValueRef x);
LLVMValueRef math_tanh(emit *e, LLVMValueRef x);
LLVMValueRef math_sigmoid(emit *e, LLVMValueRef x);
LLVMValueRef math_rsqrt(emit *e, LLVMValueRef x);
LLVMValueRef math_gelu(emit *e, LLVMValueRef x, bool tanh_approximation);
LLVMValueRef math_gelu_rounded(emit *e, LLVMValueRef x, bool tanh_approximation);
// a*b+c: one instruction where the target has it, else two roundings.
LLVMValueRef math_fma(emit *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);

// --- build.c: small helpers
LLVMValueRef build_const_f32(emit *e, double x);
LLVMValueRef build_const_i64(emit *e, int64_t x);
LLVMValueRef build_splat(emit *e, LLVMValueRef scalar, int width);
LLVMValueRef build_gep(emit *e, LLVMValueRef base, LLVMValueRef bytes); // base + bytes
LLVMValueRef build_load(emit *e, LLVMTypeRef t, LLVMValueRef p, unsigned align);
void build_store(emit *e, LLVMValueRef v, LLVMValueRef p, unsigned align);
// Sum / maximum of the lanes in one fixed tree (halves added).
LLVMValueRef build_reduce_add(emit *e, LLVMValueRef v);
LLVMValueRef build_reduce_max(emit *e, LLVMValueRef v);
// for (i = from; i < to; i += step): build_loop leaves the builder in the body, build_loop_end after the
// loop. The loop may run no turn.
typedef struct loop {
    LLVMBasicBlockRef head, body, exit;
    LLVMValueRef index; // i64
    LLVMValueRef step;
} loop;
loop build_loop(emit *e, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name);
void build_loop_end(emit *e, loop *l);
// if (condition): build_if leaves the builder in the branch and returns the block after it; build_if_end
// moves there.
LLVMBasicBlockRef build_if(emit *e, LLVMValueRef condition);
void build_if_end(emit *e, LLVMBasicBlockRef behind);
// A new internal function with the target's attributes (no-builtins, nounwind, prefer-vector-width, cpu,
// features); builder at the end of its entry block. A name that is taken gets a number.
LLVMValueRef build_function(emit *e, const char *name, LLVMTypeRef type);
// Adds an attribute without value: "noinline", "alwaysinline", ...
void build_attribute(emit *e, LLVMValueRef function, const char *name);
// Such a function that kernels call and that LLVM does not inline: `result` (NULL: void) of n params. The end
// returns `result` (NULL: nothing), puts the builder back to the block `caller` (NULL: there is none) and
// gives the function.
LLVMValueRef build_helper(emit *e, const char *name, LLVMTypeRef result, int n, LLVMTypeRef *params);
LLVMValueRef build_helper_end(emit *e, LLVMValueRef f, LLVMValueRef result, LLVMBasicBlockRef caller);
// Declares the intrinsic (overloaded on `types`) and calls it: "llvm.sqrt", "llvm.prefetch", ...
LLVMValueRef build_intrinsic(emit *e, const char *name, int type_count, LLVMTypeRef *types, int n,
                             LLVMValueRef *args);
// A vector of type t (elements of 4 bytes) from a vector of addresses.
LLVMValueRef build_gather(emit *e, LLVMTypeRef t, LLVMValueRef pointers);
// Does the target have an instruction that moves lane index[i] of v to lane i, for whole vectors of 4-byte
// elements?
bool build_permutes(const emit *e);
// Emits it; index: <width x i32>, below the width.
LLVMValueRef build_permute(emit *e, LLVMValueRef v, LLVMValueRef index);
// Fields of bertc_call.
LLVMValueRef build_call_size(emit *e, LLVMValueRef call, sym s);       // T, S, R
LLVMValueRef build_call_bounds(emit *e, LLVMValueRef call, bool rows); // ptr to i32
LLVMValueRef build_arg(emit *e, LLVMValueRef args, int i);             // args[i]

// --- thread_calls.c: what threads call round the tasks of code for a target (bertc_variant.enter, .leave).

// The tiles of AMX, as `enter` configures all of them.
#define AMX_TILES     8
#define AMX_ROWS      16
#define AMX_ROW_BYTES 64
#define AMX_COLUMNS   16 // of sums: 4 bytes each

bool thread_calls_needed(const target *t);
// For the target of the last build_target, which needs them: two functions of type void (void).
void thread_calls_emit(emit *e, LLVMValueRef *enter, LLVMValueRef *leave);

// --- Kernel families

// One node to be emitted for one variant. The layouts of its operands are in the node's types, their
// strides in the variant's places.
//
// Two nodes share one function when all of these are equal (codegen_key.c writes the key):
//   - the target
//   - the node's op, attributes, body and type
//   - its operands' types and row strides (`ld`), and their values where they are scalar literals
//   - which of its operands are the same value
//   - which of its yields are read, and the row strides of those results
//   - its schedule
//   - the variant's row_tile
//   - the variant's length, where the node is a `per_sequence` or one of these types holds M
// A kernel must therefore read nothing else. It must not read the variant's sequences, offsets, names, or
// (unless loop_nest_depends_on_tokens) its tokens.
typedef struct kernel_site {
    const graph *graph;
    const variant *variant;
    value node;
} kernel_site;

// A result of a node: a yield of its region that something reads (of any other node: its one value). A kernel
// stores these and no other yield.
typedef struct kernel_result {
    int index;   // of the yield
    value node;  // the node itself, or the `result` of it: has the result's type and place
    value yield; // what the body yields; VALUE_NONE where the node has no body
    int arg;     // its number among the arguments
    int64_t ld;  // elements from row to row
} kernel_result;
// Ascending by index; the first is the node's own value. In `a`.
const kernel_result *kernel_results(arena *a, const kernel_site *s, int *count);
// Is the node's own value all that is read?
bool kernel_has_one_result(const kernel_site *s);

// One phase of a node: code and its cut into tasks (the meaning of the fields: bertc_phase in abi.h).
// Arguments are the node's operands in order, then its results; every phase of a node gets all of them.
typedef struct kernel_phase {
    LLVMValueRef function;
    sym dim;
    int64_t unit, inner;
    double flops_call, flops_row, flops_pair;
    int64_t row_bytes, token_bytes, pair_bytes;
    int stream;                        // the operand (weights) that tasks stream, where stream_bytes is not 0
    int64_t stream_step, stream_bytes; // as in bertc_phase
    const char *suffix;                // "" or e.g. ".norm": appended to the node's name
} kernel_phase;

#define KERNEL_MAX_PHASES 3
typedef struct kernel {
    int phase_count[THREAD_CLASSES];
    kernel_phase phases[THREAD_CLASSES][KERNEL_MAX_PHASES];
    int64_t scratch_bytes;
    const char *family; // that emitted it: "matmul"
} kernel;

// Each family: `*_accepts` says whether it can emit the node (cheap, no side effect); `*_emit` adds
// functions to the module and describes the phases. The generator asks them in the order of codegen.c's
// table; loop_nest accepts every node.
bool matmul_accepts(const emit *e, const kernel_site *s);
bool matmul_emit(emit *e, const kernel_site *s, kernel *out);
bool pack_accepts(const emit *e, const kernel_site *s);
bool pack_emit(emit *e, const kernel_site *s, kernel *out);
bool outer_accepts(const emit *e, const kernel_site *s);
bool outer_emit(emit *e, const kernel_site *s, kernel *out);
bool pooled_accepts(const emit *e, const kernel_site *s);
bool pooled_emit(emit *e, const kernel_site *s, kernel *out);
bool mlp_accepts(const emit *e, const kernel_site *s);
bool mlp_emit(emit *e, const kernel_site *s, kernel *out);
bool attention_accepts(const emit *e, const kernel_site *s);
bool attention_emit(emit *e, const kernel_site *s, kernel *out);
bool gradient_accepts(const emit *e, const kernel_site *s);
bool gradient_emit(emit *e, const kernel_site *s, kernel *out);
bool token_mix_accepts(const emit *e, const kernel_site *s);
bool token_mix_emit(emit *e, const kernel_site *s, kernel *out);
bool columns_accepts(const emit *e, const kernel_site *s);
bool columns_emit(emit *e, const kernel_site *s, kernel *out);
bool rowwise_accepts(const emit *e, const kernel_site *s);
bool rowwise_emit(emit *e, const kernel_site *s, kernel *out);
bool update_accepts(const emit *e, const kernel_site *s);
bool update_emit(emit *e, const kernel_site *s, kernel *out);
bool loop_nest_accepts(const emit *e, const kernel_site *s);
bool loop_nest_emit(emit *e, const kernel_site *s, kernel *out);
// Does the loop nest's code for the node depend on the variant's tokens? It does where the node's rows
// depend on each other.
bool loop_nest_depends_on_tokens(arena *a, const kernel_site *s);

// --- pointwise.c: the pointwise ops of a body, on one vector of a row.
// `load` gives the vector of a value that the walk does not compute (params, the anchor's result), at the
// current row and column.
typedef LLVMValueRef (*pointwise_load)(void *context, value v);
typedef struct pointwise {
    emit *e;
    const graph *body;
    pointwise_load load;
    void *context;
    int width;         // lanes of a vector; 1: single numbers
    const bool *there; // by value of the body: loaded too, though it is a pointwise op's; NULL: none is
    // by value of the body, NULL: it is found here: what a quantize or dequantize multiplies all lanes by. NULL: no one is known.
    LLVMValueRef *factors;
    LLVMValueRef *memo; // by value of the body, NULL: not computed yet; the caller clears it for each vector
} pointwise;
// The vector of value v of the body: constants as splats, pointwise ops computed, anything else through
// `load`.
LLVMValueRef pointwise_value(pointwise *p, value v);

// --- norm.c: ops that need a whole row, on a row of `n` floats that lies in memory (aligned to 64, stride
// padded to 16). out may be in. gamma, beta: float[n] (beta may be NULL).
void norm_layer(emit *e, LLVMValueRef in, LLVMValueRef out, LLVMValueRef gamma, LLVMValueRef beta, int64_t n,
                double eps);
void norm_rms(emit *e, LLVMValueRef in, LLVMValueRef out, LLVMValueRef gamma, int64_t n, double eps);

#endif
