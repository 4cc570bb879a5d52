// The tokens of a text: by the tokenizer alone, and as the model reads them (with a prompt and its role's marker, cut to its
// role's length, filled up).
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"
#include "runtime/load/check.h"

bool tokens_there(const bertc_session *s, bertc_error *error) {
    return s->text ||
           error_set(error,
                     "the model has no tokenizer, so it takes ids only: compile it with tokenizer.json or "
                     "vocab.txt beside the checkpoint");
}

// --- By the tokenizer alone

static bool tokenize(bertc_session *s, const bertc_text *text, const encode_options *options,
                     const bertc_token **tokens, size_t *count, bertc_error *error) {
    if (!s || !tokens || !count)
        return error_set(error, "%s is NULL", !s ? "session" : !tokens ? "tokens" : "count");
    if (!tokens_there(s, error) || !session_enter(s, error)) return false;
    bool ok = encoder_encode(s->text->encoder, text, options, tokens, count, error);
    session_leave(s);
    return ok;
}

bool bertc_tokenize(bertc_session *s, const bertc_text *text, int64_t max_tokens, bertc_truncation truncation,
                    const bertc_token **tokens, size_t *count, bertc_error *error) {
    const encode_options o = {.max_tokens = max_tokens, .truncation = truncation};
    return tokenize(s, text, &o, tokens, count, error);
}

bool bertc_tokenize_with(bertc_session *s, const bertc_text *text, const bertc_text_options *options,
                         const bertc_token **tokens, size_t *count, bertc_error *error) {
    encode_options o;
    return encode_options_take(options, &o, error) && tokenize(s, text, &o, tokens, count, error);
}

// --- As the model reads them

int64_t tokens_most(const bertc_session *s) {
    int64_t limit = s->model->max_length, own = s->model->task ? s->model->task->max_length : 0,
            asked = s->text->options->max_tokens, role = vectors_length(s);
    if (role) own = role;
    if (own && own < limit) limit = own;
    return asked > 0 && asked < limit ? asked : limit;
}

bool tokens_get_vectors(const bertc_session *s) {
    return answer_task(s) == BERTC_TASK_VECTORS || answer_task(s) == BERTC_TASK_SEVERAL;
}

bool tokens_of(bertc_session *s, const bertc_text *text, const bertc_token **tokens, size_t *n,
               bertc_error *error) {
    const bertc_text_options *o = s->text->options;
    bertc_text whole = *text;
    const encode_options to = {.max_tokens = o->windows ? 0 : tokens_most(s) - s->text->prompt.marked,
                               .truncation = o->windows ? BERTC_TRUNCATE_NEVER : o->truncation,
                               .side = o->truncation_side,
                               .plain = o->plain_text,
                               .whole = tokens_get_vectors(s)};
    return encode_arguments(text, &to, error) && prompt_join(s, &whole, error) &&
           encoder_encode(s->text->encoder, &whole, &to, tokens, n, error);
}

size_t tokens_lay(const bertc_session *s, const bertc_token *tokens, size_t n, bertc_token *to) {
    const answer_prompt *p = &s->text->prompt;
    size_t lead = 0, shown = n + p->marked, all = shown + vectors_more(s, shown);
    while (p->marked && lead < n && tokens[lead].text < 0) lead++;
    memcpy(to, tokens, lead * sizeof *tokens);
    if (p->marked) to[lead] = p->marker;
    memcpy(to + lead + p->marked, tokens + lead, (n - lead) * sizeof *tokens);
    for (size_t i = shown; i < all; i++)
        to[i] = (bertc_token){.id = s->model->task->expansion_id, .text = -1, .word = -1};
    return all;
}
