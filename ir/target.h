// What passes must know of the machine: a plain struct that the backend fills in.
#ifndef BERTC_IR_TARGET_H
#define BERTC_IR_TARGET_H
#include <stdbool.h>
#include <stdint.h>

typedef struct target {
    char isa[16];          // "avx512", "avx2", "generic": names the variant
    char triple[64];       // "x86_64-unknown-linux-gnu"
    char cpu[32];          // LLVM's name
    char features[1024];   // LLVM's feature string
    uint64_t feature_bits; // BERTC_FEATURE_* of runtime/abi.h that the code needs
    int vector_floats;     // floats in a vector register: 16, 8, 4
    int vector_registers;  // 32 or 16
    bool fma;
    int64_t l1_bytes, l2_bytes, l3_bytes;
    int prefetch_streams; // distant addresses in rotation while a panel is worked through; 0: none
    double peak_gflops;   // one core, float32; for the cost model's ratios only
    double memory_gbs;    // one core's read bandwidth from DRAM
} target;
#endif
