// A session: the arena, the threads, and one call of a variant at a time.
//
// A call takes a group of texts, packed: session_clear, then for each text session_begin and its tokens, then
// session_execute; outputs are then read in the arena, until the next execute.
#ifndef BERTC_SESSION_H
#define BERTC_SESSION_H

#include <stdatomic.h>

#include "runtime/load/model.h"
#include "runtime/session/pool.h"

typedef struct answer_state answer_state;

// What the application gives with a call: inputs that are numbers.
typedef struct bertc_numbers {
    int32_t step, seed[2];
    float rate, keep, scale, clip;
} bertc_numbers;

// A target of the call, of a model that trains: an input that is none of BERTC_INPUT_LIST.
typedef struct session_target {
    int port;      // index of the descriptor's input
    int64_t width; // elements of a row, of 4 bytes each
    void *rows;    // [max_tokens or max_sequences, width], packed as the texts are
    bool given;    // else each element is -100, or 0 where it is a float
} session_target;

// The parts of a model that trains (bertc_variant.forward, .backward).
typedef enum session_part { SESSION_FORWARD, SESSION_BACKWARD, SESSION_UPDATE, SESSION_PARTS } session_part;

typedef enum session_input {
#define X(id, name) INPUT_##id,
    BERTC_INPUT_LIST(X)
#undef X
        INPUT_COUNT
} session_input;

// What the session resolves of a variant when it opens.
typedef struct session_variant {
    const bertc_variant *variant;
    bertc_slot *inputs, *outputs; // by the model's port
    bertc_phase *phases;
    int phase_count;
    int parts[SESSION_PARTS +
              1]; // where each begins, and the end; without parts the first begins and ends with all
    char *arena;  // its own part, zeroed at opening
    void **args;  // addresses, all phases' one after the other
    int *arg_at;  // first of a phase
} session_variant;

// The texts of the call that is being put together.
typedef struct session_group {
    int64_t tokens, sequences, rows, longest;
    int32_t *inputs[INPUT_COUNT]; // [max_tokens]; bounds and row_bounds [max_sequences + 1]
    int64_t *places;              // by text of the group: its number among the caller's texts
    bool passed;                  // the text has had the token that the rule of `global` looks for
} session_group;

struct bertc_session {
    bertc_model *model;
    pool *pool;
    bertc_phase_hook hook;
    void *hook_user;
    int threads;
    bool parallel;      // on the caller's threads
    int64_t fetch_most; // bytes that a thread fetches while it waits
    const char *weights;
    size_t states_bytes;
    char *states;       // its own, from the first bytes of the weights; aligned to 64
    void *weights_copy; // in large pages, or NULL
    char *arena, *scratch;
    size_t arena_bytes, scratch_bytes, scratch_stride;
    session_variant *variants;    // model->variant_count
    int input_slots[INPUT_COUNT]; // index of the descriptor's input, -1: the model has none
    int64_t max_tokens, max_sequences;
    session_target *targets; // target_count
    int target_count;
    session_group group;
    const session_variant *current; // of the last execute
    bertc_call call;
    bertc_numbers numbers; // of the next calls
    _Atomic bool busy;     // in a call
    answer_state *text;    // the text side's, which opens and closes it; NULL: the model has no tokenizer
};

// Memory and threads, without the text side. `o->threads` in [0, 4096]. NULL: *error says why.
bertc_session *session_open(bertc_model *model, const bertc_session_options *o, bertc_error *error);
void session_close(bertc_session *s);
// Gives what calls left in memory back to the system, between calls; the states stay.
void session_trim(bertc_session *s);
// Around each call of the application's. False, with an error, where another one is not done: on another
// thread, or when the process forked.
bool session_enter(bertc_session *s, bertc_error *error);
void session_leave(bertc_session *s);
// Whether this is a child of a process that forked while the session was in a call: what the call was about
// to change may be half changed.
bool session_is_torn(const bertc_session *s);

void session_clear(bertc_session *s);
// Does a variant hold so much in one call?
bool session_fits(const bertc_session *s, int64_t tokens, int64_t sequences, int64_t longest);
// Can a text of n tokens still join the group?
bool session_room(const bertc_session *s, int64_t n);
// Starts a text; `place`: where the caller keeps it. There must be room for all its tokens.
void session_begin(bertc_session *s, int64_t place);
// The position of a token by the model's rule; `before`: how many ids left of it are not the pad.
int64_t session_position(const bertc_session *s, int32_t id, int64_t column, int64_t before);
// Does the model have that id, type and position?
bool session_check(const bertc_session *s, int32_t id, int32_t type, int64_t position, bertc_error *error);
// Does the model take that value of another input? Always true where it has no such input.
bool session_takes(const bertc_session *s, session_input i, int32_t v);
// Does a text of a grid consist of all its columns, hidden ones too? It does where the model has the input
// `mask`.
bool session_keeps_grid(const bertc_session *s);
// Do hidden tokens have rows of an output all the same?
bool session_shows_hidden(const bertc_session *s);
// Adds a token to the text; `read`: a head reads its row. The token's other inputs get what their rules say.
void session_token(bertc_session *s, int32_t id, int32_t type, int32_t position, int32_t column, bool read);
// Sets another input of the token that was added last.
void session_set(bertc_session *s, session_input i, int32_t v);
// Runs the group (which must hold a text) in the smallest variant that holds it; of a model with parts, forward alone.
void session_execute(bertc_session *s);
// Runs the parts [first, end) over the group; the update alone needs no text.
void session_execute_parts(bertc_session *s, session_part first, session_part end);
// The same in steps: picks the variant and writes what the parts from `first` on read; then runs phases of it.
void session_prepare(bertc_session *s, session_part first);
void session_run_phases(bertc_session *s, int first, int end);
// The following calls have no targets until they are given again.
void session_forget_targets(bertc_session *s);
// Has the model parts?
bool session_has_parts(const bertc_session *s);
// Row r (of T, S or R) of an output after session_execute: `width` elements for rank 0 and 1.
const float *session_output(const bertc_session *s, int output, int64_t r);
// Index of an output by name, -1: none.
int session_output_index(const bertc_session *s, const char *name);

#endif
