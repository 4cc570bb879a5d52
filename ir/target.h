// What passes must know about the machine: a plain struct that the backend fills in.
#ifndef BERTC_IR_TARGET_H
#define BERTC_IR_TARGET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/types.h"

// The precision of a model's products (`--dtype`). passes/lower turns a float32 graph into one of these.
typedef enum precision {
    PRECISION_F32,
    PRECISION_BF16,  // weights and the rows that they multiply in bf16, sums in f32
    PRECISION_INT8,  // weights i8, rows quantised when they are computed, sums in i32
    PRECISION_INT8W, // only weights i8: they are widened for products in f32
    PRECISION_COUNT
} precision;
const char *precision_name(precision p); // "bf16"
// By its name; false for other words.
bool precision_find(const char *name, precision *out);

// How a register tile computes one step of k. The emitters are in backend/matmul/step.c.
typedef enum product_step {
    STEP_FMA,     // broadcasts one element of the left operand; a fused multiply-add per vector
    STEP_MUL_ADD, // the same, as a multiplication and an addition
    STEP_WIDEN, // STEP_FMA per element of a group of the right operand, which is widened to f32 in registers
    STEP_DOT_BF16, // broadcasts a group of the left operand; vdpbf16ps
    STEP_DOT_I8,   // the same; vpdpbusd
    STEP_PAIRS_I8, // the same; vpmaddubsw, vpmaddwd, vpaddd, for numbers of the left operand up to 127
    STEP_TILES     // 16 groups: two AMX tiles of the left operand by two of the right one
} product_step;

// A product that the target's code can compute by register tiles: a row of backend/matmul/kernels.def.
typedef struct target_product {
    elem left, right, sum; // element types of the operands and of the accumulators
    int rows, columns;     // register tile
    product_step step;
    int group;          // elements of k side by side in a packed right operand
    double peak_gflops; // of one core, in this product; the cost model uses only ratios
} target_product;
#define TARGET_MOST_PRODUCTS 12

typedef struct target {
    char isa[16];          // the level that the code is for: "avx512", "avx2", "generic"; names the variant
    char level[16];        // the CPU's own level, "amx", which may run the code of a lower one (`isa`)
    int rank;              // of `isa`: of the levels that a CPU supports, it runs that of the highest rank
    precision precision;   // of the code
    char class[16];        // arithmetic class (module.h): which graph of a module it runs
    char triple[64];       // "x86_64-unknown-linux-gnu"
    char cpu[32];          // LLVM's name
    char features[1024];   // LLVM's feature string
    uint64_t feature_bits; // BERTC_FEATURE_* of runtime/abi.h that the code needs
    int vector_floats;     // floats in a vector register: 16, 8, 4
    int vector_registers;  // 32 or 16
    bool fma;
    int64_t l1_bytes, l2_bytes, l3_bytes;
    int prefetch_streams; // distant addresses that are prefetched in turn while a panel is read; 0: none
    double memory_gbs;    // one core's read bandwidth from DRAM
    int product_count;
    target_product products[TARGET_MOST_PRODUCTS];
} target;

// Does it have products with AMX tiles?
static inline bool target_has_tiles(const target *t) {
    for (int i = 0; i < t->product_count; i++)
        if (t->products[i].step == STEP_TILES) return true;
    return false;
}
// The product of these element types, with AMX tiles if there is one; NULL if the target's code has none.
static inline const target_product *target_product_find(const target *t, elem left, elem right) {
    for (int i = 0; i < t->product_count; i++)
        if (t->products[i].left == left && t->products[i].right == right) return &t->products[i];
    return NULL;
}
// The same without AMX tiles, for kernels whose operands have any number of rows and of groups of k.
static inline const target_product *target_product_in_registers(const target *t, elem left, elem right) {
    for (int i = 0; i < t->product_count; i++) {
        const target_product *p = &t->products[i];
        if (p->left == left && p->right == right && p->step != STEP_TILES) return p;
    }
    return NULL;
}
#endif
