// What target.c knows of the host, from host.c. Private to backend/.
#ifndef BERTC_BACKEND_TARGET_H
#define BERTC_BACKEND_TARGET_H

#include "ir/target.h"
#include "runtime/abi_cpu.h"

typedef enum target_arch { ARCH_NONE, ARCH_X86_64, ARCH_AARCH64 } target_arch;

typedef struct target_host {
    target_arch arch;
    bertc_cpu cpu;                        // its features
    char vendor[13];                      // x86-64: "GenuineIntel", "AuthenticAMD", ...
    int family;                           // x86-64: as CPUID gives it, the extended family added
    int64_t l1_bytes, l2_bytes, l3_bytes; // of one core's view; 0: not known
} target_host;

// `wanted`: features for which the system has to be asked (bertc_cpu_read).
void target_host_read(target_host *h, uint64_t wanted);

#endif
