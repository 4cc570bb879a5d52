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

typedef struct level {
    const char *name; // without an underscore: a variant is called name_s128
    target_arch arch;
    int rank; // of two levels that a CPU has, code of the higher one runs
    uint64_t features;
    const char *classes[PRECISION_COUNT]; // arithmetic classes (ir/module.h); NULL: no code of this precision
    int vector_floats, vector_registers;
    bool fma;
} level;

const level *level_of(level_id id);
// The level's own; NULL: none has this name.
const level *level_find(target_arch arch, const char *name);
// The highest level of that architecture whose features are all among these.
level_id level_best(target_arch arch, uint64_t features);

// Makes the target one of that level, with its products. `gflops`: the CPU's peak in f32, one core.
void target_set_level(target *t, const level *l, double gflops);

#endif
