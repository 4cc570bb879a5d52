// A text for a head that answers words for mask tokens has one.
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"

// As the common families of models write it.
static const char *const spellings[] = {"[MASK]", "<mask>", "[mask]", "<MASK>", "<|mask|>"};

static bool holds(const char *text, size_t size, const char *word) {
    return text && memmem(text, size, word, strlen(word));
}

// Another model's mask token that the text holds; NULL: none.
static const char *foreign_mask(const bertc_text *text, const char *own) {
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const char *word = spellings[i];
        if (own && !strcmp(word, own)) continue;
        if (holds(text->text, text->size, word) || holds(text->pair, text->pair_size, word)) return word;
    }
    return NULL;
}

bool mask_check(const bertc_session *s, const bertc_text *text, const bertc_token *tokens, size_t n,
                bertc_error *error) {
    bertc_task_kind kind = answer_task(s);
    if (kind != BERTC_TASK_FILL_MASK && kind != BERTC_TASK_PRETRAINING) return true;
    int32_t id = s->model->task->mask_id;
    for (size_t i = 0; i < n && id >= 0; i++)
        if (tokens[i].id == id) return true;
    const char *own = id >= 0 ? bertc_token_text(s->model, id) : NULL, *other = foreign_mask(text, own);
    if (kind == BERTC_TASK_PRETRAINING && text->pair && !other) return true; // is it the next sentence?
    if (!own)
        return error_set(error, "the model answers words for its mask token, and its tokenizer has none");
    if (other)
        return error_set(error,
                         "the text has no mask: the model's mask token is %s, and %s is another model's", own,
                         other);
    if (holds(text->text, text->size, own) || holds(text->pair, text->pair_size, own))
        return error_set(error, "%s is none of the %zu tokens that are read of the text", own, n);
    return error_set(error, "the text has no mask: put %s where the model is to find words%s", own,
                     kind == BERTC_TASK_PRETRAINING ? ", or give a second text" : "");
}
