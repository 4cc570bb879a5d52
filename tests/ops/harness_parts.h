// What the harness's files share. Private to them.
#ifndef TEST_OPS_HARNESS_PARTS_H
#define TEST_OPS_HARNESS_PARTS_H

#include "backend/output/artefact.h"
#include "harness.h"

typedef struct rng {
    uint64_t state;
} rng;
rng rng_of(const char *name);
uint32_t rng_next(rng *r);
int64_t rng_below(rng *r, int64_t n);
float rng_float(rng *r, double low, double high);

// Memory that ends at a page without access; `data` is aligned to 64.
typedef struct fenced {
    unsigned char *data, *map;
    size_t mapped;
} fenced;
fenced fenced_new(int64_t bytes);
void fenced_free(fenced *f);

// A test on one ISA.
typedef struct run {
    const harness *h;
    const char *cpu;
    arena *a;
    diag d;
    target target;
    tensor_source source;
    bindings b; // of the call
    int32_t *bounds, *row_bounds;
    graph *g; // after the passes, with its variants
    eval_input *inputs;
    int input_count;
    tensor *wanted;         // by value of g
    tensor *first;          // by value: what the first run gave, dense
    const kernel **kernels; // by variant and value; the functions' names: by class and phase, too
    const char **names;
    jit_code *code;
    fenced weights, states;
    tensor *assigned; // by value of g: what the evaluator says of the states afterwards
} run;

bool harness_find(void *weights, const char *name, tensor_view *out); // as tensor_source.find
void harness_bind(run *r, int32_t *bounds, int32_t *row_bounds);
void harness_inputs(run *r);
// A copy of the states' first values, in r->states.
void harness_states_open(run *r);
// Where a kernel finds top-level value v, where the arena is at `data`.
void *harness_address(const run *r, const variant *x, value v, unsigned char *data);
// A state, or what was assigned to one, from r->states.
tensor harness_state(const run *r, value v);
// A packed matrix at `from`, into a dense one; what fills its last panel must be zero.
void harness_unpack(const type *t, const unsigned char *from, tensor *out);
tensor harness_tensor_new(arena *a, const type *t, const bindings *b);

#endif
