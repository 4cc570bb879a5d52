// The machine that bertc runs on: CPUID with XGETBV on x86-64, sysfs elsewhere. LLVM's own host name and
// feature string are not used: on new machines they name the wrong CPU, and their avx10 and evex512 entries
// forbid whole zmm registers.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend/target/target.h"

#if defined(__x86_64__)
#include <cpuid.h>

typedef struct leaf {
    unsigned a, b, c, d;
} leaf;

static leaf cpuid(unsigned number, unsigned sub) {
    leaf l = {0};
    if (!__get_cpuid_count(number, sub, &l.a, &l.b, &l.c, &l.d)) return (leaf){0};
    return l;
}

// Register state that the operating system saves (XCR0).
static uint64_t enabled_state(void) {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

#define STATE_AVX    0x06u    // xmm, ymm
#define STATE_AVX512 0xe6u    // and opmasks, zmm
#define STATE_AMX    0x60000u // tile configuration, tile data

// Where CPUID tells of a feature: leaf, subleaf, register (0: a .. 3: d), bit; and the state that it needs.
static const struct {
    uint64_t feature;
    unsigned number, sub, reg, bit;
    uint64_t state;
} table[] = {
    {BERTC_FEATURE_SSE4_2, 1, 0, 2, 20, 0},
    {BERTC_FEATURE_AVX, 1, 0, 2, 28, STATE_AVX},
    {BERTC_FEATURE_FMA, 1, 0, 2, 12, STATE_AVX},
    {BERTC_FEATURE_F16C, 1, 0, 2, 29, STATE_AVX},
    {BERTC_FEATURE_AVX2, 7, 0, 1, 5, STATE_AVX},
    {BERTC_FEATURE_AVX512F, 7, 0, 1, 16, STATE_AVX512},
    {BERTC_FEATURE_AVX512DQ, 7, 0, 1, 17, STATE_AVX512},
    {BERTC_FEATURE_AVX512CD, 7, 0, 1, 28, STATE_AVX512},
    {BERTC_FEATURE_AVX512BW, 7, 0, 1, 30, STATE_AVX512},
    {BERTC_FEATURE_AVX512VL, 7, 0, 1, 31, STATE_AVX512},
    {BERTC_FEATURE_AVX512VBMI, 7, 0, 2, 1, STATE_AVX512},
    {BERTC_FEATURE_AVX512VNNI, 7, 0, 2, 11, STATE_AVX512},
    {BERTC_FEATURE_AVX512BF16, 7, 1, 0, 5, STATE_AVX512},
    {BERTC_FEATURE_AMX_BF16, 7, 0, 3, 22, STATE_AMX},
    {BERTC_FEATURE_AMX_TILE, 7, 0, 3, 24, STATE_AMX},
    {BERTC_FEATURE_AMX_INT8, 7, 0, 3, 25, STATE_AMX},
};

static void read_features(target_host *h) {
    leaf one = cpuid(1, 0);
    uint64_t state = one.c >> 27 & 1u ? enabled_state() : 0; // OSXSAVE
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        leaf l = cpuid(table[i].number, table[i].sub);
        unsigned regs[] = {l.a, l.b, l.c, l.d};
        bool there = regs[table[i].reg] >> table[i].bit & 1u;
        if (there && (state & table[i].state) == table[i].state) h->features |= table[i].feature;
    }
    h->family = (int)(one.a >> 8 & 15u);
    if (h->family == 15) h->family += (int)(one.a >> 20 & 255u);
    leaf zero = cpuid(0, 0);
    memcpy(h->vendor, &zero.b, 4);
    memcpy(h->vendor + 4, &zero.d, 4);
    memcpy(h->vendor + 8, &zero.c, 4);
}

// The deterministic cache parameters: leaf 4 (Intel), 0x8000001d (AMD), of one format.
static void read_caches(target_host *h) {
    unsigned number =
        strcmp(h->vendor, "AuthenticAMD") == 0 || strcmp(h->vendor, "HygonGenuine") == 0 ? 0x8000001du : 4;
    for (unsigned sub = 0; sub < 16; sub++) {
        leaf l = cpuid(number, sub);
        unsigned kind = l.a & 31u, level = l.a >> 5 & 7u;
        if (kind == 0) break;
        if (kind == 2) continue; // instructions
        int64_t ways = (l.b >> 22) + 1, partitions = (l.b >> 12 & 1023u) + 1, line = (l.b & 4095u) + 1;
        int64_t bytes = ways * partitions * line * ((int64_t)l.c + 1);
        if (level == 1) h->l1_bytes = bytes;
        if (level == 2) h->l2_bytes = bytes;
        if (level == 3) h->l3_bytes = bytes;
    }
}

void target_host_read(target_host *h) {
    *h = (target_host){.arch = ARCH_X86_64};
    read_features(h);
    read_caches(h);
}

#else

static bool read_line(int index, const char *what, char *out, int size) {
    char path[96];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool ok = fgets(out, size, f) != NULL;
    fclose(f);
    return ok;
}

void target_host_read(target_host *h) {
#if defined(__aarch64__)
    *h = (target_host){.arch = ARCH_AARCH64, .features = BERTC_FEATURE_NEON};
#else
    *h = (target_host){.arch = ARCH_NONE};
#endif
    for (int i = 0; i < 8; i++) {
        char level[16], kind[32], size[32];
        if (!read_line(i, "level", level, sizeof(level)) || !read_line(i, "type", kind, sizeof(kind)) ||
            !read_line(i, "size", size, sizeof(size)))
            break;
        int64_t kilobytes = 0;
        if (strncmp(kind, "Instruction", 11) == 0 || sscanf(size, "%" SCNd64 "K", &kilobytes) != 1) continue;
        if (level[0] == '1') h->l1_bytes = kilobytes << 10;
        if (level[0] == '2') h->l2_bytes = kilobytes << 10;
        if (level[0] == '3') h->l3_bytes = kilobytes << 10;
    }
}

#endif
