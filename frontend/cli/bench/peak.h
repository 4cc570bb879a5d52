// The two limits of this machine, measured: independent chains of multiply-adds that touch no memory, and a
// loop that does nothing but read.
#ifndef BERTC_CLI_PEAK_H
#define BERTC_CLI_PEAK_H

#include <stdint.h>

#define PEAK_THREADS_MAX 256

// float32 GFLOP/s (2 a multiply-add) of `threads` threads running at once for about `seconds` with the
// vectors of an ISA ("avx512", "avx2", "neon", "generic"), which the machine must have.
double peak_gflops(const char *isa, int threads, double seconds);
// GB/s at which `threads` threads together read `bytes` bytes again and again for about `seconds`: from the
// cache that holds so many, or from memory. 0 where there is no memory for them.
double peak_read_gbs(int64_t bytes, int threads, double seconds);

#endif
