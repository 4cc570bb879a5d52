// What this machine can run, for tests.
#ifndef BERTC_TESTS_HOST_H
#define BERTC_TESTS_HOST_H
#include <string.h>

#include "backend/backend.h"

static inline bool runs_here(const target *t) {
    target host;
    diag d;
    diag_init(&d);
    bool ok =
        target_init(&host, NULL, "native", PRECISION_F32, &d) && (t->feature_bits & ~host.feature_bits) == 0;
    diag_free(&d);
    return ok;
}

// A CPU for each ISA that bertc has code for on this architecture, the best first.
#if defined(__aarch64__)
static const char *const host_cpus[] = {"generic"};
#else
static const char *const host_cpus[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};
#endif
#define HOST_CPUS ((int)(sizeof(host_cpus) / sizeof(host_cpus[0])))

// Of `host_cpus`: does this machine run its code, and the ISA's name, a kind of tests/main.h.
static inline bool host_runs(const char *cpu) {
    target t;
    diag d;
    diag_init(&d);
    bool ok = target_init(&t, NULL, cpu, PRECISION_F32, &d) && runs_here(&t);
    diag_free(&d);
    return ok;
}
static inline const char *host_isa(const char *cpu) {
    return !strcmp(cpu, "x86-64-v4")   ? "avx512"
           : !strcmp(cpu, "x86-64-v3") ? "avx2"
           : !strcmp(cpu, "x86-64-v2") ? "generic"
                                       : "neon";
}

#endif
