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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bertc_task.h"

// Structs that an application fills in or hands over to be filled in begin with their size, so that later versions can
// have more fields: bertc_batch b = {BERTC_SIZED(bertc_batch), .batch = 1}, or bertc_result r = BERTC_RESULT_INIT. A
// size that is none is an error that says so. Of an array, the first one's counts for all. Structs without a size
// never change: what is new comes in a new struct or function.
#if defined(__cplusplus) && __cplusplus < 202002L
#define BERTC_SIZED(type) sizeof(type)
#else
#define BERTC_SIZED(type) .size = sizeof(type)
#endif
#ifdef __cplusplus
template <class T> inline T bertc_sized() {
    T sized = {};
    sized.size = sizeof(T);
    return sized;
}
#define BERTC_INIT(type) bertc_sized<type>()
#else
#define BERTC_INIT(type) {BERTC_SIZED(type)}
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BERTC_API __attribute__((visibility("default")))

typedef struct bertc_model bertc_model;
typedef struct bertc_session bertc_session;

typedef struct bertc_error {
    char message[512]; // one line, names the file and the place
} bertc_error;

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

// Calls body(context, i) for i in [0, n), in any order, on any threads, and returns when all are done.
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

// --- Tokenizer

typedef struct bertc_token {
    int32_t id, type;
    uint32_t char_start, char_end; // offsets in its text, in characters (code points)
    uint32_t byte_start, byte_end; // and in bytes
    int32_t text;                  // 0: the first text, 1: the pair, -1: a special token of the template
    int32_t word;                  // index of the pre-token (or of the given word) in its text, -1: special
} bertc_token;

typedef enum bertc_truncation {
    BERTC_TRUNCATE_NEVER = 0, // longer text is an error that says by how much
    BERTC_TRUNCATE_LONGEST_FIRST,
    BERTC_TRUNCATE_ONLY_FIRST,
    BERTC_TRUNCATE_ONLY_SECOND
} bertc_truncation;

// Which end of a text is cut.
typedef enum bertc_truncation_side {
    BERTC_TRUNCATION_DEFAULT = 0, // as the tokenizer's files say; where they don't, the right one
    BERTC_TRUNCATION_RIGHT,       // the first tokens stay
    BERTC_TRUNCATION_LEFT         // the last tokens stay
} bertc_truncation_side;

typedef struct bertc_word {
    uint32_t start, end; // bytes of the text
} bertc_word;

typedef struct bertc_text {
    const char *text;
    size_t size;
    const char *pair; // NULL: none
    size_t pair_size;
    // NULL, or where the text's words are, in order and not overlapping: it is then split there and nowhere
    // else first, as Transformers' is_split_into_words. What lies between words is not read; bertc_token.word
    // is the index here. At most size + 1 of them.
    const bertc_word *words;
    size_t word_count;
} bertc_text;

// Tokens of one text (or pair) with special tokens; bytes that are no UTF-8 count as U+FFFD, as Python's
// errors="replace"; a NUL is a character like any other. max_tokens 0: no limit. The tokens live in the session
// until its next call.
BERTC_API bool bertc_tokenize(bertc_session *session, const bertc_text *text, int64_t max_tokens,
                              bertc_truncation truncation, const bertc_token **tokens, size_t *count,
                              bertc_error *error);
// The same with options, of which max_tokens (0: no limit), truncation, truncation_side and plain_text count;
// NULL: none is set.
struct bertc_text_options;
BERTC_API bool bertc_tokenize_with(bertc_session *session, const bertc_text *text,
                                   const struct bertc_text_options *options, const bertc_token **tokens,
                                   size_t *count, bertc_error *error);
// Text of a token id, as in the vocabulary ("##able").
BERTC_API const char *bertc_token_text(const bertc_model *model, int32_t id);

// --- Tasks: text in, answer out

typedef struct bertc_score {
    const char *label; // or the token's text
    int32_t id;
    float score;
} bertc_score;
typedef struct bertc_entity {
    const char *type;
    float score;
    uint32_t char_start, char_end, byte_start, byte_end;
    // Of BERTC_AGGREGATE_NONE: true, the token's number in its sequence, special tokens counted, and its text in
    // the vocabulary (NULL: it is the unknown token).
    bool single;
    int index;
    const char *token;
} bertc_entity;
typedef struct bertc_answer {
    // Probability, as Transformers' question-answering pipeline has it: over the context's tokens and the CLS
    // token, that of the start times that of the end; spans of the same text count together.
    float score;
    bool found; // false: the context has no answer, which counts as one with bertc_text_options.no_answer
    uint32_t char_start, char_end, byte_start, byte_end; // in the pair (the context); 0 where not found
    float logit_score;                                   // start plus end logit
} bertc_answer;
typedef struct bertc_mask {
    uint32_t char_start, char_end, byte_start, byte_end;
    int text;
    int score_count;
    const bertc_score *scores; // best first
} bertc_mask;

typedef struct bertc_result {
    size_t size;
    int task; // bertc_task_kind: says which of the following are set
    int token_count;
    int window_count; // 1, or in how many windows the text was read
    int score_count;
    const bertc_score *scores; // labels, best first; of a regression in the labels' order
    int entity_count;
    const bertc_entity *entities;
    // For a text with bertc_text.words: one label a word, that of its first token. A word that has no
    // token, or was cut off, has label NULL and id -1. Entities then consist of whole words.
    int word_count;
    const bertc_score *words;
    bertc_answer answer;
    int mask_count;
    const bertc_mask *masks;
    float next_sentence; // probability; -1: no pair. With raw_scores the logit; NaN: no pair
    int embedding_size;
    const float *embedding;
    bool raw_scores; // as the options asked
    // The top_k answers, best first; `answer` is the first.
    int answer_count;
    const bertc_answer *answers;
    bool zero_shot; // `scores` are those of the call's labels (bertc_zero_shot)
    // Of a sparse model: the tokens of the vocabulary whose weight (score) is not 0, the largest first; top_k of them.
    const bertc_score *sparse;
    int sparse_count;
    // Of a model that gives a vector per token: those of the tokens that have one, in their order,
    // [vector_count, vector_width].
    int vector_count, vector_width;
    const float *vectors;
} bertc_result;
#define BERTC_RESULT_INIT BERTC_INIT(bertc_result)

// How the tokens of a text become entities.
typedef enum bertc_aggregation {
    // Whole words, each with the label of its first token. Labels are read as they are meant: B- begins an
    // entity, I- and M- go on with one, E- and L- end one, S- and U- are one; a label without such a mark is
    // whole, "non-toxic" too; "O" alone is outside.
    BERTC_AGGREGATE_WORDS = 0,
    // Transformers' strategies. Words are pieced together by its rules, labels know B- and I- only, an
    // entity's type is what stands behind its label's first dash, and the type "O" is left out.
    BERTC_AGGREGATE_FIRST,   // a word has its first token's label
    BERTC_AGGREGATE_SIMPLE,  // no words: neighbouring tokens of one type
    BERTC_AGGREGATE_AVERAGE, // the label that is best in the mean of the tokens' probabilities
    BERTC_AGGREGATE_MAX,     // the label of the token that is surest
    BERTC_AGGREGATE_NONE     // each token that is not "O" by itself, with its label as it is
} bertc_aggregation;

// What a text is to a model that treats queries and the documents that they look for apart.
typedef enum bertc_role {
    BERTC_ROLE_NONE = 0,
    BERTC_ROLE_QUERY,   // as sentence-transformers' encode_query
    BERTC_ROLE_DOCUMENT // as its encode_document
} bertc_role;

typedef struct bertc_text_options {
    size_t size;
    bertc_truncation truncation;
    int top_k;             // 0: 5 for masks, all labels, 1 answer, all weights that are not 0
    int max_answer_tokens; // 0: 15
    // true: an answer ends where its tokens end. false: it is widened to whole words, as Transformers'
    // align_to_words does; not in scripts that put no spaces between words.
    bool answer_as_tokens;
    // The most tokens of a text, special tokens included. 0, or more than the model takes: what the model
    // takes.
    int64_t max_tokens;
    // true: a longer text is read in windows of max_tokens, and `truncation` is ignored. The pair moves
    // through the windows and the text is repeated in each; without a pair, and for entities, the text
    // moves. How the windows' answers become one:
    //   question       the best spans of all windows, those that read the same together
    //   entities       each token's label in the window where it is farthest from an edge; words for a mask likewise
    //   labels, values, next_sentence    the mean of the logits
    //   embedding      the mean of the embeddings; its length is made 1 again where that of each window is 1
    //   sparse         each token's largest weight
    // Texts of BERTC_TASK_VECTORS and BERTC_TASK_SEVERAL, and those of bertc_zero_shot, are not read in windows: an error.
    // A mean weights each window by its number of tokens of the moving text.
    bool windows;
    int stride; // tokens that neighbouring windows share; 0: 128, at most half of what moves; -1: none
    // For embeddings and labels: a prompt that is put before each text (not before its pair), in every
    // window. `prompt_name`: the model's prompt of that name; `prompt`: the prompt itself, "" for none.
    // Both NULL: that of the role, else the model's default prompt, where it has one.
    const char *prompt_name, *prompt;
    // true: scores are logits, as the head gives them, of labels, entities, answers, words for masks and
    // next_sentence. What is chosen, and its order, is the same. An entity's is the mean over its words.
    bool raw_scores;
    bertc_aggregation aggregation; // of entities. Texts with words of their own have BERTC_AGGREGATE_WORDS
    // Question answering: that the context holds no answer is an answer too, of the CLS token's score, as with
    // Transformers' handle_impossible_answer.
    bool no_answer;
    // Of an embedding: how many of its first numbers are the answer (0: what the model says, else all), and
    // whether these are made of length 1.
    int dimensions;
    bool normalize;
    bertc_truncation_side truncation_side;
    // true: text never becomes a special token ([SEP], </s>, [MASK], ...), whoever wrote it, prompts neither.
    // For texts of people who are not trusted.
    bool plain_text;
    // bertc_role, of models that give embeddings, sparse weights or vectors. Where no prompt is asked for, it picks one:
    // `query`, or the first of `document`, `passage` and `corpus` that the model has. With vectors it also picks the
    // marker, the length, and which tokens get none; with sparse weights it may say that a query's are those of its
    // tokens alone. (64 bits: earlier versions end with unused bytes here.)
    int64_t role;
} bertc_text_options;
#define BERTC_TEXT_OPTIONS_INIT BERTC_INIT(bertc_text_options)

// Answers `count` texts; results[i] for texts[i]. An error is about one text, and none is answered then. An
// answer with a number that is not finite is such an error, and so is a text without a mask token where words
// for one are all that can be answered.
// Nothing is allocated for up to 1024 texts of max_text_bytes in all (top_k up to 32, sparse answers of 2048 weights
// each); more grows the session's buffers once. Question answering takes the question as the text and the context as
// its pair; entities are looked for in the text, not in the pair.
BERTC_API bool bertc_answer_texts(bertc_session *session, const bertc_text *texts, size_t count,
                                  const bertc_text_options *options, bertc_result *results,
                                  bertc_error *error);
// One JSON object (no newline) for a result, with the keys of Transformers' pipelines: label, score, scores
// [{label, score}]; entities [{entity_group, score, word, start, end}], of BERTC_AGGREGATE_NONE
// [{entity, score, index, word, start, end}] (and labels, one for each word, where the text has words);
// answer, start, end, score, logit_score (and answers, a list of such objects, where there are several; answer
// "" says that there is none); masks [{start, end, scores [{token_str, token, score}]}]; next_sentence;
// embedding; sparse [{id, token, weight}]; vectors, a list for each token; of bertc_zero_shot two lists, labels and
// scores. start and end count characters; what is not there is null. Like snprintf: returns the length that it needs without the NUL, cuts at `size`, and always
// ends in NUL (unless size is 0).
BERTC_API size_t bertc_result_json(const bertc_result *result, const bertc_text *text, char *buffer,
                                   size_t size);

// How well a document answers a query, of models that give a vector per token (BERTC_TASK_VECTORS): for each row of
// query[query_rows, width] its largest dot product with a row of document[document_rows, width]; their sum. All in
// float32. A query without rows: 0; a document without any: -1e9, so that it ranks last, as in sentence-transformers.
BERTC_API float bertc_maxsim(const float *query, size_t query_rows, const float *document,
                             size_t document_rows, size_t width);

// --- Labels that the call gives (zero-shot classification)

typedef struct bertc_zero_shot_options {
    size_t size;
    int label_count; // at least 1
    const char *const *labels;
    // A sentence in which {} (or {0}) is the label; {{ and }} are braces. NULL: "This example is {}."
    const char *hypothesis;
    bool multi_label; // each label by itself: several may hold, or none
} bertc_zero_shot_options;
#define BERTC_ZERO_SHOT_OPTIONS_INIT BERTC_INIT(bertc_zero_shot_options)
// The number of the label that means that a pair's second text follows from the first: the first one whose name begins
// with "entail", in any case. -1: there is none, and the last one is taken for it.
BERTC_API int bertc_entailment_label(const bertc_model *model);
// Scores `count` texts for labels that the model has not been trained on, as Transformers' zero-shot-classification
// pipeline does. The model compares pairs (natural language inference): each text is paired with the hypothesis of
// each label. The scores are a softmax over the labels' entailment logits; with multi_label, or one label, a softmax
// over each label's contradiction (the first label of the model, or the last where that is the entailment) and
// entailment. results[i].scores: `label` is the caller's string, `id` its number in `labels`; best first, the later
// label first among equals. A text that is too long is cut. Of the text options top_k (0: all labels), max_tokens,
// truncation_side, plain_text, raw_scores (the entailment logits) and the prompt (default: none) count.
BERTC_API bool bertc_zero_shot(bertc_session *session, const bertc_text *texts, size_t count,
                               const bertc_zero_shot_options *how, const bertc_text_options *options,
                               bertc_result *results, bertc_error *error);

// --- Reranking

typedef struct bertc_ranked {
    size_t index; // of the document
    float score;
} bertc_ranked;
// Scores each document as the pair of the query, by a cross-encoder (a model with one label), and writes the best
// options.top_k of them (0: all `count`) to `ranked`, by falling score, equal ones by their index. Documents have
// no pair of their own. What else the options say is as of bertc_answer_texts.
BERTC_API bool bertc_rank(bertc_session *session, const bertc_text *query, const bertc_text *documents,
                          size_t count, const bertc_text_options *options, bertc_ranked *ranked,
                          bertc_error *error);

// --- A tokenizer alone, without a model (bertc tokenize FOLDER)
typedef struct bertc_tokenizer_handle bertc_tokenizer_handle;
BERTC_API bertc_tokenizer_handle *bertc_tokenizer_open(const void *table, size_t size, size_t max_text_bytes,
                                                       bertc_error *error);
BERTC_API bool bertc_tokenizer_encode(bertc_tokenizer_handle *t, const bertc_text *text, int64_t max_tokens,
                                      bertc_truncation truncation, const bertc_token **tokens, size_t *count,
                                      bertc_error *error);
BERTC_API bool bertc_tokenizer_encode_with(bertc_tokenizer_handle *t, const bertc_text *text,
                                           const bertc_text_options *options, const bertc_token **tokens,
                                           size_t *count, bertc_error *error);
BERTC_API const char *bertc_tokenizer_text(const bertc_tokenizer_handle *t, int32_t id);
BERTC_API void bertc_tokenizer_close(bertc_tokenizer_handle *t);

#ifdef __cplusplus
}
#endif
#endif
