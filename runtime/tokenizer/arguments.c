// What an application may ask an encoder for.
#include "runtime/error.h"
#include "runtime/sized.h"
#include "runtime/tokenizer/tokenizer.h"

static bool check_words(const bertc_text *text, bertc_error *error) {
    uint32_t end = 0;
    if (!text->words) return true;
    // So that what is made of them has its bound in the text's size, empty ones too.
    if (text->word_count > text->size + 1)
        return error_set(error, "word_count is %zu, and the text has %zu bytes", text->word_count,
                         text->size);
    for (size_t w = 0; w < text->word_count; w++) {
        const bertc_word *word = &text->words[w];
        if (word->start < end || word->end < word->start || word->end > text->size)
            return error_set(error, "word %zu is bytes %u to %u, after one that ends at %u, of %zu", w,
                             word->start, word->end, end, text->size);
        end = word->end;
    }
    return true;
}

static bool side_check(bertc_truncation_side side, bertc_error *error) {
    switch (side) {
    case BERTC_TRUNCATION_DEFAULT:
    case BERTC_TRUNCATION_RIGHT:
    case BERTC_TRUNCATION_LEFT: return true;
    }
    return error_set(error, "truncation_side is %d, which is none of bertc_truncation_side", (int)side);
}

bool truncation_check(bertc_truncation truncation, bertc_truncation_side side, bertc_error *error) {
    switch (truncation) {
    case BERTC_TRUNCATE_NEVER:
    case BERTC_TRUNCATE_LONGEST_FIRST:
    case BERTC_TRUNCATE_ONLY_FIRST:
    case BERTC_TRUNCATE_ONLY_SECOND: return side_check(side, error);
    }
    return error_set(error, "truncation is %d, which is none of bertc_truncation", (int)truncation);
}

bool encode_options_take(const bertc_text_options *given, encode_options *out, bertc_error *error) {
    bertc_text_options o;
    if (!sized_take(SIZED_bertc_text_options, given, &o, error)) return false;
    *out = (encode_options){.max_tokens = o.max_tokens,
                            .truncation = o.truncation,
                            .side = o.truncation_side,
                            .plain = o.plain_text};
    return true;
}

bool encode_arguments(const bertc_text *text, const encode_options *options, bertc_error *error) {
    if (!text) return error_set(error, "the text is NULL");
    if (!text->text && text->size) return error_set(error, "text is NULL, and its size is %zu", text->size);
    if (options->max_tokens < 0)
        return error_set(error, "max_tokens is %lld: a number of tokens, or 0 for no limit",
                         (long long)options->max_tokens);
    return truncation_check(options->truncation, options->side, error) && check_words(text, error);
}
