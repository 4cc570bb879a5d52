#include "backend/target/level.h"

#define BITS_AVX2                                                                                            \
    (BERTC_FEATURE_SSE4_2 | BERTC_FEATURE_AVX | BERTC_FEATURE_AVX2 | BERTC_FEATURE_FMA | BERTC_FEATURE_F16C)
#define BITS_AVX512                                                                                          \
    (BITS_AVX2 | BERTC_FEATURE_AVX512F | BERTC_FEATURE_AVX512BW | BERTC_FEATURE_AVX512CD |                   \
     BERTC_FEATURE_AVX512DQ | BERTC_FEATURE_AVX512VL)
#define BITS_AVX512VNNI (BITS_AVX512 | BERTC_FEATURE_AVX512VNNI)
#define BITS_AVX512BF16 (BITS_AVX512VNNI | BERTC_FEATURE_AVX512BF16)
#define BITS_AMX        (BITS_AVX512BF16 | BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8 | BERTC_FEATURE_AMX_BF16)
#define BITS_DOTPROD    (BERTC_FEATURE_NEON | BERTC_FEATURE_DOTPROD)

// Ranks leave room for levels between.
static const level levels[LEVEL_COUNT] = {
    [LEVEL_GENERIC] = {"generic", ARCH_X86_64, 0, 0, LEVEL_GENERIC, 4, 16, false},
    [LEVEL_AVX2] = {"avx2", ARCH_X86_64, 20, BITS_AVX2, LEVEL_AVX2, 8, 16, true},
    [LEVEL_AVXVNNI] = {"avxvnni", ARCH_X86_64, 30, BITS_AVX2 | BERTC_FEATURE_AVXVNNI, LEVEL_AVX2, 8, 16,
                       true},
    [LEVEL_AVX512] = {"avx512", ARCH_X86_64, 40, BITS_AVX512, LEVEL_AVX512, 16, 32, true},
    [LEVEL_AVX512VNNI] = {"avx512vnni", ARCH_X86_64, 50, BITS_AVX512VNNI, LEVEL_AVX512, 16, 32, true},
    [LEVEL_AVX512BF16] = {"avx512bf16", ARCH_X86_64, 60, BITS_AVX512BF16, LEVEL_AVX512, 16, 32, true},
    [LEVEL_AMX] = {"amx", ARCH_X86_64, 70, BITS_AMX, LEVEL_AVX512, 16, 32, true},
    [LEVEL_NEON] = {"neon", ARCH_AARCH64, 0, BERTC_FEATURE_NEON, LEVEL_NEON, 4, 32, true},
    [LEVEL_DOTPROD] = {"dotprod", ARCH_AARCH64, 10, BITS_DOTPROD, LEVEL_NEON, 4, 32, true},
    [LEVEL_I8MM] = {"i8mm", ARCH_AARCH64, 20, BITS_DOTPROD | BERTC_FEATURE_I8MM, LEVEL_NEON, 4, 32, true},
};

const level *level_of(level_id id) {
    return &levels[id];
}

level_id level_best(target_arch arch, uint64_t features) {
    level_id best = arch == ARCH_AARCH64 ? LEVEL_NEON : LEVEL_GENERIC;
    for (level_id i = 0; i < LEVEL_COUNT; i++)
        if (levels[i].arch == arch && !(levels[i].features & ~features) && levels[i].rank > levels[best].rank)
            best = i;
    return best;
}
