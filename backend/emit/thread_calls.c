// What a thread calls before its first and after its last task (bertc_variant.enter and .leave): of levels with AMX,
// the configuration of its tiles. All eight are 16 rows of 64 bytes, whatever is multiplied: a product's last rows
// and its last k are multiplied whole, for their bits must not depend on how many there are.
#include "backend/emit/emit.h"
#include "runtime/abi.h"

bool thread_calls_needed(const target *t) {
    return (t->feature_bits & BERTC_FEATURE_AMX_TILE) != 0;
}

// The operand of ldtilecfg: palette 1; bytes of a row of each tile (16 bits each) from byte 16 on, rows from 48 on.
static LLVMValueRef tile_configuration(emit *e) {
    char bytes[64] = {1};
    for (int i = 0; i < AMX_TILES; i++) {
        bytes[16 + 2 * i] = AMX_ROW_BYTES;
        bytes[48 + i] = AMX_ROWS;
    }
    LLVMValueRef data = LLVMConstStringInContext2(e->context, bytes, sizeof(bytes), true);
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(data), "tiles");
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetAlignment(global, 64);
    return global;
}

static LLVMValueRef thread_call(emit *e, const char *name, const char *intrinsic, LLVMValueRef operand) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef f =
        build_function(e, name, LLVMFunctionType(LLVMVoidTypeInContext(e->context), NULL, 0, false));
    build_intrinsic(e, intrinsic, 0, NULL, operand ? 1 : 0, &operand);
    return build_helper_end(e, f, NULL, caller);
}

void thread_calls_emit(emit *e, LLVMValueRef *enter, LLVMValueRef *leave) {
    *enter = thread_call(e, "thread.enter", "llvm.x86.ldtilecfg", tile_configuration(e));
    *leave = thread_call(e, "thread.leave", "llvm.x86.tilerelease", NULL);
}
