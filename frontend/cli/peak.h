// The arithmetic peak of this machine, measured: independent chains of multiply-adds that touch no memory.
#ifndef BERTC_CLI_PEAK_H
#define BERTC_CLI_PEAK_H

#define PEAK_THREADS_MAX 256

// float32 GFLOP/s (2 a multiply-add) of `threads` threads running at once for about `seconds` with the
// vectors of an ISA ("avx512", "avx2", "neon", "generic"), which the machine must have.
double peak_gflops(const char *isa, int threads, double seconds);

#endif
