// The levels of instruction sets that code is made for. Private to backend/.
#ifndef BERTC_BACKEND_LEVEL_H
#define BERTC_BACKEND_LEVEL_H

#include "backend/target/target.h"

typedef enum level_id {
    LEVEL_GENERIC,
    LEVEL_AVX2,
    LEVEL_AVXVNNI,
    LEVEL_AVX512,
    LEVEL_AVX512VNNI,
    LEVEL_AVX512BF16,
    LEVEL_AMX,
    LEVEL_NEON,
    LEVEL_DOTPROD,
    LEVEL_I8MM,
    LEVEL_COUNT
} level_id;

// How a level computes a model of one precision.
typedef struct level_form {
    const char *class; // arithmetic class (ir/module.h); NULL: the level has no code of this precision
    level_id code;     // the level whose code this one's is equal to: it is emitted once, for that one
} level_form;

typedef struct level {
    const char *name; // without an underscore: a variant is called name_s128
    target_arch arch;
    int rank; // of two levels that a CPU has, code of the higher one runs
    uint64_t features;
    level_form forms[PRECISION_COUNT];
    int vector_floats, vector_registers;
    bool fma;
} level;

const level *level_of(level_id id);
// The highest level of that architecture whose features are all among these.
level_id level_best(target_arch arch, uint64_t features);

#endif
