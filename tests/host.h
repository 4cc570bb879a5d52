// What this machine can run, for tests.
#ifndef BERTC_TESTS_HOST_H
#define BERTC_TESTS_HOST_H
#include <string.h>

#include "backend/backend.h"
#include "runtime/abi_cpu.h"

static inline bool runs_here(const target *t) {
    bertc_cpu cpu = bertc_cpu_read(t->feature_bits);
    return !(t->feature_bits & ~(cpu.has & ~cpu.refused));
}

// A CPU for each ISA that bertc has code for on this architecture, the best first.
#if defined(__aarch64__)
static const char *const host_cpus[] = {"generic"};
#else
static const char *const host_cpus[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};
#endif
#define HOST_CPUS ((int)(sizeof(host_cpus) / sizeof(host_cpus[0])))

// Does this machine run the code of this precision for a CPU?
static inline bool host_runs_precision(const char *cpu, precision p) {
    target t;
    diag d;
    diag_init(&d);
    bool ok = target_init(&t, NULL, cpu, p, &d) && runs_here(&t);
    diag_free(&d);
    return ok;
}

// Precisions on the levels whose code for them differs. By its name a level is also a kind of tests/main.h.
static const struct host_form {
    const char *cpu;
    precision precision;
} host_forms[] = {
#if defined(__x86_64__)
    {"amx", PRECISION_BF16},        {"avx512bf16", PRECISION_BF16}, {"avx512", PRECISION_BF16},
    {"avx2", PRECISION_BF16},       {"amx", PRECISION_INT8},        {"avx512bf16", PRECISION_INT8},
    {"avx512vnni", PRECISION_INT8}, {"avxvnni", PRECISION_INT8},    {"avx512", PRECISION_INT8},
    {"avx2", PRECISION_INT8},       {"avx512", PRECISION_INT8W},    {"avx2", PRECISION_INT8W},
#else
    {"neon", PRECISION_F32},
#endif
};
#define HOST_FORMS ((int)(sizeof(host_forms) / sizeof(host_forms[0])))

// Of `host_cpus`: does this machine run its code, and the ISA's name, a kind of tests/main.h.
static inline bool host_runs(const char *cpu) {
    return host_runs_precision(cpu, PRECISION_F32);
}
static inline const char *host_isa(const char *cpu) {
    return !strcmp(cpu, "x86-64-v4")   ? "avx512"
           : !strcmp(cpu, "x86-64-v3") ? "avx2"
           : !strcmp(cpu, "x86-64-v2") ? "generic"
                                       : "neon";
}

#endif
