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

// The forms of a level that has code of its own for f32, bf16, int8 and int8w, or equal code of lower ones.
#define FORMS(f32_code, bf16_class, bf16_code, int8_class, int8_code, int8w_code)                            \
    {                                                                                                        \
        [PRECISION_F32] = {"f32", LEVEL_##f32_code},                                                         \
        [PRECISION_BF16] = {bf16_class, LEVEL_##bf16_code},                                                  \
        [PRECISION_INT8] = {int8_class, LEVEL_##int8_code},                                                  \
        [PRECISION_INT8W] = {"f32", LEVEL_##int8w_code},                                                     \
    }
#define FORM_F32(code)                                                                                       \
    {                                                                                                        \
        [PRECISION_F32] = { "f32", LEVEL_##code }                                                            \
    }

// Ranks leave room for levels between. Weights alone in int8, and bf16 where no unit multiplies it, are widened
// for products of class f32.
static const level levels[LEVEL_COUNT] = {
    [LEVEL_GENERIC] = {"generic", ARCH_X86_64, 0, 0, FORM_F32(GENERIC), 4, 16, false},
    [LEVEL_AVX2] = {"avx2", ARCH_X86_64, 20, BITS_AVX2, FORMS(AVX2, "f32", AVX2, "avx2", AVX2, AVX2), 8, 16,
                    true},
    [LEVEL_AVXVNNI] = {"avxvnni", ARCH_X86_64, 30, BITS_AVX2 | BERTC_FEATURE_AVXVNNI,
                       FORMS(AVX2, "f32", AVX2, "vnni", AVXVNNI, AVX2), 8, 16, true},
    [LEVEL_AVX512] = {"avx512", ARCH_X86_64, 40, BITS_AVX512,
                      FORMS(AVX512, "f32", AVX512, "avx2", AVX512, AVX512), 16, 32, true},
    [LEVEL_AVX512VNNI] = {"avx512vnni", ARCH_X86_64, 50, BITS_AVX512VNNI,
                          FORMS(AVX512, "f32", AVX512, "vnni", AVX512VNNI, AVX512), 16, 32, true},
    [LEVEL_AVX512BF16] = {"avx512bf16", ARCH_X86_64, 60, BITS_AVX512BF16,
                          FORMS(AVX512, "bf16", AVX512BF16, "vnni", AVX512BF16, AVX512), 16, 32, true},
    [LEVEL_AMX] = {"amx", ARCH_X86_64, 70, BITS_AMX, FORMS(AVX512, "bf16", AMX, "vnni", AMX, AVX512), 16, 32,
                   true},
    [LEVEL_NEON] = {"neon", ARCH_AARCH64, 0, BERTC_FEATURE_NEON, FORM_F32(NEON), 4, 32, true},
    [LEVEL_DOTPROD] = {"dotprod", ARCH_AARCH64, 10, BITS_DOTPROD, FORM_F32(NEON), 4, 32, true},
    [LEVEL_I8MM] = {"i8mm", ARCH_AARCH64, 20, BITS_DOTPROD | BERTC_FEATURE_I8MM, FORM_F32(NEON), 4, 32, true},
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
