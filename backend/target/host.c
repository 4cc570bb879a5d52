// The machine that bertc runs on: its features (runtime/abi_cpu.h), and its vendor and caches by CPUID on x86-64,
// by sysfs elsewhere. LLVM's own host name and feature string are not used: on new machines they name the wrong
// CPU, and their avx10 and evex512 entries forbid whole zmm registers.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend/target/target.h"

#if defined(__x86_64__)
static void read_name(target_host *h) {
    bertc_cpuid one = bertc_cpuid_read(1, 0), zero = bertc_cpuid_read(0, 0);
    h->family = (int)(one.reg[0] >> 8 & 15u);
    if (h->family == 15) h->family += (int)(one.reg[0] >> 20 & 255u);
    memcpy(h->vendor, &zero.reg[1], 4);
    memcpy(h->vendor + 4, &zero.reg[3], 4);
    memcpy(h->vendor + 8, &zero.reg[2], 4);
}

// The deterministic cache parameters: leaf 4 (Intel), 0x8000001d (AMD), of one format.
static void read_caches(target_host *h) {
    unsigned number =
        strcmp(h->vendor, "AuthenticAMD") == 0 || strcmp(h->vendor, "HygonGenuine") == 0 ? 0x8000001du : 4;
    for (unsigned sub = 0; sub < 16; sub++) {
        bertc_cpuid l = bertc_cpuid_read(number, sub);
        unsigned a = l.reg[0], b = l.reg[1], kind = a & 31u, level = a >> 5 & 7u;
        if (kind == 0) break;
        if (kind == 2) continue; // instructions
        int64_t ways = (b >> 22) + 1, partitions = (b >> 12 & 1023u) + 1, line = (b & 4095u) + 1;
        int64_t bytes = ways * partitions * line * ((int64_t)l.reg[2] + 1);
        if (level == 1) h->l1_bytes = bytes;
        if (level == 2) h->l2_bytes = bytes;
        if (level == 3) h->l3_bytes = bytes;
    }
}

void target_host_read(target_host *h, uint64_t wanted) {
    *h = (target_host){.arch = ARCH_X86_64, .cpu = bertc_cpu_read(wanted)};
    read_name(h);
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

void target_host_read(target_host *h, uint64_t wanted) {
#if defined(__aarch64__)
    *h = (target_host){.arch = ARCH_AARCH64, .cpu = bertc_cpu_read(wanted)};
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
