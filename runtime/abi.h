// The one contract between generated code and everything else. Version it with BERTC_ABI_VERSION.
//
// An artefact is an ELF shared object (or JIT memory) with one exported symbol, `bertc_artefact`: a
// bertc_descriptor. Everything in it is reached by 64-bit offsets in bytes from the descriptor's first byte
// (`bertc_off`; 0: absent), so that it needs no relocation. All of it is read-only. Little-endian. Strings
// end in NUL.
#ifndef BERTC_ABI_H
#define BERTC_ABI_H

#include <stdint.h>

#include "runtime/abi_task.h"
#include "runtime/abi_tokenizer.h"

#define BERTC_ABI_VERSION 9u
#define BERTC_MAGIC       "BERTCart"
#define BERTC_SYMBOL      "bertc_artefact"

// What a descriptor may hold at most. The loader refuses more, so the compiler says which node it is that needs it.
#define BERTC_INPUTS_MAX   32u
#define BERTC_OUTPUTS_MAX  4096u
#define BERTC_VARIANTS_MAX 256u
#define BERTC_PHASES_MAX   ((uint32_t)1 << 16) // of a variant
#define BERTC_ARGS_MAX     64u                 // of a phase
#define BERTC_TASKS_MAX    ((int64_t)1 << 30)  // of a phase
#define BERTC_TOKENS_MAX   ((int64_t)1 << 28)  // of a variant's capacity: length x batch
#define BERTC_ROW_TILE_MAX 4096
#define BERTC_ARENA_MAX    ((int64_t)1 << 46) // bytes
#define BERTC_SCRATCH_MAX  ((int64_t)1 << 34) // bytes, a thread
#define BERTC_ELEMENTS_MAX ((int64_t)1 << 40) // of an output, in a leading row
#define BERTC_LABELS_MAX   ((uint32_t)1 << 20)
#define BERTC_PROMPTS_MAX  4096u
#define BERTC_PARTS_MAX    ((uint32_t)1 << 20) // of parameters

typedef int64_t bertc_off;

// CPU features that code may need (bits of bertc_variant.features); x86-64's are below 32. Macros, for enumerators
// have 31 bits.
#define BERTC_BIT(bit)           (UINT64_C(1) << (bit))
#define BERTC_FEATURE_AVX        BERTC_BIT(0)
#define BERTC_FEATURE_AVX2       BERTC_BIT(1)
#define BERTC_FEATURE_FMA        BERTC_BIT(2)
#define BERTC_FEATURE_F16C       BERTC_BIT(3)
#define BERTC_FEATURE_AVX512F    BERTC_BIT(4)
#define BERTC_FEATURE_AVX512BW   BERTC_BIT(5)
#define BERTC_FEATURE_AVX512CD   BERTC_BIT(6)
#define BERTC_FEATURE_AVX512DQ   BERTC_BIT(7)
#define BERTC_FEATURE_AVX512VL   BERTC_BIT(8)
#define BERTC_FEATURE_AVX512VNNI BERTC_BIT(9)
#define BERTC_FEATURE_AVX512BF16 BERTC_BIT(10)
#define BERTC_FEATURE_AVX512VBMI BERTC_BIT(11)
#define BERTC_FEATURE_AMX_TILE   BERTC_BIT(12)
#define BERTC_FEATURE_AMX_INT8   BERTC_BIT(13)
#define BERTC_FEATURE_AMX_BF16   BERTC_BIT(14)
#define BERTC_FEATURE_NEON       BERTC_BIT(15)
#define BERTC_FEATURE_SSE4_2     BERTC_BIT(16)
#define BERTC_FEATURE_AVXVNNI    BERTC_BIT(17)
#define BERTC_FEATURE_AVX512FP16 BERTC_BIT(18)
#define BERTC_FEATURE_AMX_FP16   BERTC_BIT(19)
#define BERTC_FEATURE_AVX10_1    BERTC_BIT(20)
#define BERTC_FEATURE_AVX10_2    BERTC_BIT(21)
#define BERTC_FEATURE_DOTPROD    BERTC_BIT(32)
#define BERTC_FEATURE_I8MM       BERTC_BIT(33)
#define BERTC_FEATURE_BF16       BERTC_BIT(34)
#define BERTC_FEATURE_FULLFP16   BERTC_BIT(35)
#define BERTC_FEATURE_SVE        BERTC_BIT(36)
#define BERTC_FEATURE_SVE2       BERTC_BIT(37)
#define BERTC_FEATURE_SME        BERTC_BIT(38)
// Their names, which are LLVM's.
// clang-format off
#define BERTC_FEATURE_LIST(X)                                                                                          \
    X(AVX, "avx") X(AVX2, "avx2") X(FMA, "fma") X(F16C, "f16c") X(AVX512F, "avx512f")                                  \
    X(AVX512BW, "avx512bw") X(AVX512CD, "avx512cd") X(AVX512DQ, "avx512dq") X(AVX512VL, "avx512vl")                    \
    X(AVX512VNNI, "avx512vnni") X(AVX512BF16, "avx512bf16") X(AVX512VBMI, "avx512vbmi")                                \
    X(AMX_TILE, "amx-tile") X(AMX_INT8, "amx-int8") X(AMX_BF16, "amx-bf16") X(NEON, "neon")                            \
    X(SSE4_2, "sse4.2") X(AVXVNNI, "avxvnni") X(AVX512FP16, "avx512fp16") X(AMX_FP16, "amx-fp16")                      \
    X(AVX10_1, "avx10.1") X(AVX10_2, "avx10.2") X(DOTPROD, "dotprod") X(I8MM, "i8mm") X(BF16, "bf16")                  \
    X(FULLFP16, "fullfp16") X(SVE, "sve") X(SVE2, "sve2") X(SME, "sme")
// clang-format on

// --- What a kernel sees.

// The sizes of one call, and the numbers that the caller gives with it. The runtime fills it in before the first
// phase.
typedef struct bertc_call {
    int64_t tokens, sequences, rows; // T, S, R: present in this call
    const int32_t *bounds;           // [S+1]
    const int32_t *row_bounds;       // [S+1]; NULL where no head reads rows
    // Inputs that are numbers: 0 where the caller gives none. A later version appends.
    int32_t step, seed[2];
    float rate;
    // keep: what is left of the gradients of before, 0 or 1; scale: of the loss; clip: the largest norm of all gradients, 0:
    // any.
    float keep, scale, clip;
} bertc_call;

// These inputs: name, field, bertc_elem, numbers. The port of one leads with BERTC_NUMBER, and no variant has a
// slot for it.
#define BERTC_CALL_LIST(X)                                                                                   \
    X("step", step, BERTC_I32, 1)                                                                            \
    X("seed", seed, BERTC_I32, 2)                                                                            \
    X("rate", rate, BERTC_F32, 1)                                                                            \
    X("keep", keep, BERTC_F32, 1) X("scale", scale, BERTC_F32, 1) X("clip", clip, BERTC_F32, 1)

// One task of one phase.
//   args         one address for each argument of the phase: the node's operands in order, then its results
//   scratch      bertc_variant.scratch_bytes of this thread, aligned to 64
//   next         weights that this thread will stream in a later phase, for the kernel to prefetch; `next_bytes` of
//                them. 0 bytes but for the last task that the thread is expected to run in this phase.
typedef void (*bertc_kernel)(void *const *args, const bertc_call *call, int64_t task, void *scratch,
                             const void *next, int64_t next_bytes);

// What a thread calls before its first and after its last task (bertc_variant.enter, .leave), to set up and to give back
// state of its own, as AMX's tiles. On the session's own threads: of a call, or where it has a hook, of a phase. Under the
// caller's parallel_for: each body, of a phase. A thread that gets no task calls neither.
typedef void (*bertc_thread_call)(void);

// --- The descriptor.

// Ports have the first two; tensors of a checkpoint may have the others.
typedef enum bertc_elem {
    BERTC_F32 = 0,
    BERTC_I32 = 1,
    BERTC_F16 = 2,
    BERTC_BF16 = 3,
    BERTC_F8_E4M3 = 4,
    BERTC_F8_E5M2 = 5
} bertc_elem;
typedef enum bertc_symbol { BERTC_NUMBER = 0, BERTC_T, BERTC_S, BERTC_R, BERTC_M } bertc_symbol;

// What an input holds where the caller gives none.
typedef enum bertc_rule {
    BERTC_RULE_ZERO = 0,
    BERTC_RULE_FIRST,  // 1 in column 0, else 0
    BERTC_RULE_BEFORE, // 1 before the first token whose id is rule_id, else 0
    BERTC_RULE_ONE,    // 1
    BERTC_RULE_COUNT
} bertc_rule;

// A graph input or output: an array of `leading` rows; each row has shape[0] x ... x shape[rank - 1]
// elements. Of an output BERTC_NUMBER leads where it is one row for the whole call, as a loss. Where `ragged` is set, the last axis (M) is the key's position in its text and is stored with
// bertc_variant.length columns.
typedef struct bertc_port {
    bertc_off name;   // input: one of BERTC_INPUT_LIST; output: Transformers' name
    uint32_t elem;    // bertc_elem
    uint32_t leading; // bertc_symbol: T, S or R
    uint32_t rank;    // without the leading axis
    uint32_t ragged;  // 1: the last axis is M
    // output: 1 where it is computed from each text's first row (the CLS token), so that the mask must show
    // column 0. Never 1 in a model with the input `mask`.
    uint32_t reads_first;
    uint32_t rule; // input: bertc_rule
    int32_t rule_id;
    uint32_t reserved;
    int64_t limit;    // input: its values are in [0, limit); 0: any
    int64_t shape[4]; // the other axes; a ragged one holds 0
    // input: 1 where it is none of BERTC_INPUT_LIST but a target, which training holds the outputs against. It may be
    // BERTC_F32, and have further axes.
    uint32_t target;
    uint32_t reserved_too;
} bertc_port;

// Inputs of a model, all i32: [T], rows [R], bounds and row_bounds [S+1]. A model with `mask` reads hidden
// tokens too: a text of a grid is then all of its row's columns, and the mask is a value.
// clang-format off
#define BERTC_INPUT_LIST(X)                                                                                            \
    X(IDS, "ids") X(TYPES, "types") X(POSITIONS, "positions") X(BOUNDS, "bounds") X(ROWS, "rows")                      \
    X(ROW_BOUNDS, "row_bounds") X(COLUMNS, "columns") /* in the caller's grid */                                       \
    X(TASKS, "tasks") X(GLOBAL, "global") /* 1: attends to all, and all to it */                                       \
    X(PROMPT, "prompt") /* 1: of a prompt, and not pooled */                                                           \
    X(BOX_LEFT, "box_left") X(BOX_TOP, "box_top") X(BOX_RIGHT, "box_right") X(BOX_BOTTOM, "box_bottom")                \
    X(BOX_HEIGHT, "box_height") X(BOX_WIDTH, "box_width") X(MASK, "mask") /* 1: shown */
// clang-format on

// Where a port lies in a variant's arena.
typedef struct bertc_slot {
    int64_t offset; // bytes, a multiple of 64; -1: the variant does not read this input
    // Elements from one row to the next; a row is the last axis. Rank 0: dense, ld is not read.
    int64_t ld;
} bertc_slot;

typedef enum bertc_arg_kind {
    BERTC_ARG_WEIGHT = 0,
    BERTC_ARG_ARENA = 1,
    BERTC_ARG_STATE = 2, // in the session's states
    BERTC_ARG_CALL = 3   // in bertc_call
} bertc_arg_kind;
typedef struct bertc_arg {
    uint64_t kind; // bertc_arg_kind
    int64_t offset;
} bertc_arg;

// One phase. It has ceil(size of `dim` / unit) * inner tasks, numbered from 0, which may run in any order
// on any thread. A barrier follows it.
typedef struct bertc_phase {
    bertc_off name;   // of the node, "layer.0.attention.output"
    bertc_off kernel; // code
    bertc_off args;   // bertc_arg[arg_count]
    uint32_t arg_count;
    uint32_t result_count; // the last ones: what the kernel writes, at least 1
    uint32_t dim;          // bertc_symbol: T, S or R
    uint32_t reserved;
    int64_t unit;  // rows of a task
    int64_t inner; // tasks of a unit
    // What a task reads before its own prefetches arrive: `stream_bytes` (0: nothing) of argument number
    // `stream`, a weight, from byte (task % inner) * stream_step on.
    int64_t stream, stream_step, stream_bytes;
    int64_t node; // the value in the graph whose results are complete after this phase; -1: they are not yet
    // Work, for profiles: flops = flops_call + flops_row * size of `dim` + flops_pair * (sum of the squares
    // of the sequences' lengths).
    double flops_call, flops_row, flops_pair;
    // Bytes read and written: weight_bytes (read once a call) + row_bytes * size of `dim` + token_bytes * T +
    // pair_bytes * (that sum).
    int64_t weight_bytes, row_bytes, token_bytes, pair_bytes;
} bertc_phase;

#define BERTC_THREAD_CLASSES 4 // 1, 2, 3-8, more
typedef struct bertc_variant {
    bertc_off name;    // "avx512_s128"
    bertc_off isa;     // "avx512", the level of its code
    uint64_t features; // BERTC_FEATURE_*, the same for all of one level
    uint32_t rank;     // of the level: the highest one that a CPU has is run
    uint32_t reserved;
    int64_t length, sequences, tokens; // longest text, most texts, most tokens of a call
    int64_t arena_bytes;               // zeroed once when the session opens; aligned to 64
    int64_t scratch_bytes;             // a thread
    int64_t row_tile;                  // the arena has rows up to the next multiple; kernels may compute them
    bertc_off inputs;                  // bertc_slot[descriptor.input_count]
    bertc_off outputs;                 // bertc_slot[descriptor.output_count]
    bertc_off phases[BERTC_THREAD_CLASSES]; // bertc_phase[phase_count[class]]
    uint32_t phase_count[BERTC_THREAD_CLASSES];
    bertc_off class_name;   // of its graph's arithmetic class: "f32"
    bertc_off enter, leave; // code (bertc_thread_call); 0: none
    // The phases [0, forward) give the outputs that no update makes, [forward, backward) add up the gradients, and the
    // others change the parameters. Both 0: the phases have no parts, and run all.
    uint32_t forward[BERTC_THREAD_CLASSES], backward[BERTC_THREAD_CLASSES];
} bertc_variant;

// A parameter: a part of a tensor of the checkpoint, and where it lies in the session's states. The rows of one
// tensor follow each other and hold all of its elements.
typedef struct bertc_parameter_part {
    bertc_off name; // of the tensor in the checkpoint
    uint32_t elem;  // of the tensor there, a bertc_elem; states are f32
    uint32_t rank;
    int64_t shape[6]; // of the tensor
    // The part is a matrix. Its element (i, j) is, in row-major order, number first + i * columns + j of the
    // tensor, or, where `transposed`, number first + j * rows + i.
    int64_t first, rows, columns;
    // It lies from (row, column) on in a matrix of state_rows x state_columns f32, from byte `offset` of the states
    // on: row-major, or, where `packed`, in panels [state_columns / 16][state_rows][16], the last one filled with
    // zeros.
    int64_t offset, state_rows, state_columns, row, column;
    uint32_t transposed, packed;
    // 1: the tensor is in no checkpoint. It begins as zeros and belongs to training: "gradient.NAME", "exp_avg.NAME".
    // Such rows stand behind the others.
    uint32_t zeros;
    uint32_t reserved;
} bertc_parameter_part;

// The arrays of the descriptor. A later version appends fields to a row, or rows to this list; it changes
// neither what is there nor its order. A reader copies each row into a struct of its own: what the file's row
// lacks is 0, what it has more is skipped. `least`: bytes of a row when it came, which every file has; it never
// changes.
// clang-format off
#define BERTC_ROW_LIST(X)                                                                                              \
    /* name  row            least */                                                                                   \
    X(PORT,    bertc_port,    80)                                                                      \
    X(SLOT,    bertc_slot,    16)                                                                      \
    X(ARG,     bertc_arg,     16)                                                                       \
    X(PHASE,   bertc_phase,   144)                                                                     \
    X(VARIANT, bertc_variant, 168)                                                                   \
    X(PARAMETER, bertc_parameter_part, 136)
// clang-format on
typedef enum bertc_row {
#define X(name, row, least) BERTC_ROW_##name,
    BERTC_ROW_LIST(X)
#undef X
        BERTC_ROW_COUNT
} bertc_row;
#define BERTC_ROW_ROOM      16 // rows that the list may come to
#define BERTC_ROW_BYTES_MAX 4096

// What a reader must know to run the artefact, where skipping an unknown field would give wrong answers
// (bits of bertc_descriptor.required): X(name, bit, text).
//   training    numbers of the call behind `rate`, targets, parts of a call, outputs of the whole call, zero_bytes
#define BERTC_REQUIRES_LIST(X)  X(TRAINING, 0, "training")
#define BERTC_REQUIRES_TRAINING BERTC_BIT(0)

typedef enum bertc_position_rule {
    BERTC_POSITION_COLUMN = 0, // the column in the caller's grid, plus position_start
    // position_start + the number of ids left of it that are not pad_id; pads get pad_id
    BERTC_POSITION_COUNT = 1
} bertc_position_rule;

typedef struct bertc_descriptor {
    char magic[8]; // BERTC_MAGIC, no NUL
    uint32_t abi_version;
    uint32_t size;    // of this struct: a later version has more
    uint32_t machine; // ELF e_machine
    uint32_t input_count, output_count, variant_count;
    bertc_off inputs, outputs; // bertc_port[]
    bertc_off variants;        // bertc_variant[], by falling rank, ascending by tokens within one
    bertc_off weights;
    int64_t weights_bytes;
    // limits that the caller's ids are held against
    int64_t vocab_size, type_vocab_size, position_count;
    uint32_t position_rule;
    int32_t position_start, pad_id;
    uint32_t reserved;
    bertc_off tokenizer; // bertc_tokenizer, see abi_tokenizer.h
    int64_t tokenizer_bytes;
    bertc_off task; // bertc_task, see abi_task.h
    int64_t task_bytes;
    bertc_off json;     // for people and `inspect`
    int64_t json_bytes; // with its NUL
    // Of the file without the weights, and of the weights (abi_checksum.h); 0: none, as in memory and in an
    // object that is linked by hand.
    uint64_t checksum, weights_checksum;
    uint32_t row_bytes[BERTC_ROW_ROOM]; // by bertc_row: from one row of such an array to the next
    uint64_t required;                  // BERTC_REQUIRES_*
    // Names of the bits of `required`, from the lowest on, with commas between.
    bertc_off required_names;
    // The states: a session has a copy of the first state_bytes of the weights, which its calls change.
    int64_t state_bytes;
    bertc_off parameters; // bertc_parameter_part[parameter_count]
    uint32_t parameter_count;
    uint32_t updates; // 1: a call changes the states
    // Of a session's states behind those state_bytes: they begin as zeros, and are not in the weights.
    int64_t zero_bytes;
} bertc_descriptor;
#define BERTC_DESCRIPTOR_LEAST 280u // bytes that every file's has

// The value of row_bytes for rows as this version has them.
#define BERTC_ROW_BYTES_ONE(name, row, least) [BERTC_ROW_##name] = sizeof(row),
#define BERTC_ROW_BYTES                       {BERTC_ROW_LIST(BERTC_ROW_BYTES_ONE)}

#endif
