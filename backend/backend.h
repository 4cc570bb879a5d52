// Graph to machine code, through LLVM's C API. The one public header of backend/.
#ifndef BERTC_BACKEND_H
#define BERTC_BACKEND_H

#include "ir/ir.h"
#include "runtime/abi.h"

// Everything that an artefact is made from.
typedef struct artefact {
    const module *module;  // its graphs with variants, scheduled and planned
    const target *targets; // one for each ISA; variant.isa names it
    int target_count;
    const tensor_source *source;
    const void *tokenizer, *task;
    size_t tokenizer_bytes, task_bytes;
    const char *json;
    int64_t vocab_size, type_vocab_size, position_count;
    bertc_position_rule position_rule;
    int32_t position_start, pad_id;
    bertc_rule global_rule;        // of the input `global`
    int32_t sep_id;                // read by BERTC_RULE_BEFORE
    const progress_hook *progress; // called at each stage; NULL: none
} artefact;

// Fills in a target. triple NULL: the host's. mcpu: "native", an LLVM name (x86-64-v3, znver4,
// sapphirerapids, ...), or a level (generic, avx2, avx512vnni, ...). False for unknown ones, and where the
// level has no code of that precision. mcpu NULL: native, or "generic" of another architecture.
bool target_init(target *t, const char *triple, const char *mcpu, precision p, diag *d);
// Is it a level (target.isa) of this machine's architecture?
bool target_is_level(const char *name);
// The arithmetic classes of all levels, "f32, avx2, vnni": writes them to list[size]. Is `class` one of them?
bool target_is_class(const char *class, char *list, size_t size);
// The levels of `--mcpu portable`, ascending: all of the triple's architecture (NULL: the host's) from avx2, or neon,
// on that have code of the precision. How many; where there is none, the lowest level, of which target_init says
// what is missing.
#define TARGET_MOST_LEVELS 8
int target_portable(const char *triple, precision p, const char *names[TARGET_MOST_LEVELS]);
// Makes the target that of the lowest level whose code for the graph, which is of its class and fused, would be
// equal: several levels share that code. Its tuning stays.
void target_settle(target *t, const graph *g);
// Lists what `--mcpu` and `--target` take: for each triple its levels, best first, with what runs here and why
// another does not, and its CPUs.
void target_list(FILE *out);

// What values of the input v must be below: rows of the smallest table that they pick rows of. 0: they pick
// none.
int64_t backend_input_limit(const graph *g, value v);

// "22.1.2": the LLVM that makes the code.
const char *backend_llvm_version(void);

typedef enum emit_kind { EMIT_SO, EMIT_OBJ, EMIT_ASM, EMIT_LLVM, EMIT_HEADER } emit_kind;

typedef struct backend_times {
    // Seconds. Of `optimise` and `codegen` those of all threads, which took `code` of the clock's.
    double emit, optimise, codegen, code, weights, link;
    int threads; // that made code
    int64_t code_bytes, artefact_bytes;
    long linker_peak_kb;
} backend_times;

typedef struct emit_options {
    emit_kind kind;
    const char *output;
    const char *linker; // NULL: ld.lld, ld or cc, whichever is there
    int optimise;       // 0..3; 2 by default
    int threads;        // that compile modules; 0: 2. The bytes are the same
    // Called when the file is whole, with its figures, before it becomes the output; false, with a diagnostic:
    // it does not. NULL: nobody looks.
    bool (*ready)(void *user, const backend_times *times, diag *d);
    void *user;
} emit_options;
// Writes the artefact, whole or not at all (ir/output_file.h).
bool backend_write(const artefact *a, const emit_options *o, backend_times *times, diag *d);

// JIT: code and packed weights in this process's memory, for bertc_load_memory.
typedef struct jit jit;
jit *backend_jit(const artefact *a, int optimise, backend_times *times, diag *d);
const void *jit_descriptor(const jit *j);
const void *jit_weights(const jit *j);
// Gives the memory of the states' first values back to the system: for when all sessions that there will be are open.
void jit_drop_states(jit *j);
void jit_free(jit *j);

#endif
