// What this machine's CPU can run, as bits of BERTC_FEATURE_LIST: one table for the compiler, which makes code for
// this CPU, and the loader, which chooses among an artefact's. CPUID with XGETBV on x86-64, HWCAP on AArch64.
#ifndef BERTC_ABI_CPU_H
#define BERTC_ABI_CPU_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/abi.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

typedef struct bertc_cpu {
    uint64_t has;     // the CPU has them and the system saves their registers
    uint64_t refused; // of these, what the system does not let this process use
} bertc_cpu;

#define BERTC_FEATURES_AMX                                                                                   \
    (BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8 | BERTC_FEATURE_AMX_BF16 | BERTC_FEATURE_AMX_FP16)

#if defined(__x86_64__)
typedef struct bertc_cpuid {
    unsigned reg[4]; // a, b, c, d
} bertc_cpuid;

static inline bertc_cpuid bertc_cpuid_read(unsigned leaf, unsigned sub) {
    bertc_cpuid l = {{0}};
    if (!__get_cpuid_count(leaf, sub, &l.reg[0], &l.reg[1], &l.reg[2], &l.reg[3])) return (bertc_cpuid){{0}};
    return l;
}

// Register state that the system saves (XCR0); 0 where it has no XSAVE.
static inline uint64_t bertc_cpu_state(void) {
    unsigned low, high;
    if (!(bertc_cpuid_read(1, 0).reg[2] >> 27 & 1u)) return 0; // OSXSAVE
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

// Whether the kernel lets this process's threads use AMX's tiles. It asks for it: a process that may keeps a larger
// frame for signals, so nobody asks without need.
static inline int bertc_cpu_amx_permitted(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

// `wanted`: what code needs, for which the system may have to be asked.
static inline bertc_cpu bertc_cpu_read(uint64_t wanted) {
    enum { A, B, C, D };
    enum { NONE = 0, YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };
    // Where CPUID tells of a feature: the field of `bits` bits from `low` on is at least `least`. And the state
    // that it needs.
    static const struct {
        uint64_t feature;
        unsigned leaf, sub, reg, low, bits, least;
        uint64_t state;
    } table[] = {
        {BERTC_FEATURE_SSE4_2, 1, 0, C, 20, 1, 1, NONE},
        {BERTC_FEATURE_AVX, 1, 0, C, 28, 1, 1, YMM},
        {BERTC_FEATURE_FMA, 1, 0, C, 12, 1, 1, YMM},
        {BERTC_FEATURE_F16C, 1, 0, C, 29, 1, 1, YMM},
        {BERTC_FEATURE_AVX2, 7, 0, B, 5, 1, 1, YMM},
        {BERTC_FEATURE_AVXVNNI, 7, 1, A, 4, 1, 1, YMM},
        {BERTC_FEATURE_AVX512F, 7, 0, B, 16, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512DQ, 7, 0, B, 17, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512CD, 7, 0, B, 28, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512BW, 7, 0, B, 30, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512VL, 7, 0, B, 31, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512VBMI, 7, 0, C, 1, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512VNNI, 7, 0, C, 11, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512FP16, 7, 0, D, 23, 1, 1, ZMM},
        {BERTC_FEATURE_AVX512BF16, 7, 1, A, 5, 1, 1, ZMM},
        {BERTC_FEATURE_AVX10_1, 0x24, 0, B, 0, 8, 1, ZMM},
        {BERTC_FEATURE_AVX10_2, 0x24, 0, B, 0, 8, 2, ZMM},
        {BERTC_FEATURE_AMX_BF16, 7, 0, D, 22, 1, 1, TILES},
        {BERTC_FEATURE_AMX_TILE, 7, 0, D, 24, 1, 1, TILES},
        {BERTC_FEATURE_AMX_INT8, 7, 0, D, 25, 1, 1, TILES},
        {BERTC_FEATURE_AMX_FP16, 7, 1, A, 21, 1, 1, TILES},
    };
    bertc_cpu cpu = {0, 0};
    uint64_t state = bertc_cpu_state();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned reg = bertc_cpuid_read(table[i].leaf, table[i].sub).reg[table[i].reg];
        unsigned field = reg >> table[i].low & ((1u << table[i].bits) - 1);
        if (field >= table[i].least && (state & table[i].state) == table[i].state)
            cpu.has |= table[i].feature;
    }
    uint64_t amx = cpu.has & wanted & BERTC_FEATURES_AMX;
    if (amx && !bertc_cpu_amx_permitted()) cpu.refused = cpu.has & BERTC_FEATURES_AMX;
    return cpu;
}
#elif defined(__aarch64__)
static inline bertc_cpu bertc_cpu_read(uint64_t wanted) {
    static const struct {
        uint64_t feature;
        unsigned long vector; // of the kernel's: AT_HWCAP, AT_HWCAP2
        int bit;
    } table[] = {
        {BERTC_FEATURE_NEON, AT_HWCAP, 1},     {BERTC_FEATURE_FULLFP16, AT_HWCAP, 10},
        {BERTC_FEATURE_DOTPROD, AT_HWCAP, 20}, {BERTC_FEATURE_SVE, AT_HWCAP, 22},
        {BERTC_FEATURE_SVE2, AT_HWCAP2, 1},    {BERTC_FEATURE_I8MM, AT_HWCAP2, 13},
        {BERTC_FEATURE_BF16, AT_HWCAP2, 14},   {BERTC_FEATURE_SME, AT_HWCAP2, 23},
    };
    bertc_cpu cpu = {0, 0};
    (void)wanted;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (getauxval(table[i].vector) >> table[i].bit & 1) cpu.has |= table[i].feature;
    return cpu;
}
#else
static inline bertc_cpu bertc_cpu_read(uint64_t wanted) {
    (void)wanted;
    return (bertc_cpu){0, 0};
}
#endif

// The name of the bit `feature`; NULL: this version has none.
static inline const char *bertc_feature_name(uint64_t feature) {
#define X(name, text)                                                                                        \
    if (feature == BERTC_FEATURE_##name) return text;
    BERTC_FEATURE_LIST(X)
#undef X
    return NULL;
}

// Why code that needs `features` can't run: the first of them that is not to be had, "amx-tile, which the
// system refuses this process". Returns the number of bytes without the NUL as snprintf does; 0: it can run.
static inline int bertc_cpu_lack(const bertc_cpu *cpu, uint64_t features, char *out, size_t size) {
    uint64_t missing = features & ~cpu->has, refused = features & cpu->refused;
    if (!missing && !refused) return 0;
    int bit = __builtin_ctzll(missing ? missing : refused);
    const char *name = bertc_feature_name(BERTC_BIT(bit)),
               *why = missing ? "which this machine lacks" : "which the system refuses this process";
    return name ? snprintf(out, size, "%s, %s", name, why)
                : snprintf(out, size, "number %d, which this version does not know", bit);
}

#endif
