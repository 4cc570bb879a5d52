// The answers to a question: spans of the context's tokens, as Transformers' question-answering pipeline finds
// them (of version 4; version 5 has none). A window's start and end logits become probabilities, over the
// context's tokens and the CLS token; a span's score is the product of those of its ends. The best spans of each
// window are widened to whole words, and those that read the same (but for case) count together.
//
// Which of them are best is told by their logits, not by that score: within a window that is the same, but a
// window that holds no answer has probabilities as large as one that does.
#ifndef BERTC_SPANS_H
#define BERTC_SPANS_H

#include "runtime/answer/store.h"
#include "runtime/bertc.h"

typedef struct span_choice span_choice;

// The spans of a text so far. `none`: the least scores, over its windows, of there being no answer, which are
// those of the CLS token.
typedef struct span_list {
    span_choice *choices;
    int count, room, windows;
    bertc_answer none;
} span_list;

// How many choices a window adds at most, and bytes of them; for up to `top` answers.
int spans_most(int top);
size_t spans_bytes(size_t choices);

typedef struct span_rules {
    int top;     // answers that are wanted
    int longest; // tokens of an answer
    bool words;  // widen
    bool none;   // "no answer" is one of the answers
} span_rules;

// Adds a window's best spans. `start` and `end` have its n tokens' logits; the context is `text`'s pair. A word
// is what the tokenizer takes for one, as far as its script puts spaces between words. False: no memory.
bool spans_add(span_list *s, store *memory, const bertc_text *text, const bertc_token *tokens, int n,
               const float *start, const float *end, const span_rules *rules);
// The best answers, best first: *out has *count of them. False: no memory.
bool spans_best(span_list *s, store *memory, const span_rules *rules, bertc_answer **out, int *count);

#endif
