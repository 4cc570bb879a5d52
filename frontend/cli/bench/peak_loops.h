// Loops that do nothing but multiply and add, in registers: one for each type of product and instruction set. Private
// to bench/.
#ifndef BERTC_CLI_PEAK_LOOPS_H
#define BERTC_CLI_PEAK_LOOPS_H

#include "frontend/cli/bench/peak.h"

typedef struct peak_loop {
    peak_type type;
    const char *isa;     // a level that has it; "": any
    void (*run)(void);   // once through the loop
    double operations;   // of that, 2 a multiply-add
    void (*enter)(void); // of each thread before, and after; NULL: nothing
    void (*leave)(void);
} peak_loop;

// The loop of a type that code of the level would use: of float32 where the level has no product of its own. Of several
// levels, with commas between them, the first.
const peak_loop *peak_loop_find(peak_type type, const char *isa);

#endif
