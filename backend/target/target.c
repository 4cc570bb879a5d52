// Targets: the CPUs, levels and triples that bertc knows, as ir/target.h describes them.
//
// The level of a CPU (level.c) decides which features code may use; LLVM's feature string is built from those
// bits alone. The CPU's name only picks LLVM's scheduling model, so an artefact for one CPU runs on every
// CPU of the same level. Where a graph's code at a level is that of a lower one, code.c makes the target the lower one.
#include "backend/target/target.h"

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/matmul/products.h"
#include "backend/target/level.h"

// A server's L3 may have hundreds of MB, which a hundred cores share. Of what this machine says, no more than this counts.
#define MOST_L3_BYTES ((int64_t)32 << 20)

// `tune`: LLVM's name where it differs. Streams: docs/abi.md, "Targets". Caches in KiB, of one core; the last
// level is the part that one core of a busy machine can count on. Rates: one core, rough; gflops in f32.
typedef struct cpu {
    const char *name, *tune;
    level_id level;
    int streams;
    int l1, l2, l3;
    double gflops, gbs;
} cpu;

static const cpu cpus[] = {
    {"avx2", "x86-64-v3", LEVEL_AVX2, 2, 32, 512, 8192, 100, 14},
    {"avxvnni", "x86-64-v3", LEVEL_AVXVNNI, 2, 48, 1280, 16384, 130, 20},
    {"avx512", "x86-64-v4", LEVEL_AVX512, 2, 32, 1024, 16384, 150, 16},
    {"avx512vnni", "x86-64-v4", LEVEL_AVX512VNNI, 2, 32, 1024, 16384, 180, 14},
    {"avx512bf16", "x86-64-v4", LEVEL_AVX512BF16, 2, 32, 1024, 32768, 180, 18},
    {"amx", "sapphirerapids", LEVEL_AMX, 4, 48, 2048, 32768, 240, 18},
    {"neon", "generic", LEVEL_NEON, 1, 64, 1024, 8192, 48, 16},
    {"dotprod", "generic", LEVEL_DOTPROD, 1, 64, 1024, 16384, 48, 16},
    {"i8mm", "generic", LEVEL_I8MM, 1, 64, 1024, 16384, 80, 18},
    {"generic", "x86-64", LEVEL_GENERIC, 2, 32, 512, 8192, 24, 10},
    {"x86-64", NULL, LEVEL_GENERIC, 2, 32, 512, 8192, 24, 10},
    {"x86-64-v2", NULL, LEVEL_GENERIC, 2, 32, 512, 8192, 24, 10},
    {"x86-64-v3", NULL, LEVEL_AVX2, 2, 32, 512, 8192, 100, 14},
    {"x86-64-v4", NULL, LEVEL_AVX512, 2, 32, 1024, 16384, 150, 16},
    {"nehalem", NULL, LEVEL_GENERIC, 2, 32, 256, 8192, 24, 10},
    {"haswell", NULL, LEVEL_AVX2, 4, 32, 256, 8192, 100, 12},
    {"broadwell", NULL, LEVEL_AVX2, 4, 32, 256, 8192, 100, 12},
    {"skylake", NULL, LEVEL_AVX2, 4, 32, 256, 8192, 110, 14},
    {"alderlake", NULL, LEVEL_AVXVNNI, 4, 48, 1280, 16384, 130, 20},
    {"skylake-avx512", NULL, LEVEL_AVX512, 4, 32, 1024, 16384, 170, 12},
    {"cascadelake", NULL, LEVEL_AVX512VNNI, 4, 32, 1024, 16384, 180, 12},
    {"cooperlake", NULL, LEVEL_AVX512BF16, 4, 32, 1024, 16384, 180, 12},
    {"icelake-server", NULL, LEVEL_AVX512VNNI, 4, 48, 1280, 16384, 190, 14},
    {"sapphirerapids", NULL, LEVEL_AMX, 4, 48, 2048, 32768, 240, 18},
    {"emeraldrapids", NULL, LEVEL_AMX, 4, 48, 2048, 32768, 240, 18},
    {"graniterapids", NULL, LEVEL_AMX, 4, 48, 2048, 32768, 240, 20},
    {"znver1", NULL, LEVEL_AVX2, 1, 32, 512, 8192, 50, 14},
    {"znver2", NULL, LEVEL_AVX2, 1, 32, 512, 16384, 100, 16},
    {"znver3", NULL, LEVEL_AVX2, 1, 32, 512, 32768, 110, 18},
    {"znver4", NULL, LEVEL_AVX512BF16, 1, 32, 1024, 32768, 114, 20},
    {"znver5", NULL, LEVEL_AVX512BF16, 1, 48, 1024, 32768, 270, 40},
    {"generic", NULL, LEVEL_NEON, 1, 64, 1024, 8192, 48, 16},
    {"cortex-a72", NULL, LEVEL_NEON, 1, 32, 1024, 1024, 16, 8},
    {"cortex-a76", NULL, LEVEL_DOTPROD, 1, 64, 512, 2048, 38, 12},
    {"neoverse-n1", "cortex-a76", LEVEL_DOTPROD, 1, 64, 1024, 16384, 40, 14},
    {"neoverse-v1", "neoverse-n2", LEVEL_I8MM, 1, 64, 1024, 16384, 80, 18},
    {"neoverse-n2", NULL, LEVEL_I8MM, 1, 64, 1024, 16384, 48, 18},
    {"neoverse-v2", NULL, LEVEL_I8MM, 1, 64, 2048, 16384, 100, 24},
};
#define CPU_COUNT ((int)(sizeof(cpus) / sizeof(cpus[0])))

static const struct {
    target_arch arch;
    const char *name, *other, *triple;
} arches[] = {
    {ARCH_X86_64, "x86_64", "amd64", "x86_64-unknown-linux-gnu"},
    {ARCH_AARCH64, "aarch64", "arm64", "aarch64-unknown-linux-gnu"},
};
#define ARCH_COUNT ((int)(sizeof(arches) / sizeof(arches[0])))

// A triple's architecture; ARCH_NONE where bertc has no code for it.
static target_arch arch_of(const char *triple) {
    size_t n = strcspn(triple, "-");
    if (!strstr(triple + n, "-linux")) return ARCH_NONE;
    for (int i = 0; i < ARCH_COUNT; i++) {
        if ((strlen(arches[i].name) == n && memcmp(triple, arches[i].name, n) == 0) ||
            (strlen(arches[i].other) == n && memcmp(triple, arches[i].other, n) == 0))
            return arches[i].arch;
    }
    return ARCH_NONE;
}

static const cpu *find_cpu(target_arch arch, const char *name) {
    for (int i = 0; i < CPU_COUNT; i++) {
        if (level_of(cpus[i].level)->arch == arch && strcmp(cpus[i].name, name) == 0) return &cpus[i];
    }
    return NULL;
}

// The host by what it has, not by what it calls itself: a virtual machine may hide features of the CPU under
// it. The name is for its tuning; its level is level_best's.
static const char *host_cpu(const target_host *h) {
    if (h->arch == ARCH_AARCH64) return "generic";
    bool amd = strcmp(h->vendor, "AuthenticAMD") == 0;
    switch (level_best(h->arch, h->cpu.has)) {
    case LEVEL_AMX: return "sapphirerapids";
    case LEVEL_AVX512BF16: return !amd ? "cooperlake" : h->family >= 0x1a ? "znver5" : "znver4";
    case LEVEL_AVX512VNNI: return h->cpu.has & BERTC_FEATURE_AVX512VBMI ? "icelake-server" : "cascadelake";
    case LEVEL_AVX512: return amd ? "x86-64-v4" : "skylake-avx512";
    case LEVEL_AVXVNNI: return "alderlake";
    case LEVEL_AVX2:
        if (amd) return h->family >= 0x19 ? "znver3" : "znver2";
        return strcmp(h->vendor, "GenuineIntel") == 0 ? "skylake" : "x86-64-v3";
    case LEVEL_GENERIC:
    case LEVEL_NEON:
    case LEVEL_DOTPROD:
    case LEVEL_I8MM:
    case LEVEL_COUNT: break;
    }
    return h->cpu.has & BERTC_FEATURE_SSE4_2 ? "x86-64-v2" : "x86-64";
}

static void feature_string(uint64_t bits, char *out, size_t size) {
    size_t n = 0;
    out[0] = 0;
#define X(name, text)                                                                                        \
    if (bits & BERTC_FEATURE_##name) n += (size_t)snprintf(out + n, size - n, "%s+" text, n ? "," : "");
    BERTC_FEATURE_LIST(X)
#undef X
}

// Products of the level's own, and of the levels whose features it has.
static void add_products(target *t, const level *l, double gflops) {
    for (level_id i = 0; i < LEVEL_COUNT; i++) {
        const level *lower = level_of(i);
        if (lower->arch == l->arch && lower->rank <= l->rank && !(lower->features & ~l->features))
            products_add(t, lower->name, gflops);
    }
}

void target_set_level(target *t, const level *l, double gflops) {
    t->rank = l->rank;
    t->feature_bits = l->features;
    t->vector_floats = l->vector_floats;
    t->vector_registers = l->vector_registers;
    t->fma = l->fma;
    snprintf(t->isa, sizeof(t->isa), "%s", l->name);
    snprintf(t->class, sizeof(t->class), "%s", l->classes[t->precision]);
    feature_string(l->features, t->features, sizeof(t->features));
    t->product_count = 0;
    add_products(t, l, gflops);
}

static void fill_target(target *t, target_arch arch, const cpu *c, const level *l, precision p) {
    *t = (target){.precision = p,
                  .l1_bytes = (int64_t)c->l1 << 10,
                  .l2_bytes = (int64_t)c->l2 << 10,
                  .l3_bytes = (int64_t)c->l3 << 10,
                  .prefetch_streams = c->streams,
                  .memory_gbs = c->gbs};
    for (int i = 0; i < ARCH_COUNT; i++) {
        if (arches[i].arch == arch) snprintf(t->triple, sizeof(t->triple), "%s", arches[i].triple);
    }
    snprintf(t->level, sizeof(t->level), "%s", l->name);
    snprintf(t->cpu, sizeof(t->cpu), "%s", c->tune ? c->tune : c->name);
    target_set_level(t, l, c->gflops);
}

// No code of this precision at that level: what there is.
static bool lacks(const level *l, const char *mcpu, precision p, diag *d) {
    char has[64];
    size_t n = 0;
    for (precision i = 0; i < PRECISION_COUNT; i++)
        if (l->classes[i])
            n += (size_t)snprintf(has + n, sizeof(has) - n, "%s%s", n ? ", " : "", precision_name(i));
    return diag_error(d, "--dtype", "%s has no code for %s (level %s): it has %s", mcpu, precision_name(p),
                      l->name, has);
}

bool target_init(target *t, const char *triple, const char *mcpu, precision p, diag *d) {
    target_host host;
    // Asked for in float32 too: a graph of narrow products may be compiled in that precision.
    target_host_read(&host, BERTC_FEATURES_AMX);
    target_arch arch = triple ? arch_of(triple) : host.arch;
    if (arch == ARCH_NONE) {
        return diag_error(d, triple ? triple : "target",
                          "is no target that bertc has code for (x86_64 and aarch64 Linux)");
    }
    bool native = mcpu && strcmp(mcpu, "native") == 0;
    if (native && arch != host.arch)
        return diag_error(d, "native", "is no CPU of another architecture: %s", triple);
    if (!mcpu) native = arch == host.arch;
    const cpu *c = find_cpu(arch, native ? host_cpu(&host) : mcpu ? mcpu : "generic");
    if (!c) return diag_error(d, mcpu, "is no CPU that bertc knows (`bertc targets` lists them)");
    const level *l = level_of(native ? level_best(arch, host.cpu.has & ~host.cpu.refused) : c->level);
    if (!l->classes[p]) return lacks(l, native ? "native" : c->name, p, d);
    fill_target(t, arch, c, l, p);
    if (native && host.l1_bytes) t->l1_bytes = host.l1_bytes;
    if (native && host.l2_bytes) t->l2_bytes = host.l2_bytes;
    if (native && host.l3_bytes) t->l3_bytes = host.l3_bytes < MOST_L3_BYTES ? host.l3_bytes : MOST_L3_BYTES;
    return true;
}

bool target_is_level(const char *name) {
    target_host host;
    target_host_read(&host, 0);
    return level_find(host.arch, name) != NULL;
}

bool target_is_class(const char *class, char *list, size_t size) {
    enum { MOST = (int)LEVEL_COUNT * (int)PRECISION_COUNT };
    const char *seen[MOST];
    size_t at = 0;
    int count = 0;
    bool is = false;
    for (int i = 0; i < MOST; i++) {
        const char *name = level_of((level_id)(i / PRECISION_COUNT))->classes[i % PRECISION_COUNT];
        bool again = !name;
        for (int k = 0; k < count && !again; k++) again = !strcmp(seen[k], name);
        if (again) continue;
        seen[count++] = name;
        is = is || !strcmp(name, class);
        if (at < size) at += (size_t)snprintf(list + at, size - at, "%s%s", at ? ", " : "", name);
    }
    return is;
}

int target_portable(const char *triple, precision p, const char *names[TARGET_MOST_LEVELS]) {
    target_host host;
    target_host_read(&host, 0);
    target_arch arch = triple ? arch_of(triple) : host.arch;
    const char *least = "generic";
    int n = 0;
    for (level_id i = LEVEL_GENERIC + 1; i < LEVEL_COUNT; i++) {
        const level *l = level_of(i);
        if (l->arch != arch) continue;
        if (!n && !l->rank) least = l->name;
        if (l->classes[p]) names[n++] = l->name;
    }
    if (!n) names[n++] = least;
    return n;
}

// --- What there is

static void list_levels(target_arch arch, const target_host *host, FILE *out) {
    fprintf(out, "  %-16s %-6s %-6s %-6s %s\n", "level", "rank", "bf16", "int8", "here");
    for (level_id i = LEVEL_COUNT; i-- > 0;) {
        const level *l = level_of(i);
        char lack[96];
        if (l->arch != arch) continue;
        if (host->arch != arch)
            snprintf(lack, sizeof(lack), "no: another architecture");
        else if (bertc_cpu_lack(&host->cpu, l->features, lack + 4, sizeof(lack) - 4))
            memcpy(lack, "no: ", 4);
        else
            snprintf(lack, sizeof(lack), "yes");
        const char *bf16 = l->classes[PRECISION_BF16], *int8 = l->classes[PRECISION_INT8];
        fprintf(out, "  %-16s %-6d %-6s %-6s %s\n", l->name, l->rank, bf16 ? bf16 : "-", int8 ? int8 : "-",
                lack);
    }
}

static void list_cpus(target_arch arch, const target_host *host, FILE *out) {
    fprintf(out, "  %-16s %s\n", "CPU", "level");
    if (host->arch == arch) {
        level_id best = level_best(arch, host->cpu.has & ~host->cpu.refused);
        fprintf(out, "  %-16s %-12s tuned for %s\n", "native", level_of(best)->name, host_cpu(host));
    }
    for (int k = 0; k < CPU_COUNT; k++) {
        const level *l = level_of(cpus[k].level);
        if (l->arch == arch && !level_find(arch, cpus[k].name))
            fprintf(out, "  %-16s %s\n", cpus[k].name, l->name);
    }
}

void target_list(FILE *out) {
    target_host host;
    target_host_read(&host, BERTC_FEATURES_AMX);
    for (int i = 0; i < ARCH_COUNT; i++) {
        fprintf(out, "%s\n", arches[i].triple);
        list_levels(arches[i].arch, &host, out);
        list_cpus(arches[i].arch, &host, out);
    }
}
