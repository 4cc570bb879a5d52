// Prompts, which go before texts that get an embedding or labels. Prompt and text are tokenized as one. The
// prompt counts as having as many of the tokens as it has alone, as in sentence-transformers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"
#include "runtime/memory.h"

const char *bertc_prompt(const bertc_model *m, int index, const char **text) {
    if (!m || !m->task || index < 0 || (uint32_t)index >= m->task->prompt_count) return NULL;
    uint64_t at[2];
    const char *table = m->task_table;
    memcpy(at, table + m->task->prompts + (size_t)index * sizeof at, sizeof at);
    if (text) *text = table + at[1];
    return table + at[0];
}

static size_t longest_prompt(const bertc_model *m) {
    const char *text;
    size_t most = 0;
    for (int i = 0; bertc_prompt(m, i, &text); i++)
        if (strlen(text) > most) most = strlen(text);
    return most;
}

// Tasks whose answers are places in a text take no prompt.
bool prompt_taken(const bertc_session *s) {
    switch (answer_task(s)) {
    case BERTC_TASK_EMBEDDING:
    case BERTC_TASK_SPARSE:
    case BERTC_TASK_VECTORS:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return true;
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_ENTITIES:
    case BERTC_TASK_ANSWER:
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_NEXT_SENTENCE:
    case BERTC_TASK_PRETRAINING: break;
    }
    return false;
}

size_t prompt_room(const bertc_session *s, size_t max_text_bytes) {
    size_t bytes;
    bool fits = !__builtin_add_overflow(max_text_bytes, longest_prompt(s->model), &bytes);
    return fits ? bytes : SIZE_MAX;
}

static bool no_such(const bertc_model *m, const char *name, bertc_error *error) {
    char list[400] = "";
    const char *one;
    for (int i = 0; (one = bertc_prompt(m, i, NULL)); i++) {
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", one);
    }
    return *list ? error_set(error, "the model has no prompt `%.64s`; it has %s", name, list)
                 : error_set(error, "the model has no prompts, and so none of the name `%.64s`", name);
}

// Of the role's prompts the first that is the model's own; else the first that every model has. NULL: there is none.
static const char *of_role(const bertc_model *m, int64_t role) {
    static const char *const queries[] = {"query", NULL}, *const documents[] = {"document", "passage",
                                                                                "corpus", NULL};
    const int counts[] = {(int)m->task->own_prompts, (int)m->task->prompt_count};
    const char *text;
    if (role == BERTC_ROLE_NONE) return NULL;
    for (int k = 0; k < 2; k++)
        for (const char *const *name = role == BERTC_ROLE_QUERY ? queries : documents; *name; name++)
            for (int i = 0; i < counts[k]; i++)
                if (!strcmp(bertc_prompt(m, i, &text), *name)) return text;
    return NULL;
}

static bool find_prompt(const bertc_session *s, const char **text, bertc_error *error) {
    const bertc_text_options *o = s->text->options;
    const bertc_model *m = s->model;
    *text = o->prompt ? o->prompt : "";
    if (o->prompt) return true;
    if (!o->prompt_name) {
        const char *own = of_role(m, o->role);
        if (own)
            *text = own;
        else if (m->task->default_prompt)
            bertc_prompt(m, (int)m->task->default_prompt - 1, text);
        return true;
    }
    for (int i = 0;; i++) {
        const char *name = bertc_prompt(m, i, text);
        if (!name) return no_such(m, o->prompt_name, error);
        if (!strcmp(name, o->prompt_name)) return true;
    }
}

// What the text of the prompt's first token is, where that is a special token that plain text would not become.
static bool find_marker(bertc_session *s, const bertc_token *tokens, size_t n, bertc_error *error) {
    answer_prompt *p = &s->text->prompt;
    const bertc_text alone = {.text = p->text, .size = p->size};
    size_t at = 0, count;
    while (at < n && tokens[at].text < 0) at++;
    if (at == n || tokens[at].byte_start > 0) return true;
    p->marker = tokens[at];
    if (!encoder_encode(s->text->encoder, &alone, &(encode_options){.plain = true}, &tokens, &count, error))
        return error_prefix(error, "the prompt");
    p->marked = at >= count || tokens[at].id != p->marker.id;
    if (!p->marked) return true;
    p->text += p->marker.byte_end;
    p->size -= p->marker.byte_end;
    p->marker = (bertc_token){.id = p->marker.id, .type = p->marker.type, .text = -1, .word = -1};
    return true;
}

bool prompt_begin(bertc_session *s, bertc_error *error) {
    answer_prompt *p = &s->text->prompt;
    const bertc_text_options *o = s->text->options;
    p->size = p->tokens = 0;
    p->marked = false;
    bool marks = o->plain_text && answer_task(s) == BERTC_TASK_VECTORS;
    if (!prompt_taken(s))
        return (!o->prompt && !o->prompt_name) ||
               error_set(error, "a prompt goes before texts that get an embedding or labels, and the model "
                                "gives none");
    if (!find_prompt(s, &p->text, error)) return false;
    p->size = strlen(p->text);
    if (!p->size) return true;
    const bertc_text alone = {.text = p->text, .size = p->size};
    const bertc_token *tokens;
    size_t n;
    if (!encoder_encode(s->text->encoder, &alone, &(encode_options){.plain = o->plain_text && !marks},
                        &tokens, &n, error))
        return error_prefix(error, "the prompt");
    if (n && tokens[n - 1].text < 0) n--; // the end of a text, which is not here
    p->tokens = n;
    return !marks || find_marker(s, tokens, n, error);
}

bool prompt_join(bertc_session *s, bertc_text *text, bertc_error *error) {
    answer_prompt *p = &s->text->prompt;
    if (!p->size) return true;
    if (text->words) return error_set(error, "a prompt and a text that is split into words");
    size_t size = p->size + text->size;
    if (size > p->capacity) {
        char *grown = heap_grow(p->joined, size, 1);
        if (!grown) return error_set(error, "out of memory");
        p->joined = grown;
        p->capacity = size;
    }
    memcpy(p->joined, p->text, p->size);
    if (text->size) memcpy(p->joined + p->size, text->text, text->size);
    text->text = p->joined;
    text->size = size;
    return true;
}
