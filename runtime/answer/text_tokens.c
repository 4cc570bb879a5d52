// bertc_text_tokens: the tokens that a model reads of a text, by themselves.
#include "runtime/answer/answer.h"
#include "runtime/error.h"

static uint32_t less(uint32_t a, uint32_t b) {
    return a > b ? a - b : 0;
}

// Offsets and words of the text without its prompt. A token that is of both is the text's, from its first byte on.
static void leave_prompt(const answer_prompt *p, bertc_token *tokens, size_t n) {
    uint32_t chars = 0;
    int32_t words = 0;
    for (size_t i = 0; i < p->size; i++) chars += ((unsigned char)p->text[i] & 0xc0) != 0x80;
    for (size_t i = 0; p->size && i < n; i++) {
        bertc_token *t = &tokens[i];
        if (t->text != 0) continue;
        if (t->byte_end <= p->size) {
            words = t->word + 1;
            *t = (bertc_token){.id = t->id, .type = t->type, .text = -1, .word = -1};
            continue;
        }
        t->byte_start = less(t->byte_start, (uint32_t)p->size);
        t->byte_end = less(t->byte_end, (uint32_t)p->size);
        t->char_start = less(t->char_start, chars);
        t->char_end = less(t->char_end, chars);
        t->word = t->word > words ? t->word - words : 0;
    }
}

bool bertc_text_tokens(bertc_session *s, const bertc_text *text, const bertc_text_options *options,
                       const bertc_token **tokens, size_t *count, bertc_error *error) {
    bertc_text_options own;
    const bertc_token *made;
    if (!s || !text || !tokens || !count)
        return error_set(error, "%s is NULL", !s ? "session" : !text ? "text" : !tokens ? "tokens" : "count");
    if (!answer_enter(s, options, &own, error)) return false;
    own.windows = false;
    bool ok = answer_begin(s, error) && tokens_of(s, text, &made, count, error);
    if (ok) {
        leave_prompt(&s->text->prompt, (bertc_token *)(uintptr_t)made, *count);
        *count = tokens_lay(s, made, *count, s->text->tokens);
        *tokens = s->text->tokens;
    }
    session_leave(s);
    return ok;
}
