#include "backend/target/level.h"

#include <string.h>

#define BITS_AVX2                                                                                            \
    (BERTC_FEATURE_SSE4_2 | BERTC_FEATURE_AVX | BERTC_FEATURE_AVX2 | BERTC_FEATURE_FMA | BERTC_FEATURE_F16C)
#define BITS_AVX512                                                                                          \
    (BITS_AVX2 | BERTC_FEATURE_AVX512F | BERTC_FEATURE_AVX512BW | BERTC_FEATURE_AVX512CD |                   \
     BERTC_FEATURE_AVX512DQ | BERTC_FEATURE_AVX512VL)
#define BITS_AVX512VNNI (BITS_AVX512 | BERTC_FEATURE_AVX512VNNI)
#define BITS_AVX512BF16 (BITS_AVX512VNNI | BERTC_FEATURE_AVX512BF16)
#define BITS_AMX        (BITS_AVX512BF16 | BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8 | BERTC_FEATURE_AMX_BF16)
#define BITS_DOTPROD    (BERTC_FEATURE_NEON | BERTC_FEATURE_DOTPROD)

// The classes of a level that has every precision: f32, bf16, int8 and int8w. Weights alone in int8, and bf16 where
// no unit multiplies it, are widened for products of class f32.
#define CLASSES(of_bf16, of_int8)                                                                            \
    {[PRECISION_F32] = "f32",                                                                                \
     [PRECISION_BF16] = of_bf16,                                                                             \
     [PRECISION_INT8] = of_int8,                                                                             \
     [PRECISION_INT8W] = "f32"}
#define F32_ALONE {[PRECISION_F32] = "f32"}

// Ranks leave room for levels between.
static const level levels[LEVEL_COUNT] = {
    [LEVEL_GENERIC] = {"generic", ARCH_X86_64, 0, 0, F32_ALONE, 4, 16, false},
    [LEVEL_AVX2] = {"avx2", ARCH_X86_64, 20, BITS_AVX2, CLASSES("f32", "avx2"), 8, 16, true},
    [LEVEL_AVXVNNI] = {"avxvnni", ARCH_X86_64, 30, BITS_AVX2 | BERTC_FEATURE_AVXVNNI, CLASSES("f32", "vnni"),
                       8, 16, true},
    [LEVEL_AVX512] = {"avx512", ARCH_X86_64, 40, BITS_AVX512, CLASSES("f32", "avx2"), 16, 32, true},
    [LEVEL_AVX512VNNI] = {"avx512vnni", ARCH_X86_64, 50, BITS_AVX512VNNI, CLASSES("f32", "vnni"), 16, 32,
                          true},
    [LEVEL_AVX512BF16] = {"avx512bf16", ARCH_X86_64, 60, BITS_AVX512BF16, CLASSES("bf16", "vnni"), 16, 32,
                          true},
    [LEVEL_AMX] = {"amx", ARCH_X86_64, 70, BITS_AMX, CLASSES("bf16", "vnni"), 16, 32, true},
    [LEVEL_NEON] = {"neon", ARCH_AARCH64, 0, BERTC_FEATURE_NEON, F32_ALONE, 4, 32, true},
    [LEVEL_DOTPROD] = {"dotprod", ARCH_AARCH64, 10, BITS_DOTPROD, F32_ALONE, 4, 32, true},
    [LEVEL_I8MM] = {"i8mm", ARCH_AARCH64, 20, BITS_DOTPROD | BERTC_FEATURE_I8MM, F32_ALONE, 4, 32, true},
};

const level *level_of(level_id id) {
    return &levels[id];
}

const level *level_find(target_arch arch, const char *name) {
    for (level_id i = 0; i < LEVEL_COUNT; i++)
        if (levels[i].arch == arch && !strcmp(levels[i].name, name)) return &levels[i];
    return NULL;
}

level_id level_best(target_arch arch, uint64_t features) {
    level_id best = arch == ARCH_AARCH64 ? LEVEL_NEON : LEVEL_GENERIC;
    for (level_id i = 0; i < LEVEL_COUNT; i++)
        if (levels[i].arch == arch && !(levels[i].features & ~features) && levels[i].rank > levels[best].rank)
            best = i;
    return best;
}
