// The two limits of this machine, measured: independent chains of multiply-adds that touch no memory, and a
// loop that does nothing but read.
#ifndef BERTC_CLI_PEAK_H
#define BERTC_CLI_PEAK_H

#include <stdint.h>

#define PEAK_THREADS_MAX 256

// What is multiplied. Sums are float32, or i32 of 8 bits.
typedef enum peak_type { PEAK_F32, PEAK_BF16, PEAK_INT8 } peak_type;

// Giga-operations a second (2 a multiply-add) of `threads` threads running at once for about `seconds`, by the best
// instruction of a level ("amx", "avx512vnni", ...), which the machine must have. A level without one for the type
// multiplies in float32.
double peak_gops(peak_type type, const char *isa, int threads, double seconds);
// float32 GFLOP/s (2 a multiply-add) of `threads` threads running at once for about `seconds` with the
// vectors of an ISA ("avx512", "avx2", "neon", "generic"), which the machine must have.
double peak_gflops(const char *isa, int threads, double seconds);
// GB/s at which `threads` threads together read `bytes` bytes again and again for about `seconds`: from the
// cache that holds so many, or from memory. 0 where there is no memory for them.
double peak_read_gbs(int64_t bytes, int threads, double seconds);

#endif
