// The floating-point environment of kernels: the default one (rounding to nearest, denormals kept, no traps),
// whatever the application has set on its thread. So the bits of an answer do not depend on a thread's mode.
#ifndef BERTC_FLOATS_H
#define BERTC_FLOATS_H

#include <stdint.h>

typedef struct floats_state {
    uint64_t control;
} floats_state;

// Sets the default environment; *old (which may be NULL) gets what was there.
static inline void floats_default(floats_state *old) {
#if defined(__x86_64__)
    if (old) old->control = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80);
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    if (old) old->control = control;
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
#else
    if (old) old->control = 0;
#endif
}

static inline void floats_restore(const floats_state *old) {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((uint32_t)old->control);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(old->control));
#else
    (void)old;
#endif
}

#endif
