// The graph: an array of nodes in topological order. A value is the index of the node that computes it. A
// region (the body of `fuse` and `per_sequence`) is a graph too. Its first nodes are `param`s, one for each
// operand (of `per_sequence`: for each operand after the bounds), in their order; its outputs are the values
// that it yields, one or more. The region's node is the value of yield 0. A node `result` of the region stands
// for each other yield that is read; it computes nothing.
//
// `fuse` is the composition of the ops in its body. It changes no value; it says that they are one kernel.
//
// `per_sequence` (bounds, [row bounds,] x, y, ...) evaluates its body once for each sequence. An operand
// whose leading dimension is T, R or S is cut along it, and its param has L, Q or 1 there; other operands
// (weights) are passed whole. The results of all sequences are concatenated along the leading dimension: L
// becomes T, Q becomes R, 1 becomes S, for each yield by its own leading dimension. Bounds are i32[S+1]:
// sequence s owns rows bounds[s] to bounds[s+1] - 1.
//
// Inputs of a model's graph, by name: ids, types, positions i32[T]; bounds i32[S+1]; and, where a head reads
// chosen rows, rows i32[R] (indices into T, ascending) with row_bounds i32[S+1]. Numbers of the call: step i32[],
// seed i32[2], and f32[]: rate, keep (what is left of the gradients of before: 0 or 1), scale (of the loss), clip (the
// largest norm of all gradients, or 0).
//
// A constant with `trainable` is a state: a parameter that training changes. `assign` (state, x) gives x and
// writes it into the state, in place, for the calls that follow. A graph stays a graph of values: the constant
// stands for what the state was before the call, the assign's result for what it is afterwards. So each reader
// of the constant stands before the assign. One assign writes a state, at the top level or in a `fuse` that
// yields it; in the fuse's body it writes a param, which pointwise ops alone read. A node that writes a state
// is never dead.
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

// What an op's gradient rule reads, beside types and attributes.
typedef enum gradient_reads {
    NO_GRADIENT = 0, // there is no rule
    READS_NOTHING = 1,
    READS_OPERANDS = 2,
    READS_RESULT = 4,
    READS_BODY = 8 // a region's, whose ops have rules
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
        const void *literal; // elements by themselves (elem_size)
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
    // The longest text, the most texts and the most tokens (length x batch) of one call. A text has a token
    // at least, so sequences = tokens, but where a text's result is wide: then fewer.
    int64_t length, sequences, tokens;
    int64_t row_tile;    // values over T, S or R have room for rows up to its next multiple
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
    int64_t state_bytes;  // of these, the first, which hold the states' initial values
    // Of the states that begin as zeros: they lie behind the others, and not in the weights.
    int64_t zero_bytes;
};

// --- The op table

const char *op_name(op o);
int op_flag_bits(op o);
int op_gradient_reads(op o); // gradient_reads
int op_least_inputs(op o);
int op_most_inputs(op o); // -1: any number
// Finds by name; OP_COUNT / ATTR_COUNT where there is none.
op op_find(const char *name, size_t n);
attr_id attr_find(const char *name, size_t n);
const char *attr_name(attr_id id);
attr_kind attr_kind_of(attr_id id);
// Does the op take this attribute? *required: must it have it?
bool op_takes(op o, attr_id id, bool *required);

// --- Building. Builders append, infer the type (shape.h) and return the value; operands must be of the
// graph. A shape that does not fit is a broken invariant here (assert); graph_try_append reports it instead.

graph *graph_new(arena *a, const char *name);
graph *graph_clone(arena *a, const graph *g);      // a deep copy into another arena, variants included
const char *graph_class(const graph *g);           // "f32", "vnni"
void graph_set_class(graph *g, const char *class); // copies
value graph_input(graph *g, const char *name, type t);
value graph_param(graph *g, const char *name, type t);
value graph_constant_f32(graph *g, const char *name, type t, const float *data); // literal
// A literal of any element type but i1; `data`: elements by themselves (elem_size).
value graph_constant_literal(graph *g, const char *name, type t, const void *data);
value graph_constant_recipe(graph *g, const char *name, const recipe *r);
value graph_scalar(graph *g, double x); // f32[] literal
value graph_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs);
value graph_try_append(graph *g, op o, int n, const value *inputs, int attr_count, const attr *attrs,
                       const char *where, diag *d); // VALUE_NONE where it does not fit
value graph_op1(graph *g, op o, value a);
value graph_op2(graph *g, op o, value a, value b);
value graph_op3(graph *g, op o, value a, value b, value c);
value graph_reshape(graph *g, value a, int rank, const dim *shape);
value graph_transpose(graph *g, value a, int rank, const int64_t *perm);
value graph_slice(graph *g, value a, int rank, const dim *begin, const dim *end);
// fuse or per_sequence over a finished body (params, and an output or more); the node's type is that of yield
// 0, as seen from outside.
value graph_region(graph *g, op o, int n, const value *inputs, graph *body, int bounds);
// The same for operands, attributes and a body that were not checked: VALUE_NONE, with a diagnostic, where
// they don't fit.
value graph_try_region(graph *g, op o, int n, const value *inputs, graph *body, int attr_count,
                       const attr *attrs, const char *where, diag *d);
// Yield `index` of a region: the region itself for 0, else the `result` that is there, or a new one.
value graph_result(graph *g, value region, int index);
// The same; VALUE_NONE where there is none.
value graph_result_find(const graph *g, value region, int index);
void graph_output_add(graph *g, const char *name, value v); // the only way to add one: it keeps the room
void graph_name(graph *g, value v, const char *name);       // copies

static inline node *graph_node(const graph *g, value v) {
    return &g->nodes[v];
}
static inline const type *graph_type(const graph *g, value v) {
    return &g->nodes[v].type;
}
const attr *node_attr(const node *n, attr_id id); // NULL where it has none
void node_set_attr(graph *g, node *n, attr a);    // replaces or adds; copies what the attribute points to
void node_drop_attr(node *n, attr_id id);         // where it has one
attr attr_copy(arena *a, attr x);                 // deep
attr attr_int(attr_id id, int64_t i);
attr attr_float(attr_id id, double f);
attr attr_word(attr_id id, const char *name);
attr attr_elem(attr_id id, elem e);
attr attr_literal(elem e, int n, const void *data); // `value`; borrowed, until a node copies it
attr attr_flag(attr_id id);
attr attr_ints(arena *a, attr_id id, int n, const int64_t *v);
attr attr_dims(arena *a, attr_id id, int n, const dim *v);

// Is it a number of the call? Such an input lies with the call's sizes, in no arena.
bool input_of_call(const node *n);
// The type that a number of the call has by its name; false: no number is called so.
bool number_of_call(const char *name, type *out);

// --- States (state.c)

bool node_is_state(const node *n); // a trainable constant?
// One that begins as zeros? It takes no bytes of the weights; its `at` is its offset in the states all the same.
bool node_is_zero_state(const node *n);
// The operand of `n` that its yield number `yield` (0 of an op that is no region) writes; -1: it writes none.
int node_writes(const node *n, int yield);
// How many of its yields write state c.
int node_assigns(const node *n, value c);
// Does it write a state? Then it is never dead.
bool node_has_effect(const node *n);
// The state in which the value v lies, which its node has written; VALUE_NONE: it lies in none.
value graph_state_of(const graph *g, value v);
bool graph_has_effect(const graph *g);
// The value of the node that writes state c; VALUE_NONE: none does.
value graph_writer_of(const graph *g, value c);

double literal_number(const attr *a, int i);              // element i of a literal, as a number
bool value_is_scalar(const graph *g, value v, double *x); // a literal of one element?
bool node_is_constant(const node *n);
// Of a region, what its body yields; of any other node, 1.
static inline int node_yield_count(const node *n) {
    return n->body ? n->body->output_count : 1;
}
// Of a `result`: which yield of its operand; of any other node, 0.
static inline int node_result_index(const node *n) {
    return n->op == OP_result ? (int)node_attr(n, ATTR_index)->u.i : 0;
}
// The largest value of each symbol in a call of the variant; T, S and R are rounded up to whole row tiles.
bindings variant_most(const variant *x);

#endif
