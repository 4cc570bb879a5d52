// Code that lays rows out in panels of PANEL_COLUMNS columns, as the register tile reads them, while a call runs: weights
// that training changes, and activations that are right operands. Private to backend/.
//
// In a panel and in turned rows numbers lie in groups of 4 bytes along what is summed: one f32, or two bf16.
#ifndef BERTC_BACKEND_MATMUL_PANEL_PACK_H
#define BERTC_BACKEND_MATMUL_PANEL_PACK_H

#include "backend/emit/emit.h"

// Element types: what lies in memory, and what it becomes. f32 to f32 or bf16, bf16 to bf16.
typedef struct panel_form {
    elem from, to;
} panel_form;

// What lies at `from` are rows, `stride` bytes apart, aligned to an element. `out` is aligned to 64; a panel's groups are
// GROUP_BYTES apart. `columns`: how many of a panel's columns are there; the others become zeros, and so does what is
// missing in the last group.

// A function void (ptr from, i64 stride, i64 count, ptr out, i64 panels): `panels` panels, `panel` bytes apart, of `count` rows
// at `from`, a row at a time.
LLVMValueRef panel_pack_rows(emit *e, panel_form f, int64_t panel, int columns);
// A function void (ptr from, i64 stride, i64 count, ptr out): one panel, whose columns are `columns` rows at `from`, of `count`
// numbers each: the matrix is turned round.
LLVMValueRef panel_pack_turned(emit *e, panel_form f, int columns);
// Of rows that are summed up: a function void (ptr from, i64 stride, i64 count, ptr out, i64 columns). Row c of `out`, `ld`
// bytes apart and aligned to 64, is column c of the `count` rows at `from`, at least one, then zeros up to a whole
// vector. Columns are computed in whole vectors, too.
LLVMValueRef panel_turn_rows(emit *e, panel_form f, int64_t ld);

#endif
