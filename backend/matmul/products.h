// The products that code can multiply by register tiles: the rows of kernels.def. Private to backend/ and its
// tests.
#ifndef BERTC_BACKEND_MATMUL_PRODUCTS_H
#define BERTC_BACKEND_MATMUL_PRODUCTS_H

#include "ir/target.h"

typedef enum product_id {
#define PRODUCT(name, left, right, sum, isa, rows, columns, step, group, rate) PRODUCT_##name,
#include "backend/matmul/kernels.def"
#undef PRODUCT
    PRODUCT_COUNT
} product_id;

typedef struct product_row {
    const char *name, *isa;
    target_product product; // its peak: in times the CPU's peak in f32
} product_row;
const product_row *product_row_of(product_id id);

// Adds the products of ISA level `isa` to the target's; where it has one of the same element types, the new
// one takes its place, or, if it is AMX's, the place before it. `gflops`: the CPU's peak in f32, one core.
void products_add(target *t, const char *isa, double gflops);

#endif
