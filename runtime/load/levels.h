// The levels of instruction sets that a model has code for, and which of them is run.
#ifndef BERTC_LEVELS_H
#define BERTC_LEVELS_H

#include "runtime/abi_cpu.h"
#include "runtime/load/model.h"

// Sets the model's levels, and its variants to those of the highest one that this CPU runs; with BERTC_ISA in the
// environment, to those of the level of that name. All calls of a model use one level, for bits differ between
// them. False where there is none.
bool levels_choose(bertc_model *m, bertc_error *error);
// The same on that CPU, for the level `asked` (NULL: the highest that runs).
bool levels_choose_on(bertc_model *m, const bertc_cpu *cpu, const char *asked, bertc_error *error);

#endif
