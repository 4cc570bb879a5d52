// Differential tests of compiled kernels: a graph goes through passes, schedule and memory plan, is compiled
// by JIT for each ISA of this machine, run, and every top-level value is held against the reference
// evaluator.
//
// Each graph runs in two capacities, in all four thread classes, with tasks in ascending, descending and
// shuffled order; all runs must give the same bits (values that hold M: within one capacity). The arena
// starts full of large finite numbers, as kernels may find there, and arena, scratch and weights end where
// the process may not read or write.
#ifndef TEST_OPS_HARNESS_H
#define TEST_OPS_HARNESS_H

#include <check.h>

#include "ir/ir.h"

#define HARNESS_TEXTS   8
#define HARNESS_TENSORS 64

// Random weights by name, for constants with recipes.
typedef struct harness_weights {
    arena *a;
    int count;
    struct {
        const char *name;
        tensor_view view;
    } tensors[HARNESS_TENSORS];
} harness_weights;
// The recipe of a new tensor of any type that values have, of numbers between low and high.
recipe *harness_tensor(harness_weights *w, const char *name, elem e, int rank, const int64_t *shape,
                       double low, double high);

typedef struct harness {
    const char *passes;             // as passes_run takes it; NULL: "assign_layouts,pack_weights"
    int texts;                      // 0: three, of 5, 1 and 9 tokens
    int64_t lengths[HARNESS_TEXTS]; // tokens of each text
    int64_t rows[HARNESS_TEXTS];    // rows that a head reads of each text, may be 0
    int64_t length, batch;          // capacity; 0: what the texts need
    double low, high;               // of f32 inputs; both 0: -2 and 2
    double tolerance; // largest error, times max(1, largest value of the tensor), before rounding; 0: 2e-6
    double steps;     // numbers of 8 and 4 bits may be so many off
    harness_weights *weights;
    // The family that must have taken every kernel, whose function is named after it; NULL: any. Kernels
    // whose values hold M are left out: such values can't be inputs, so a test's graph computes them first.
    const char *family;
    const char *only; // "native", or one of host_cpus; NULL: all
    bool plain;       // compiled without LLVM's optimiser, which takes most of a test's time
    // Names of precisions with spaces: runs the levels that have code for one of them, in place of the ISAs. NULL: f32.
    const char *dtypes;
    const char *class; // of those the levels of this arithmetic class alone; NULL: all
} harness;

// Inputs are filled in by name (bounds, row_bounds, rows), else at random: i32 below the rows of the smallest
// table that is gathered by them (else -20 to 20), narrower whole numbers of all that their type holds (u8 of class avx2:
// up to 127), floats as `h` says. A failure names op, shape, index, value got and wanted. h may be NULL.
void harness_check(const graph *g, const harness *h);

// The same for a graph as IR text. A line "// run: lengths = 5 1 9, rows = 2 0 3, low = -1, high = 1,
// tolerance = 1e-5, steps = 1, passes = a b, dtypes = bf16 int8" sets options; tensors that recipes name are random.
void harness_file(const char *path);
const graph *harness_parse(arena *a, const char *path, harness *h);
void harness_weights_of(const graph *g, harness_weights *w, const harness *h);

#endif
