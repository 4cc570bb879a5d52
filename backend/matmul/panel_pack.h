// Code that lays rows out in panels of PANEL_COLUMNS columns, as the register tile reads them, while a call runs: weights
// that training changes, and activations that are right operands. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_PANEL_PACK_H
#define BERTC_BACKEND_MATMUL_PANEL_PACK_H

#include "backend/emit/emit.h"

// Functions void (ptr from, i64 stride, i64 count, ptr out): one panel of f32 at `out` (aligned to 64), groups
// GROUP_BYTES apart. `stride`: bytes from row to row of what lies at `from`; numbers there are aligned to 4 bytes. `columns`:
// how many of the panel's columns are there; the others become zeros.

// The panel's groups are `count` rows at `from`.
LLVMValueRef panel_pack_rows(emit *e, int columns);
// The panel's columns are `columns` rows at `from`, of `count` numbers each: the matrix is turned round.
LLVMValueRef panel_pack_turned(emit *e, int columns);
void panel_pack_call(emit *e, LLVMValueRef function, LLVMValueRef from, LLVMValueRef stride,
                     LLVMValueRef count, LLVMValueRef out);

// Turns a block of width x width numbers round: v[i] is row i, then column i.
void panel_pack_turn(emit *e, LLVMValueRef *v);

#endif
