// The graph: an array of nodes in topological order. A value is the index of the node that computes it.
//
// A region is a node `fuse` or `per_sequence`. Its body is a graph too. The body's first nodes are
// `param`s: one for each operand, in the same order (of `per_sequence`: for each operand after the bounds).
// The body's outputs are its yields, one or more. The region's node is the value of yield 0. Each other
// yield that something reads has a node `result`, which computes nothing.
//
// `fuse` computes what the ops of its body compute. It only says that they are one kernel.
//
// `per_sequence` (bounds, [row bounds,] x, y, ...) evaluates its body once for each sequence. An operand
// whose leading dimension is T, R or S is cut along it, and its param has L, Q or 1 there. Other operands
// (weights) are passed whole. The results of all sequences are concatenated along the leading dimension of
// each yield: L becomes T, Q becomes R, 1 becomes S. Bounds are i32[S+1]: sequence s has rows bounds[s] to
// bounds[s+1] - 1.
//
// Inputs of a model's graph, by name: ids, types, positions i32[T]; bounds i32[S+1]; and, if a head reads
// chosen rows, rows i32[R] (indices into T, ascending) with row_bounds i32[S+1]. Numbers of the call: step
// i32[], seed i32[2], and f32[]: rate, keep (do earlier gradients count? 0 or 1), scale (of the loss), clip
// (the largest norm of all gradients, or 0).
//
// A constant with `trainable` is a state: a parameter that training changes. `assign` (state, x) returns x
// and writes it into the state, in place, for later calls. The constant is the state's value before the
// call; the assign's result is its value after the call. So each reader of the constant comes before the
// assign. One assign writes a state: at the top level, or in a `fuse` that yields it. In the fuse's body it
// writes a param that only pointwise ops read. A node that writes a state is never dead.
#ifndef BERTC_IR_GRAPH_H
#define BERTC_IR_GRAPH_H

#include "ir/recipe.h"

typedef enum op {
#define OP(name, least, most, attrs, flags, gradient) OP_##name,
#include "ir/ops.def"
#undef OP
    OP_COUNT
} op;

typedef enum op_flags {
    POINTWISE = 1,
    COMMUTES = 2,
    REDUCES = 4,
    VIEW = 8,
    LEAF = 16,
    REGION = 32,
    WRITES = 64
} op_flags;

// What an op's gradient rule reads, besides types and attributes.
typedef enum gradient_reads {
    NO_GRADIENT = 0, // there is no rule
    READS_NOTHING = 1,
    READS_OPERANDS = 2,
    READS_RESULT = 4,
    READS_BODY = 8 // of a region: the rules of the ops in its body
} gradient_reads;

typedef enum attr_id {
#define ATTR(name, kind) ATTR_##name,
#include "ir/attrs.def"
#undef ATTR
    ATTR_COUNT
} attr_id;

typedef enum attr_kind {
    ATTR_KIND_INT,
    ATTR_KIND_FLOAT,
    ATTR_KIND_INTS,
    ATTR_KIND_DIMS,
    ATTR_KIND_NAME,
    ATTR_KIND_ELEM,
    ATTR_KIND_LITERAL,
    ATTR_KIND_RECIPE,
    ATTR_KIND_HASH,
    ATTR_KIND_FLAG
} attr_kind;

typedef int32_t value;
#define VALUE_NONE ((value) - 1)

typedef struct attr {
    attr_id id;
    int n;  // elements of ints, dims, literal
    elem e; // of a literal
    union {
        int64_t i;
        double f;
        const int64_t *ints;
        const dim *dims;
        const char *name;
        elem e;
        const void *literal; // each element separately (elem_size bytes)
        const float *floats; // literal, f32
        const int32_t *i32s; // literal, i32
        const recipe *recipe;
        uint64_t hash;
    } u;
} attr;

typedef struct graph graph;

typedef struct node {
    op op;
    type type;
    int input_count;
    value *inputs;
    int attr_count;
    attr *attrs;
    graph *body;      // fuse, per_sequence
    const char *name; // unique in its graph, or NULL; inputs and params always have one
} node;

typedef struct graph_output {
    const char *name; // Transformers' name: last_hidden_state, logits, ...; NULL in a region
    value value;
} graph_output;

// --- What is decided once per (ISA, capacity): see schedule and plan_memory.

typedef enum place_kind {
    PLACE_NONE,
    PLACE_WEIGHT,
    PLACE_ARENA,
    PLACE_INPUT, // a number of the call
    PLACE_STATE  // a trainable constant, and what is assigned to it
} place_kind;

typedef struct place {
    place_kind kind;
    int64_t offset; // bytes into the weights, the arena or the states; the input's node
    int64_t ld;     // elements from one row to the next (rank >= 2: rows are all but the last axis)
} place;

// How a phase is cut into tasks for a class of thread counts: 1, 2, 3-8, more.
#define THREAD_CLASSES 4
typedef enum split_form {
    FORM_ROWS,   // a task owns whole rows
    FORM_COLUMNS // columns are split too; a norm is a phase of its own
} split_form;
typedef struct task_split {
    split_form form;
    int32_t block_rows, block_columns; // of one task; 0: not split along that axis
} task_split;
typedef struct schedule {
    int32_t tile_rows, tile_columns; // register tile of a matmul anchor; 0: none
    int32_t chunk;                   // fuse_mlp: hidden columns of a slice
    int32_t prefetch;                // streams of the next panel's prefetch
    task_split splits[THREAD_CLASSES];
} schedule;

typedef struct variant {
    const char *name; // "avx512_s128"
    const char *isa;  // target.isa
    // The longest text, the most texts, and the most tokens (length x batch) of one call. A text has at least one
    // token, so sequences = tokens. It is fewer if a text's result is wide.
    int64_t length, sequences, tokens;
    int64_t row_tile;    // the room of values over T, S or R is rounded up to a multiple of it
    schedule *schedules; // by value
    place *places;       // by value
    int64_t arena_bytes;
} variant;

struct graph {
    arena *arena; // owns everything below
    const char *name;
    const char *class; // arithmetic class (module.h); NULL: f32, which is the same on every CPU
    int count, capacity;
    node *nodes;
    int output_count;
    graph_output *outputs;
    int variant_count;
    variant *variants;
    int64_t weight_bytes; // of the whole module; set by pack_weights
    int64_t state_bytes;  // the first of these, which hold the states' initial values
    int64_t zero_bytes;   // of the states that begin as zeros: after the other states, and not in the weights
};

// --- The op table

const char *op_name(op o);
int op_flag_bits(op o);
int op_gradient_reads(op o); // gradient_reads
int op_least_inputs(op o);
int op_most_inputs(op o); // -1: any number
// Finds by name; OP_COUNT or ATTR_COUNT if there is none.
op op_find(const char *name, size_t n);
attr_id attr_find(const char *name, size_t n);
const char *attr_name(attr_id id);
attr_kind attr_kind_of(attr_id id);
// Does the op take this attribute? *required: must it have it?
bool op_takes(op o, attr_id id, bool *required);

// --- Building. Builders append a node, infer its type (shape.h) and return its value. Operands must be values of
// the graph. A shape that does not fit fails an assert; graph_try_append reports it instead.

graph *graph_new(arena *a, const char *name);
graph *graph_clone(arena *a, const graph *g);      // a deep copy into another arena, variants included
const char *graph_class(const graph *g);           // "f32", "vnni"
void graph_set_class(graph *g, const char *class); // copies
value graph_input(graph *g, const char *name, type t);
value graph_param(graph *g, const char *name, type t);
value graph_constant_f32(graph *g, const char *name, type t, const float *data); // literal
// A literal of any element type but i1; `data`: each element separately (elem_size bytes).
value graph_constant_literal(graph *g, const char *name, type t, const void *data);
value graph_constant_recipe(graph *g, const char *name, const recipe *r);
value graph_scalar(graph *g, double x); // f32[] literal
value graph_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs);
value graph_try_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs,
                       const char *where, diag *d); // VALUE_NONE if it does not fit
value graph_op1(graph *g, op o, value a);
value graph_op2(graph *g, op o, value a, value b);
value graph_op3(graph *g, op o, value a, value b, value c);
value graph_reshape(graph *g, value a, int rank, const dim *shape);
value graph_transpose(graph *g, value a, int rank, const int64_t *perm);
value graph_slice(graph *g, value a, int rank, const dim *begin, const dim *end);
// fuse or per_sequence with a finished body (params, and one output or more). The node's type is that of yield 0,
// as seen from outside.
value graph_region(graph *g, op o, int n, const value *inputs, graph *body, int bounds);
// The same for operands, attributes and a body that were not checked: VALUE_NONE, with a diagnostic, if they
// don't fit.
value graph_try_region(graph *g, op o, int n, const value *inputs, graph *body, int attr_count,
                       const attr *attrs, const char *where, diag *d);
// Yield `index` of a region: the region itself for 0, else its `result`, which is appended if there is none.
value graph_result(graph *g, value region, int index);
// The same, but VALUE_NONE if there is no `result`.
value graph_result_find(const graph *g, value region, int index);
void graph_output_add(graph *g, const char *name, value v); // the only way to add one: it grows the array
void graph_name(graph *g, value v, const char *name);       // copies

static inline node *graph_node(const graph *g, value v) {
    return &g->nodes[v];
}
static inline const type *graph_type(const graph *g, value v) {
    return &g->nodes[v].type;
}
const attr *node_attr(const node *n, attr_id id); // NULL if it has none
void node_set_attr(graph *g, node *n, attr a);    // replaces or adds; copies what the attribute points to
void node_drop_attr(node *n, attr_id id);         // does nothing if it has none
attr attr_copy(arena *a, attr x);                 // deep
attr attr_int(attr_id id, int64_t i);
attr attr_float(attr_id id, double f);
attr attr_word(attr_id id, const char *name);
attr attr_elem(attr_id id, elem e);
attr attr_literal(elem e, int n, const void *data); // `value`; the data is borrowed until a node copies it
attr attr_flag(attr_id id);
attr attr_ints(arena *a, attr_id id, int n, const int64_t *v);
attr attr_dims(arena *a, attr_id id, int n, const dim *v);

// Is it a number of the call? Such an input is passed with the call's sizes, not in the arena.
bool input_of_call(const node *n);
// The type of the number of the call with this name; false: there is none.
bool number_of_call(const char *name, type *out);

// --- States (state.c)

bool node_is_state(const node *n); // a trainable constant?
// Is it a state that begins as zeros? It takes no bytes of the weights. Its `at` is still its offset in the states.
bool node_is_zero_state(const node *n);
// The operand of `n` that its yield `yield` writes (0 for an op that is no region); -1: it writes none.
int node_writes(const node *n, int yield);
// How many of n's yields write state c.
int node_assigns(const node *n, value c);
// Does it write a state? Such a node is never dead.
bool node_has_effect(const node *n);
// The state whose bytes hold v, because v's node writes it; VALUE_NONE: none.
value graph_state_of(const graph *g, value v);
bool graph_has_effect(const graph *g);
// The value of the node that writes state c; VALUE_NONE: none does.
value graph_writer_of(const graph *g, value c);

double literal_number(const attr *a, int i);              // element i of a literal, as a number
bool value_is_scalar(const graph *g, value v, double *x); // a literal of one element?
bool node_is_constant(const node *n);
// How many values the body of a region yields; 1 for any other node.
static inline int node_yield_count(const node *n) {
    return n->body ? n->body->output_count : 1;
}
// For a `result`, which yield of its operand it is; 0 for any other node.
static inline int node_result_index(const node *n) {
    return n->op == OP_result ? (int)node_attr(n, ATTR_index)->u.i : 0;
}
// The largest value of each symbol in a call of the variant; T, S and R are rounded up to whole row tiles.
bindings variant_most(const variant *x);

#endif
