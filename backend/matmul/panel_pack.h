// Code that lays rows out in panels of PANEL_COLUMNS columns, as the register tile reads them, while a call runs: weights
// that training changes, and activations that are right operands. Private to backend/.
#ifndef BERTC_BACKEND_MATMUL_PANEL_PACK_H
#define BERTC_BACKEND_MATMUL_PANEL_PACK_H

#include "backend/emit/emit.h"

// What lies at `from` are rows of f32, `stride` bytes apart, aligned to 4 bytes. `out` is aligned to 64; a panel's groups are
// GROUP_BYTES apart. `columns`: how many of a panel's columns are there; the others become zeros.

// A function void (ptr from, i64 stride, i64 count, ptr out, i64 panels): `panels` panels, `panel` bytes apart, of `count` rows
// at `from`, a row at a time.
LLVMValueRef panel_pack_rows(emit *e, int64_t panel, int columns);
// A function void (ptr from, i64 stride, i64 count, ptr out): one panel, whose columns are `columns` rows at `from`, of `count`
// numbers each: the matrix is turned round.
LLVMValueRef panel_pack_turned(emit *e, int columns);
// Of rows that are summed up: a function void (ptr from, i64 stride, i64 count, ptr out, i64 columns). Row c of `out`, `ld`
// bytes apart and aligned to 64, is column c of the `count` rows at `from`, at least one, then zeros up to a whole
// vector. Columns are computed in whole vectors, too.
LLVMValueRef panel_turn_rows(emit *e, int64_t ld);

#endif
