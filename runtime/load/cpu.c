// CPU features by CPUID and XGETBV, and the affinity and cgroup limits of this process.
#include "runtime/load/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi.h"
#include "runtime/bertc.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool amx_permitted(void) {
#ifdef SYS_arch_prctl
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

uint64_t cpu_features(uint64_t wanted) {
    enum { YMM = 0x6, ZMM = 0xe6, TILES = 0x60000 };
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    bool xsave = c >> 27 & 1;
    uint64_t saved = xsave ? saved_registers() : 0, f = 0;
    bool ymm = (saved & YMM) == YMM, zmm = (saved & ZMM) == ZMM, tiles = (saved & TILES) == TILES;
#define HAS(reg, bit, name) f |= (reg) >> (bit) & 1u ? (uint64_t)BERTC_FEATURE_##name : 0
    HAS(c, 20, SSE4_2);
    if (ymm) {
        HAS(c, 28, AVX);
        HAS(c, 12, FMA);
        HAS(c, 29, F16C);
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return f;
    uint32_t sub_leaves = a;
    if (ymm) HAS(b, 5, AVX2);
    if (zmm) {
        HAS(b, 16, AVX512F);
        HAS(b, 30, AVX512BW);
        HAS(b, 28, AVX512CD);
        HAS(b, 17, AVX512DQ);
        HAS(b, 31, AVX512VL);
        HAS(c, 11, AVX512VNNI);
        HAS(c, 1, AVX512VBMI);
    }
    const uint64_t amx = BERTC_FEATURE_AMX_TILE | BERTC_FEATURE_AMX_INT8 | BERTC_FEATURE_AMX_BF16;
    if (tiles && (wanted & amx) && amx_permitted()) {
        HAS(d, 24, AMX_TILE);
        HAS(d, 25, AMX_INT8);
        HAS(d, 22, AMX_BF16);
    }
    if (zmm && sub_leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) HAS(a, 5, AVX512BF16);
#undef HAS
    return f;
}
#elif defined(__aarch64__)
uint64_t cpu_features(uint64_t wanted) {
    return wanted & BERTC_FEATURE_NEON;
} // part of the base architecture
#else
uint64_t cpu_features(uint64_t wanted) {
    return wanted & 0;
}
#endif

const char *cpu_feature_name(uint64_t features) {
    static const struct {
        uint64_t bit;
        const char *text;
    } names[] = {
#define X(name, bit, text) {(uint64_t)1 << bit, text},
        BERTC_FEATURE_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (features & names[i].bit) return names[i].text;
    return "unknown";
}

// --- Limits

static int affinity_count(void) {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) { // the kernel refuses a set smaller than its own
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set) return 1;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    return 1;
}

// Reads "quota period" or "max period" (cgroup v2), or two files with one number each (v1). Returns CPUs
// rounded up, INT_MAX: no limit.
static int quota_of(const char *quota_path, const char *period_path) {
    char quota_text[64] = "";
    long long quota = -1, period = 0;
    FILE *f = fopen(quota_path, "re");
    if (!f) return INT_MAX;
    int n = fscanf(f, "%63s %lld", quota_text, &period);
    fclose(f);
    if (n < 1 || strcmp(quota_text, "max") == 0) return INT_MAX;
    quota = strtoll(quota_text, NULL, 10);
    if (period_path && (f = fopen(period_path, "re"))) {
        if (fscanf(f, "%lld", &period) != 1) period = 0;
        fclose(f);
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX) return INT_MAX;
    return (int)((quota + period - 1) / period);
}

// The tightest limit from this process's cgroup up to the root, of both versions.
static int cgroup_count(void) {
    int least = INT_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return least;
    char line[PATH_MAX], quota[2 * PATH_MAX], period[2 * PATH_MAX];
    while (fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        bool v2 = names[1] == 0;
        if (!v2 && !strstr(names, "cpu")) continue;
        for (;;) {
            if (v2)
                snprintf(quota, sizeof quota, "/sys/fs/cgroup%s/cpu.max", path);
            else
                snprintf(quota, sizeof quota, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", path);
            snprintf(period, sizeof period, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", path);
            int count = quota_of(quota, v2 ? NULL : period);
            if (count < least) least = count;
            char *up = strrchr(path, '/');
            if (!up) break;
            *up = 0; // "" is the root, which a container sees as its own
        }
    }
    fclose(f);
    return least;
}

int cpu_allowed(void) {
    int a = affinity_count(), c = cgroup_count();
    return a < c ? a : c;
}

int bertc_cpu_count(void) {
    return cpu_allowed();
}
