// The loop nest: any body, op by op, with intermediates in scratch. Private to loop_nest/
#ifndef BERTC_BACKEND_LOOP_NEST_H
#define BERTC_BACKEND_LOOP_NEST_H

#include "backend/emit/view.h"

// One task's evaluation of a flat body (no regions inside).
typedef struct loop_nest {
    emit *e;
    const graph *body;
    LLVMValueRef size[SYM_COUNT]; // i64: the symbols' values in this task
    bindings most;                // their largest values: strides and scratch follow from these
    sym rows;                     // the symbol of which a task sees a block, or SYM_NONE
    LLVMValueRef first_row;       // of the block
    LLVMValueRef scratch;
    view *views; // by value of the body
    struct loop_nest_buffer *buffers;
    int buffer_count, now;        // now: the node that is being emitted
    int64_t scratch_bytes;        // high-water mark
    struct loop_nest_tile *tiles; // of its products (block_product.h)
} loop_nest;

typedef struct loop_nest_buffer {
    int64_t offset, bytes;
    int last; // the last node that reads it
} loop_nest_buffer;

// --- body.c

// The node's computation as one flat graph: a param an operand (per_sequence: an operand after the bounds),
// primitive ops, an output for each of the node's results (kernel_results).
graph *loop_nest_flatten(arena *a, const kernel_site *s);
// Emits the whole body: params from n->views (filled in by the caller), its outputs into `results`.
bool loop_nest_body(loop_nest *n, const view *results);

// --- buffers.c

// The size of an axis in this task; of all of t's axes.
LLVMValueRef loop_nest_size(const loop_nest *n, dim d);
void loop_nest_sizes(const loop_nest *n, const type *t, LLVMValueRef *size);
// The largest sizes that t's axes can have.
void loop_nest_rooms(const loop_nest *n, const type *t, int64_t *room);
// A view of scratch that stays whole up to node `last`.
view loop_nest_allocate(loop_nest *n, const type *t, int last);
void loop_nest_copy(loop_nest *n, const view *from, const view *to); // shapes equal
void loop_nest_copy_linear(loop_nest *n, const view *from,
                           const view *to); // the same number of elements, in order
// v, or, where it is packed, a row-major copy that lives for this node.
view loop_nest_row_major(loop_nest *n, const view *v);
// v where its last axis can be swept by vectors, else a copy of it that lives for this node.
view loop_nest_swept(loop_nest *n, const view *v);
// `number` into every element of `out`.
void loop_nest_fill(loop_nest *n, const view *out, double number);
// The leading axes of `v` broadcast to those of `out`; its last stays.
view loop_nest_led(const view *v, const view *out);

// --- loop_nest.c: tasks, arguments and phases of a node, round a body that `body` emits.
typedef bool (*loop_nest_emitter)(loop_nest *n, const view *results);
bool loop_nest_emit_body(emit *e, const kernel_site *s, kernel *out, const char *family,
                         loop_nest_emitter body);

// --- ops.c: computes node v of the body into `out`.
void loop_nest_op(loop_nest *n, value v, const view *out);
// The row of `table` that element `at` of `ids` names.
view loop_nest_gathered(loop_nest *n, const view *table, const view *ids, LLVMValueRef at);

// --- scatter.c: rows and elements added up by ids, in ascending order
void loop_nest_scatter_add(loop_nest *n, const node *producer, const view *out);
void loop_nest_scatter_add_along(loop_nest *n, const node *producer, const view *out);

// --- random.c
void loop_nest_random(loop_nest *n, const node *producer, const view *out);

// --- product.c: matmul
void loop_nest_matmul(loop_nest *n, const node *producer, const view *out);

// --- quantize.c: scales, quantize and dequantize
void loop_nest_scales(loop_nest *n, const node *producer, const view *out);
void loop_nest_quantize(loop_nest *n, const node *producer, const view *out);

// --- analysis.c: is every value that holds `rows` computed row by row along its first axis, and has every
// output such rows?
bool loop_nest_row_wise(const graph *body, sym rows);
// The work of a body: operations that don't depend on sizes, that grow with one symbol, with two.
void loop_nest_work(const graph *body, double work[3]);
// What the body reads and writes op by op, in bytes, likewise, but for constants of the graph: `weight` says
// which of its params are some.
void loop_nest_traffic(const graph *body, const bool *weight, double bytes[3]);

#endif
