// The emission context of one module and the small helpers that every kernel family uses.
#include "backend/emit/emit.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/abi.h"

// --- The context

// LLVM's own handler prints and, for errors, exits. One cause is often reported for each instruction: what
// repeats is left out.
static void on_diagnostic(LLVMDiagnosticInfoRef info, void *context) {
    diag *d = ((const emit *)context)->diag;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError) return;
    char *text = LLVMGetDiagInfoDescription(info);
    if (d->count == 0 || !strstr(d->items[d->count - 1].text, text))
        diag_error(d, "internal error", "LLVM: %s", text);
    LLVMDisposeMessage(text);
}

void build_begin(emit *e, arena *a, diag *d) {
    llvm_fatal_handle();
    *e = (emit){.arena = a, .diag = d};
    e->context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(e->context, on_diagnostic, e);
    e->module = LLVMModuleCreateWithNameInContext("bertc", e->context);
    e->b = LLVMCreateBuilderInContext(e->context);
    e->f32 = LLVMFloatTypeInContext(e->context);
    e->i1 = LLVMInt1TypeInContext(e->context);
    e->i8 = LLVMInt8TypeInContext(e->context);
    e->i16 = LLVMInt16TypeInContext(e->context);
    e->i32 = LLVMInt32TypeInContext(e->context);
    e->i64 = LLVMInt64TypeInContext(e->context);
    e->ptr = LLVMPointerTypeInContext(e->context, 0);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->ptr, e->ptr, e->i64};
    e->kernel_type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, 6, false);
}

void build_target(emit *e, const target *t) {
    e->target = t;
    e->width = t->vector_floats;
    e->vf = LLVMVectorType(e->f32, (unsigned)e->width);
    e->vi = LLVMVectorType(e->i32, (unsigned)e->width);
    LLVMSetTarget(e->module, t->triple);
}

void build_end(emit *e) {
    LLVMDisposeBuilder(e->b);
    LLVMDisposeModule(e->module);
    LLVMContextDispose(e->context);
    *e = (emit){0};
}

// --- Functions

static void set_string(emit *e, LLVMValueRef function, const char *key, const char *text) {
    LLVMAttributeRef a =
        LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key), text, (unsigned)strlen(text));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

void build_attribute(emit *e, LLVMValueRef function, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    assert(kind != 0);
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, kind, 0));
}

LLVMValueRef build_function(emit *e, const char *name, LLVMTypeRef t) {
    LLVMValueRef f = LLVMAddFunction(e->module, name, t);
    LLVMSetLinkage(f, LLVMInternalLinkage);
    LLVMSetUnnamedAddress(f, LLVMGlobalUnnamedAddr); // equal functions may become one (codegen_llvm.c)
    build_attribute(e, f, "nounwind");
    set_string(e, f, "no-builtins", "");
    set_string(e, f, "frame-pointer", "none");
    // The features alone say what code may use; the CPU's name only tunes.
    set_string(e, f, "target-cpu", strncmp(e->target->triple, "x86_64", 6) == 0 ? "x86-64" : "generic");
    set_string(e, f, "tune-cpu", e->target->cpu);
    set_string(e, f, "target-features", e->target->features);
    char bits[16];
    snprintf(bits, sizeof(bits), "%d", e->width * 32);
    set_string(e, f, "prefer-vector-width", bits);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->context, f, "entry"));
    return f;
}

LLVMValueRef build_helper(emit *e, const char *name, LLVMTypeRef result, int n, LLVMTypeRef *params) {
    if (!result) result = LLVMVoidTypeInContext(e->context);
    LLVMValueRef f = build_function(e, name, LLVMFunctionType(result, params, (unsigned)n, false));
    build_attribute(e, f, "noinline");
    return f;
}

LLVMValueRef build_helper_end(emit *e, LLVMValueRef f, LLVMValueRef result, LLVMBasicBlockRef caller) {
    if (result)
        LLVMBuildRet(e->b, result);
    else
        LLVMBuildRetVoid(e->b);
    if (caller) LLVMPositionBuilderAtEnd(e->b, caller);
    return f;
}

LLVMValueRef build_intrinsic(emit *e, const char *name, int type_count, LLVMTypeRef *types, int n,
                             LLVMValueRef *args) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id != 0);
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->module, id, types, (size_t)type_count);
    LLVMTypeRef t = LLVMIntrinsicGetType(e->context, id, types, (size_t)type_count);
    return LLVMBuildCall2(e->b, t, f, args, (unsigned)n, "");
}

// --- Values and memory

LLVMValueRef build_const_f32(emit *e, double x) {
    return LLVMConstReal(e->f32, (double)(float)x);
}

LLVMValueRef build_const_i64(emit *e, int64_t x) {
    return LLVMConstInt(e->i64, (unsigned long long)x, true);
}

LLVMValueRef build_splat(emit *e, LLVMValueRef scalar, int width) {
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)width);
    LLVMValueRef poison = LLVMGetPoison(t);
    LLVMValueRef first = LLVMBuildInsertElement(e->b, poison, scalar, LLVMConstInt(e->i32, 0, false), "");
    LLVMValueRef zeros = LLVMConstNull(LLVMVectorType(e->i32, (unsigned)width));
    return LLVMBuildShuffleVector(e->b, first, poison, zeros, "");
}

LLVMValueRef build_gep(emit *e, LLVMValueRef base, LLVMValueRef bytes) {
    return LLVMBuildInBoundsGEP2(e->b, e->i8, base, &bytes, 1, "");
}

LLVMValueRef build_load(emit *e, LLVMTypeRef t, LLVMValueRef p, unsigned align) {
    LLVMValueRef v = LLVMBuildLoad2(e->b, t, p, "");
    LLVMSetAlignment(v, align);
    return v;
}

void build_store(emit *e, LLVMValueRef v, LLVMValueRef p, unsigned align) {
    LLVMSetAlignment(LLVMBuildStore(e->b, v, p), align);
}

// LLVM 22 took the alignment from the operands and made it an attribute of the pointers.
LLVMValueRef build_gather(emit *e, LLVMTypeRef t, LLVMValueRef pointers) {
    const char *name = "llvm.masked.gather", *align = "align";
    LLVMTypeRef types[] = {t, LLVMTypeOf(pointers)};
    LLVMTypeRef mask = LLVMVectorType(e->i1, LLVMGetVectorSize(t));
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name)), n = 0;
    unsigned count = LLVMCountParamTypes(LLVMIntrinsicGetType(e->context, id, types, 2));
    LLVMValueRef args[4];
    args[n++] = pointers;
    if (count == 4) args[n++] = LLVMConstInt(e->i32, 4, false);
    args[n++] = LLVMConstAllOnes(mask);
    args[n++] = LLVMGetPoison(t);
    LLVMValueRef got = build_intrinsic(e, name, 2, types, (int)n, args);
    unsigned kind = LLVMGetEnumAttributeKindForName(align, strlen(align));
    if (count < 4) LLVMAddCallSiteAttribute(got, 1, LLVMCreateEnumAttribute(e->context, kind, 4));
    return got;
}

bool build_permutes(const emit *e) {
    return (e->width == 16 && strstr(e->target->features, "+avx512f")) ||
           (e->width == 8 && strstr(e->target->features, "+avx2"));
}

LLVMValueRef build_permute(emit *e, LLVMValueRef v, LLVMValueRef index) {
    const char *name = e->width == 16 ? "llvm.x86.avx512.permvar.sf.512" : "llvm.x86.avx2.permps";
    LLVMValueRef args[] = {LLVMBuildBitCast(e->b, v, e->vf, ""), index};
    return LLVMBuildBitCast(e->b, build_intrinsic(e, name, 0, NULL, 2, args), LLVMTypeOf(v), "");
}

// --- Reductions

// Lanes [from, from + n) of v.
static LLVMValueRef lanes(emit *e, LLVMValueRef v, unsigned from, unsigned n) {
    LLVMValueRef index[64];
    assert(n <= 64);
    for (unsigned i = 0; i < n; i++) index[i] = LLVMConstInt(e->i32, from + i, false);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(index, n), "");
}

static LLVMValueRef reduce_lanes(emit *e, LLVMValueRef v, bool maximum) {
    unsigned n = LLVMGetVectorSize(LLVMTypeOf(v));
    assert((n & (n - 1)) == 0);
    for (n /= 2; n > 0; n /= 2) {
        LLVMValueRef low = lanes(e, v, 0, n), high = lanes(e, v, n, n);
        if (maximum) {
            LLVMValueRef above = LLVMBuildFCmp(e->b, LLVMRealOGT, low, high, "");
            v = LLVMBuildSelect(e->b, above, low, high, "");
        } else {
            v = LLVMBuildFAdd(e->b, low, high, "");
        }
    }
    return LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, 0, false), "");
}

LLVMValueRef build_reduce_add(emit *e, LLVMValueRef v) {
    return reduce_lanes(e, v, false);
}

LLVMValueRef build_reduce_max(emit *e, LLVMValueRef v) {
    return reduce_lanes(e, v, true);
}

// --- Loops

loop build_loop(emit *e, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name) {
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    loop l = {.head = LLVMAppendBasicBlockInContext(e->context, function, name),
              .body = LLVMAppendBasicBlockInContext(e->context, function, ""),
              .exit = LLVMAppendBasicBlockInContext(e->context, function, ""),
              .step = build_const_i64(e, step)};
    LLVMBuildBr(e->b, l.head);
    LLVMPositionBuilderAtEnd(e->b, l.head);
    l.index = LLVMBuildPhi(e->b, e->i64, name);
    LLVMAddIncoming(l.index, &from, &before, 1);
    LLVMValueRef more = LLVMBuildICmp(e->b, LLVMIntSLT, l.index, to, "");
    LLVMBuildCondBr(e->b, more, l.body, l.exit);
    LLVMPositionBuilderAtEnd(e->b, l.body);
    return l;
}

void build_loop_end(emit *e, loop *l) {
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMValueRef next = LLVMBuildNSWAdd(e->b, l->index, l->step, "");
    LLVMAddIncoming(l->index, &next, &latch, 1);
    LLVMBuildBr(e->b, l->head);
    LLVMPositionBuilderAtEnd(e->b, l->exit);
}

LLVMBasicBlockRef build_if(emit *e, LLVMValueRef condition) {
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b));
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->context, f, "then");
    LLVMBasicBlockRef behind = LLVMAppendBasicBlockInContext(e->context, f, "behind");
    LLVMBuildCondBr(e->b, condition, inside, behind);
    LLVMPositionBuilderAtEnd(e->b, inside);
    return behind;
}

void build_if_end(emit *e, LLVMBasicBlockRef behind) {
    LLVMBuildBr(e->b, behind);
    LLVMPositionBuilderAtEnd(e->b, behind);
}

// --- What a kernel is called with

static LLVMValueRef field(emit *e, LLVMValueRef base, size_t offset, LLVMTypeRef t) {
    return build_load(e, t, build_gep(e, base, build_const_i64(e, (int64_t)offset)), 8);
}

LLVMValueRef build_call_size(emit *e, LLVMValueRef call, sym s) {
    assert(s == SYM_T || s == SYM_S || s == SYM_R);
    size_t offset = s == SYM_T   ? offsetof(bertc_call, tokens)
                    : s == SYM_S ? offsetof(bertc_call, sequences)
                                 : offsetof(bertc_call, rows);
    return field(e, call, offset, e->i64);
}

LLVMValueRef build_call_bounds(emit *e, LLVMValueRef call, bool rows) {
    return field(e, call, rows ? offsetof(bertc_call, row_bounds) : offsetof(bertc_call, bounds), e->ptr);
}

LLVMValueRef build_arg(emit *e, LLVMValueRef args, int i) {
    return field(e, args, (size_t)i * sizeof(void *), e->ptr);
}
