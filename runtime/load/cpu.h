// What this machine can run: CPU features as the artefact's variants name them, and the CPUs that this
// process may use.
#ifndef BERTC_CPU_H
#define BERTC_CPU_H

#include <stdint.h>

// The BERTC_FEATURE_* bits that the CPU has and the system lets programs use (the kernel saves the
// registers). AMX needs a permission of the kernel for this process; it is asked for only where `wanted`
// has an AMX bit.
uint64_t cpu_features(uint64_t wanted);
// The text of the lowest bit in `features` ("avx512f"), or "unknown".
const char *cpu_feature_name(uint64_t features);
// CPUs that this process may use: its affinity mask, and the cgroup's limit (v1 or v2), rounded up. At
// least 1.
int cpu_allowed(void);

#endif
