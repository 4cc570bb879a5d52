// A tokenizer alone: bertc_tokenizer_* of bertc.h.
#include <stdlib.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/tokenizer/tokenizer.h"

struct bertc_tokenizer_handle {
    tokenizer view;
    encoder *encoder;
};

bertc_tokenizer_handle *bertc_tokenizer_open(const void *table, size_t size, size_t max_text_bytes,
                                             bertc_error *error) {
    if (!table || (uintptr_t)table % 8) {
        error_set(error, table ? "table does not start at a multiple of 8" : "table is NULL");
        return NULL;
    }
    bertc_tokenizer_handle *t = heap_zero(1, sizeof *t);
    if (!t) return error_set(error, "out of memory"), NULL;
    if (tokenizer_view(&t->view, table, size, error))
        t->encoder = encoder_new(&t->view, max_text_bytes, error);
    if (t->encoder) return t;
    free(t);
    return NULL;
}

bool bertc_tokenizer_encode(bertc_tokenizer_handle *t, const bertc_text *text, int64_t max_tokens,
                            bertc_truncation truncation, const bertc_token **tokens, size_t *count,
                            bertc_error *error) {
    if (!t || !tokens || !count)
        return error_set(error, "%s is NULL", !t ? "the tokenizer" : !tokens ? "tokens" : "count");
    const encode_options o = {.max_tokens = max_tokens, .truncation = truncation};
    return encoder_encode(t->encoder, text, &o, tokens, count, error);
}

bool bertc_tokenizer_encode_with(bertc_tokenizer_handle *t, const bertc_text *text,
                                 const bertc_text_options *options, const bertc_token **tokens, size_t *count,
                                 bertc_error *error) {
    if (!t || !tokens || !count)
        return error_set(error, "%s is NULL", !t ? "the tokenizer" : !tokens ? "tokens" : "count");
    encode_options o;
    return encode_options_take(options, &o, error) &&
           encoder_encode(t->encoder, text, &o, tokens, count, error);
}

const char *bertc_tokenizer_text(const bertc_tokenizer_handle *t, int32_t id) {
    return t ? tokenizer_text(&t->view, id) : NULL;
}

void bertc_tokenizer_close(bertc_tokenizer_handle *t) {
    if (!t) return;
    encoder_free(t->encoder);
    free(t);
}
