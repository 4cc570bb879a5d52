// The text side of a session: its encoder, the tokens of the group that is being put together, and the memory
// of the answers.
//
// A text that fits is one sequence of a group and is answered from its outputs (decode.c). A longer text
// that may be read in windows is one sequence for each window; their outputs are gathered (windows.c), and
// the text is answered when all groups of the call have run.
#ifndef BERTC_ANSWER_H
#define BERTC_ANSWER_H

#include "runtime/answer/entities.h"
#include "runtime/answer/spans.h"
#include "runtime/answer/store.h"
#include "runtime/session/session.h"
#include "runtime/tokenizer/tokenizer.h"

// The store has room at opening for a call of ANSWER_TEXTS texts with ANSWER_TOP choices for each mask, or
// ANSWER_WEIGHTS weights of a sparse answer for each text.
enum { ANSWER_TEXTS = 1024, ANSWER_TOP = 32, ANSWER_WEIGHTS = 2048 };

// What is gathered of a text that is read in windows. `count` of its tokens, from `first` on (as the
// encoder gave them), move through the windows; the others are repeated in every window.
typedef struct answer_long answer_long;
struct answer_long {
    answer_long *before; // the long text before this one in the call
    int64_t place;       // among the call's texts
    int first, count;
    double weight;        // tokens of the windows so far
    bool unit;            // all windows' embeddings have length 1
    float *sums;          // weighted rows of the output: embeddings or logits
    bertc_token *tokens;  // the moving ones, of entities
    entity_label *labels; // their labels
    float *logits;        // and logits, [count, labels], where entities need them
    int *nearest; // by such token, or mask: its largest distance from an edge so far; -1: not seen yet
    int *mask_at; // the numbers of the masks' tokens, ascending
    bertc_mask *masks;
    bertc_score *mask_scores;
    span_list spans;
};

// A sequence of the group: tokens [start, start + count) of the moving ones. `of` NULL: a whole text.
typedef struct answer_window {
    answer_long *of;
    int start, count;
} answer_window;

// The prompt of the call, and the text that it was put before.
typedef struct answer_prompt {
    const char *text;
    size_t size;   // 0: none
    size_t tokens; // how many of a text's first tokens are the prompt's
    // With plain_text, of a model that gives a vector per token: the special token that the prompt begins with. `text` is what
    // comes behind it.
    bool marked;
    bertc_token marker;
    char *joined; // [capacity]
    size_t capacity;
} answer_prompt;

struct answer_state {
    encoder *encoder;
    answer_prompt prompt;
    store store;
    bertc_token *tokens;    // [max_tokens], as packed
    answer_window *windows; // [max_sequences], of the group's sequences
    answer_long *longs;     // the call's, last first
    int outputs[3];         // that the task reads; -1: none
    label_mark *marks;      // of entities' labels
    const bertc_text *texts;
    const bertc_text_options *options;
    bertc_result *results;
    bool unfinite;  // the answer that is being made is not finite
    int64_t failed; // the text that an error is about, where it isn't the one at hand; -1: it is
};

// Sets s->text, where the model has a tokenizer.
bool answer_open(bertc_session *s, size_t max_text_bytes, bertc_error *error);
void answer_close(bertc_session *s);

static inline bertc_task_kind answer_task(const bertc_session *s) {
    return s->model->task ? (bertc_task_kind)s->model->task->kind : BERTC_TASK_TENSORS;
}

// Whether an answer has choices for the text's mask tokens.
static inline bool answer_has_masks(const bertc_session *s) {
    bertc_task_kind kind = answer_task(s);
    return (kind == BERTC_TASK_FILL_MASK || kind == BERTC_TASK_PRETRAINING) && s->model->task->mask_id >= 0;
}

// --- answer.c: what the functions that answer texts share

// Holds the options against bertc.h, enters the session (which the caller leaves) and forgets its earlier answers.
// *own: what s->text->options then points at, until the call ends.
bool answer_enter(bertc_session *s, const bertc_text_options *options, bertc_text_options *own,
                  bertc_error *error);
// Holds the call's options against the model, and finds the prompt.
bool answer_begin(bertc_session *s, bertc_error *error);
// Answers `count` texts, which stay where they are, into s->text->results. *at: the text that an error is about; -1:
// none.
bool answer_all(bertc_session *s, const bertc_text *texts, size_t count, int64_t *at, bertc_error *error);

// --- tokens.c

// Has the model a tokenizer?
bool tokens_there(const bertc_session *s, bertc_error *error);
// Tokens of the longest text of the call, or window.
int64_t tokens_most(const bertc_session *s);
// Does a text get a vector for each token? It is not read in windows then.
bool tokens_get_vectors(const bertc_session *s);
// The tokens of a text behind its prompt, until the encoder's next call; in windows all of them.
bool tokens_of(bertc_session *s, const bertc_text *text, const bertc_token **tokens, size_t *n,
               bertc_error *error);
// Lays n tokens, with the prompt's marker and what a query is filled up with, at `to`; returns how many they are then.
size_t tokens_lay(const bertc_session *s, const bertc_token *tokens, size_t n, bertc_token *to);

// --- decode.c. Functions return false where memory ran out.

// One text, and its share of the group and of the outputs.
typedef struct answer_part {
    bertc_session *session;
    const bertc_text *text;
    const bertc_token *tokens;
    int64_t index, first, row; // the sequence's number in the group, its first row in T, and in R
    int count, rows;
    int before; // tokens of the sequence before tokens[0]
    bertc_result *result;
} answer_part;

answer_part answer_part_of(bertc_session *s, int64_t q); // sequence q of the group that has just been run
// rows.c; `output`: index in s->text->outputs.
const float *answer_row(const answer_part *p, int output, int64_t r);
int answer_width(const bertc_session *s, int output);
int answer_choices(const bertc_session *s); // for a mask
// Do entities need each token's logits?
bool answer_keeps_logits(const bertc_session *s);

// What a text of that many tokens has before it is answered.
bertc_result answer_none(const bertc_session *s, size_t tokens);
// A whole text's answer.
bool answer_decode(answer_part *p);
// The same from an embedding, logits, or labels of the text's tokens.
bool answer_embedding(answer_part *p, const float *row);
bool answer_labels(answer_part *p, const float *logits);
// vectors.c: the rows of a text's tokens that get a vector.
bool answer_vectors(answer_part *p, int output);
// A weight a token as a weight an id, the largest of its tokens; `output` has them.
bool answer_token_weights(answer_part *p, int output);
// What the role of the call's texts says of a model that tells them apart: their most tokens (0: nothing); and how many
// tokens a text of n gets behind them.
int64_t vectors_length(const bertc_session *s);
size_t vectors_more(const bertc_session *s, size_t n);
// sparse.c: the weights that are not 0, of a row as wide as the vocabulary.
bool answer_sparse(answer_part *p, const float *weights);
// Are the call's texts answered by their tokens alone, without the encoder? These are queries of a model that has
// weights for them.
bool answer_is_static(const bertc_session *s);
// Answers such a text: each of its tokens once, special ones of the template not. False: no memory.
bool answer_static(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n);
void answer_next(answer_part *p, const float *logits);
bool answer_entities(answer_part *p, const entity_label *labels, const float *logits);
void answer_mask(const answer_part *p, const bertc_token *t, int64_t row, bertc_score *scores,
                 bertc_mask *out);
// Adds a window's spans, and makes the answer of them.
bool answer_spans(const answer_part *p, span_list *spans);
bool answer_best(answer_part *p, span_list *spans);

// --- mask.c

// Where words for masks are all that a text of these tokens can be answered with, it has one.
bool mask_check(const bertc_session *s, const bertc_text *text, const bertc_token *tokens, size_t n,
                bertc_error *error);

// --- prompt.c

// Does the model's task take prompts?
bool prompt_taken(const bertc_session *s);
// Bytes of the longest text with a prompt of the model's before it.
size_t prompt_room(const bertc_session *s, size_t max_text_bytes);
// Finds the prompt that the call's options ask for.
bool prompt_begin(bertc_session *s, bertc_error *error);
// Puts it before *text, whose bytes then belong to the session until the next call of prompt_join.
bool prompt_join(bertc_session *s, bertc_text *text, bertc_error *error);

// --- windows.c

// Starts a text of `n` tokens that is read in windows. The tokens of text `moving` move, except those of a
// prompt. NULL: no memory.
answer_long *windows_begin(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n, int moving);
// Adds a window's outputs to its long text. False: no memory.
bool windows_add(answer_part *p, const answer_window *w);
// Answers the call's long texts, up to one whose answer is not finite. *place: the last of them.
bool windows_finish(bertc_session *s, int64_t *place);

#endif
