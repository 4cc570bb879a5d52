// libbertc: loads what `bertc compile` wrote, and runs it. The one public header of the runtime.
//
// A model is immutable and may be shared by any number of sessions on any threads. A session owns its arena
// and its threads and serves one call at a time; calls on different sessions never wait for each other. After
// opening, neither ids nor text (up to max_text_bytes) allocate. What a call returns lives in the session
// until its next call. A call on a session that is in one already is an error.
//
// After a fork a child may use its parent's models, open sessions of its own, and use and close its copies of
// the parent's sessions, which then run on the caller alone and leave the parent's threads alone. Only a
// session that was in a call on another thread when the process forked is of no more use in the child: a
// call is an error there, and bertc_close gives back what it can.
//
// A session's threads block the application's signals, but for those of faults and profilers (SIGSEGV,
// SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF), whose handlers then run on them.
//
// An argument that can't be meant (NULL where something is needed, a negative count, a number that is none of
// an enumeration) is an error that names it; functions that return no error give NULL, false or 0.
//
// What a text may cost is bounded, whatever the tokenizer's files say: its normaliser may make 16 bytes a byte
// of it and 65536, and patterns and look-ups may do some 10^8 steps of work and 256 a byte. Beyond that the call
// is an error that names the step.
#ifndef BERTC_H
#define BERTC_H

#include "bertc_base.h"
#include "bertc_task.h"
#include "bertc_text.h"

#ifdef __cplusplus
extern "C" {
#endif

// --- Models. All functions that can fail return false (or NULL) and fill *error (which may be NULL).

// Loads an artefact. Everything is checked on the file before its code is mapped: its structure, and that its
// metadata, tables and code are what the compiler wrote (a checksum). Nothing of the weights is read. The model
// keeps the file mapped: replace an artefact by renaming another over it, never by writing into it.
BERTC_API bertc_model *bertc_load(const char *path, bertc_error *error);
typedef struct bertc_load_options {
    size_t size;
    bool check_weights; // hold the weights against their checksum too: reads them all
} bertc_load_options;
#define BERTC_LOAD_OPTIONS_INIT BERTC_INIT(bertc_load_options)
// The same with options; NULL: bertc_load.
BERTC_API bertc_model *bertc_load_with(const char *path, const bertc_load_options *options,
                                       bertc_error *error);
// A descriptor in memory (JIT); `weights` (aligned to 64) overrides the descriptor's offset where not NULL.
// The caller keeps both alive. Offsets are taken at their word: for descriptors that can be trusted.
BERTC_API bertc_model *bertc_load_memory(const void *descriptor, const void *weights, bertc_error *error);
BERTC_API void bertc_unload(bertc_model *model); // after its sessions are closed
BERTC_API const char *bertc_model_json(const bertc_model *model);
BERTC_API const char *bertc_version(void);
// CPUs that this process may use (affinity, cgroup): what `threads` may sensibly be at most.
BERTC_API int bertc_cpu_count(void);

typedef struct bertc_model_info {
    size_t size;
    int task; // bertc_task_kind
    bool has_tokenizer;
    int label_count, output_count, variant_count, prompt_count;
    int default_prompt; // goes before a text where none is asked for; -1: none
    int64_t max_length; // tokens of the longest text that fits
    // How many texts of max_length fit in one call of the largest variant. Shorter ones are packed: more of
    // them fit.
    int64_t max_batch;
    int64_t weight_bytes;
    // Of the levels (bertc_level) that this CPU can run, best first, "avx512,avx2": the first is used.
    const char *isa_names;
    // Of an embedding: how many numbers an answer has where nothing else is asked for (0: the model gives no
    // embeddings), how many it can have, and how two of them are compared (bertc_similarity).
    int embedding_size, embedding_width, similarity;
    // The first so many prompts are the model's own; behind them are the empty `query` and `document` that
    // every model with embeddings has.
    int own_prompt_count;
    int64_t state_bytes;  // that each session has of its own: parameters that calls change
    int64_t vector_width; // of the vectors that tokens get (then `similarity` is theirs); 0: they get none
    int64_t sparse_width; // of sparse weights: the vocabulary's size; 0: the model gives none
} bertc_model_info;
#define BERTC_MODEL_INFO_INIT BERTC_INIT(bertc_model_info)
BERTC_API bool bertc_model_describe(const bertc_model *model, bertc_model_info *info, bertc_error *error);
// The levels of instruction sets that the artefact has code for ("avx512"), by falling rank; NULL: there is none.
// *lack: why this process does not run it ("amx-tile, which this machine lacks"); NULL: it could. The first that
// could is used, for all calls. BERTC_ISA in the environment names the level to use at loading; where it can't be,
// loading fails.
BERTC_API const char *bertc_level(const bertc_model *model, int index, int *rank, const char **lack);
BERTC_API const char *bertc_label(const bertc_model *model, int index); // NULL: there is none
// The name of a prompt; *text is its text. NULL: there is none.
BERTC_API const char *bertc_prompt(const bertc_model *model, int index, const char **text);
BERTC_API const char *bertc_output_name(const bertc_model *model, int index);
// Whether it is made from each text's first row (the CLS token): a mask must then show column 0 where it is
// asked for.
BERTC_API bool bertc_output_reads_first(const bertc_model *model, int index);

// --- Sessions

// Calls body(context, i) for i in [0, n), in any order, on any threads, and returns when all are done. A call of a
// session calls this once for each of its phases, one after the other: one or two for each kernel that `bertc inspect` lists,
// 5 kernels a layer. n is the session's threads, or the tasks of the phase where these are fewer; a phase with one task runs on
// the caller without it. So each phase costs what your pool takes to hand out n bodies and to wait for them. On a two-core AMD
// EPYC mini-sst2 (25 kernels) takes 155 microseconds for a short text with the session's own threads, 155 with a pool that
// spins, and 340 with one whose threads sleep between phases (examples/pool.c prints all three). The bits are the same.
typedef void (*bertc_parallel_for)(void *user, int64_t n, void (*body)(void *context, int64_t i),
                                   void *context);
// What a session's hook sees after each phase of each call; `result` is the node's value in the arena.
typedef struct bertc_phase_event {
    int index;
    const char *name;
    int64_t node;       // value in the graph, -1: not complete yet
    const void *result; // first element
    double seconds, flops;
    int64_t bytes;        // read and written, by the kernel's own account
    int64_t weight_bytes; // of these, weights
    // All of the node's values, by their first elements: `result`, then its other yields that are read, ascending.
    int result_count;
    const void *const *results;
} bertc_phase_event;
typedef void (*bertc_phase_hook)(void *user, const bertc_phase_event *event);

typedef struct bertc_session_options {
    size_t size;
    // The calling thread and threads - 1 of the session's own; 0: 1. Exactly that many: they inherit the
    // affinity of the thread that opens, are not pinned, and where there are more of them than
    // bertc_cpu_count() they sleep at once instead of spinning when they wait. With `parallel`, how many of
    // its bodies may run at the same time.
    int threads;
    bertc_parallel_for parallel; // NULL: the session's own threads
    void *parallel_user;
    size_t max_text_bytes; // 0: 65536
    bertc_phase_hook hook; // NULL: none; called on the calling thread after each phase
    void *hook_user;
    bool huge_pages; // ask for 2 MB pages for a copy of the weights (costs the copy at opening)
} bertc_session_options;
#define BERTC_SESSION_OPTIONS_INIT BERTC_INIT(bertc_session_options)
BERTC_API bertc_session *bertc_open(bertc_model *model, const bertc_session_options *options,
                                    bertc_error *error);
BERTC_API void bertc_close(bertc_session *session);

// --- Ids in, tensors out

typedef struct bertc_batch {
    size_t size;
    int64_t batch, length; // the grid, of any size: a call that exceeds the largest variant is split
    // [batch, length]. The id of a hidden token is not read, unless the model counts pads to number its
    // positions.
    const int32_t *input_ids;
    // [batch, length]; 0 hides a token. NULL: all are shown. Families that read hidden tokens (ConvBERT,
    // MobileBERT, FNet) compute them too, so the ids of hidden tokens must be valid there.
    const int32_t *attention_mask;
    const int32_t *token_type_ids; // [batch, length]; NULL: zeros
    // For models that have these inputs; an error for others. NULL: the model's own rule.
    const int32_t *position_ids;          // [batch, length]
    const int32_t *task_type_ids;         // [batch, length], ERNIE's; else zeros
    const int32_t *global_attention_mask; // [batch, length], Longformer's
    const int32_t *bbox; // [batch, length, 4]: left, top, right, bottom, LayoutLM's; else zeros
    // Numbers of the call, for graphs that read them.
    int32_t step, seed[2];
    float rate;
} bertc_batch;
#define BERTC_BATCH_INIT BERTC_INIT(bertc_batch)

typedef struct bertc_tensor {
    size_t size;
    const char *name;
    int rank;
    int64_t shape[6];  // on the caller's grid: [batch, length, ...] or [batch, ...]
    const float *data; // row-major; hidden rows zero
} bertc_tensor;
#define BERTC_TENSOR_INIT BERTC_INIT(bertc_tensor)

// Bytes of output `index` for that grid, so that the caller can hand buffers in.
BERTC_API size_t bertc_output_bytes(const bertc_model *model, int index, int64_t batch, int64_t length);
// Runs; writes each output i whose buffers[i] is not NULL on the caller's grid, and describes it in
// tensors[i] (may be NULL). Numbers are given as they are, NaN and infinity too.
BERTC_API bool bertc_run(bertc_session *session, const bertc_batch *in, float *const *buffers,
                         bertc_tensor *tensors, bertc_error *error);

// --- Parameters: what calls of a model with states change (a graph that trains). Each session has values of its
// own, which begin as those of the artefact; a child of a fork has its own copy. A batch of such a model must fit
// into one call of its largest variant. Texts are answered in as many calls as they need, with all numbers 0.

typedef struct bertc_parameter {
    size_t size;
    const char *name; // of the checkpoint's tensor
    int rank;
    int64_t shape[6], count; // as in the checkpoint; count: all elements
} bertc_parameter;
#define BERTC_PARAMETER_INIT BERTC_INIT(bertc_parameter)
BERTC_API int bertc_parameter_count(const bertc_model *model);
BERTC_API bool bertc_parameter_describe(const bertc_model *model, int index, bertc_parameter *out,
                                        bertc_error *error);
// The session's value of a parameter, `count` numbers row-major in the checkpoint's shape; and another one in its
// place.
BERTC_API bool bertc_parameter_read(bertc_session *session, int index, float *data, bertc_error *error);
BERTC_API bool bertc_parameter_write(bertc_session *session, int index, const float *data,
                                     bertc_error *error);

#ifdef __cplusplus
}
#endif
#endif
