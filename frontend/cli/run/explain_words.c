// The words of a text whose part in an answer is looked for.
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/explain.h"
#include "ir/memory.h"

word_weight *explain_words(const bertc_text *text, const bertc_token *tokens, size_t n, int64_t *of,
                           size_t *count) {
    word_weight *words = memory_zero(n + 1, sizeof *words);
    *count = 0;
    for (size_t i = 0; words && i < n; i++) {
        const bertc_token *t = &tokens[i];
        bool same = i && t->text == tokens[i - 1].text && t->word == tokens[i - 1].word;
        bool none = t->text < 0 || t->byte_end <= t->byte_start;
        if (!none && same && *count)
            words[*count - 1].end = t->byte_end;
        else if (!none)
            words[(*count)++] = (word_weight){t->text, t->byte_start, t->byte_end, 0};
        if (of) of[i] = none ? -1 : (int64_t)*count - 1;
    }
    for (size_t i = 0; words && i < *count; i++) { // a byte-level token begins with its space
        word_weight *w = &words[i];
        const char *bytes = w->text ? text->pair : text->text;
        while (w->start + 1 < w->end && (bytes[w->start] == ' ' || bytes[w->start] == '\n')) w->start++;
    }
    return words;
}

const char *explain_mask(const bertc_model *model, bertc_session *s, int32_t *id) {
    static const char *const names[] = {"[MASK]", "<mask>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const bertc_text text = {.text = names[i], .size = strlen(names[i])};
        const bertc_token *tokens;
        size_t n, own = 0;
        bool is = false;
        if (!bertc_tokenize(s, &text, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, NULL)) continue;
        for (size_t k = 0; k < n; k++) {
            const char *name = bertc_token_text(model, tokens[k].id);
            own += tokens[k].text == 0;
            if (tokens[k].text != 0 || !name || strcmp(name, names[i])) continue;
            is = true;
            if (id) *id = tokens[k].id;
        }
        if (is && own == 1) return names[i];
    }
    if (id) *id = -1;
    return "";
}
