// Texts to answers: the session's encoder makes tokens, tokens are packed into groups, groups are run, and
// answers are decoded.
#include "runtime/answer/answer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/load/check.h"
#include "runtime/memory.h"
#include "runtime/sized.h"

// --- Opening

// Bytes that the answers to ANSWER_TEXTS texts of max_text_bytes in all take at most, whole or in windows.
// Untouched memory costs nothing.
static size_t answer_bytes(const bertc_session *s, size_t max_text_bytes) {
    const bertc_model *m = s->model;
    size_t labels = m->task->label_count, tokens = max_text_bytes + (size_t)ANSWER_TEXTS * 4,
           masks = max_text_bytes / 3 + 1,
           all = ANSWER_TEXTS * (sizeof(bertc_result) + sizeof(answer_long) + 16 * 16);
    size_t embedding = s->text->outputs[0] < 0 ? 0 : (size_t)port_width(&m->outputs[s->text->outputs[0]], 0);
    switch (answer_task(s)) {
    case BERTC_TASK_TENSORS: return 0;
    case BERTC_TASK_NEXT_SENTENCE: return all;
    case BERTC_TASK_ANSWER: // windows move by half their tokens or more where the stride is the usual one
        return all + (ANSWER_TEXTS + tokens / 32) * spans_bytes((size_t)spans_most(ANSWER_TOP) + 1) +
               ANSWER_TEXTS * ANSWER_TOP * sizeof(bertc_answer);
    case BERTC_TASK_EMBEDDING: return all + ANSWER_TEXTS * 2 * embedding * sizeof(float);
    case BERTC_TASK_SEVERAL: {
        size_t vector = s->text->outputs[2] < 0 ? 0 : (size_t)port_width(&m->outputs[s->text->outputs[2]], 0);
        return all + ANSWER_TEXTS * embedding * sizeof(float) +
               tokens * (2 * sizeof(bertc_score) + vector * sizeof(float));
    }
    case BERTC_TASK_VECTORS:
        return all + (tokens + ANSWER_TEXTS * (size_t)m->task->expansion) * embedding * sizeof(float);
    case BERTC_TASK_SPARSE:
        return all + ANSWER_TEXTS *
                         (size_t)(m->descriptor->vocab_size < ANSWER_WEIGHTS ? m->descriptor->vocab_size
                                                                             : ANSWER_WEIGHTS) *
                         (sizeof(bertc_score) + sizeof(float));
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return all + ANSWER_TEXTS * labels * (sizeof(bertc_score) + sizeof(float));
    case BERTC_TASK_ENTITIES:
        return all +
               tokens * (sizeof(bertc_entity) + sizeof(bertc_token) + sizeof(entity_label) +
                         sizeof(bertc_score) + sizeof(int)) +
               (size_t)s->max_tokens * sizeof(bertc_entity);
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_PRETRAINING:
        return all + (masks + ANSWER_TEXTS) *
                         (sizeof(bertc_mask) + ANSWER_TOP * sizeof(bertc_score) + 2 * sizeof(int));
    }
    return 0;
}

static void find_outputs(bertc_session *s) {
    const char *names[3] = {"logits", NULL, NULL};
    switch (answer_task(s)) {
    case BERTC_TASK_EMBEDDING: names[0] = "embedding"; break;
    case BERTC_TASK_SPARSE: names[0] = "sparse"; break;
    case BERTC_TASK_VECTORS: names[0] = "vectors"; break;
    case BERTC_TASK_SEVERAL: names[0] = "embedding", names[1] = "token_weights", names[2] = "vectors"; break;
    case BERTC_TASK_ANSWER: names[0] = "start_logits", names[1] = "end_logits"; break;
    case BERTC_TASK_PRETRAINING: names[0] = "prediction_logits", names[1] = TASK_ORDER; break;
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION:
    case BERTC_TASK_ENTITIES:
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_NEXT_SENTENCE: break;
    }
    for (int i = 0; i < 3; i++) s->text->outputs[i] = names[i] ? session_output_index(s, names[i]) : -1;
    if (answer_task(s) == BERTC_TASK_PRETRAINING && s->text->outputs[1] < 0)
        s->text->outputs[1] = session_output_index(s, TASK_ORDER_OTHER);
}

static bool read_labels(bertc_session *s) {
    if (answer_task(s) != BERTC_TASK_ENTITIES) return true;
    s->text->marks = heap_zero(s->model->task->label_count + 1u, sizeof *s->text->marks);
    if (s->text->marks) label_marks(s->model, s->text->marks);
    return s->text->marks != NULL;
}

bool answer_open(bertc_session *s, size_t max_text_bytes, bertc_error *error) {
    if (!s->model->descriptor->tokenizer) return true;
    if (!max_text_bytes) max_text_bytes = 65536;
    if (max_text_bytes > ENCODER_TEXT_MAX)
        return error_set(error, "max_text_bytes is %zu: at most %zu", max_text_bytes, ENCODER_TEXT_MAX);
    s->text = heap_zero(1, sizeof *s->text);
    if (!s->text) return error_set(error, "out of memory");
    find_outputs(s);
    answer_prompt *p = &s->text->prompt;
    if (prompt_taken(s)) p->joined = heap_alloc(p->capacity = prompt_room(s, max_text_bytes), 1);
    s->text->encoder = encoder_new(&s->model->tokenizer, p->capacity ? p->capacity : max_text_bytes, error);
    if (!s->text->encoder) return false;
    s->text->tokens = heap_zero((size_t)s->max_tokens, sizeof *s->text->tokens);
    s->text->windows = heap_zero((size_t)s->max_sequences, sizeof *s->text->windows);
    size_t bytes = s->model->task ? answer_bytes(s, max_text_bytes) : 0;
    bool room = s->text->tokens && s->text->windows && (p->joined || !p->capacity) && read_labels(s);
    return (room && store_open(&s->text->store, bytes)) || error_set(error, "out of memory");
}

void answer_close(bertc_session *s) {
    if (!s->text) return;
    encoder_free(s->text->encoder);
    store_close(&s->text->store);
    free(s->text->prompt.joined);
    free(s->text->tokens);
    free(s->text->windows);
    free(s->text->marks);
    free(s->text);
    s->text = NULL;
}

// --- Tokens

static bool check_tokens(const bertc_session *s, const bertc_token *tokens, size_t n, bertc_error *error) {
    int64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t position = session_position(s, tokens[i].id, (int64_t)i, before);
        if (!session_check(s, tokens[i].id, tokens[i].type, position, error)) {
            const char *text = tokenizer_text(&s->model->tokenizer, tokens[i].id);
            return error_prefix(error, "token %zu, `%.100s`", i, text ? text : "");
        }
        before += tokens[i].id != s->model->descriptor->pad_id;
    }
    return n > 0 || error_set(error, "the text has no token");
}

// --- Groups

// The answer to text `place` has just been made, or a window of it gathered.
static bool check_finite(bertc_session *s, int64_t place, bertc_error *error) {
    if (!s->text->unfinite) return true;
    s->text->failed = place;
    return error_set(error,
                     "the answer is not finite: the model gives NaN or infinity for this text (compiling "
                     "it names the tensors that hold them)");
}

static bool flush(bertc_session *s, bertc_error *error) {
    bool ok = true, finite = true;
    if (s->group.sequences == 0) return true;
    session_execute(s);
    for (int64_t q = 0; q < s->group.sequences && ok && finite; q++) {
        answer_part p = answer_part_of(s, q);
        if (s->text->windows[q].of)
            ok = windows_add(&p, &s->text->windows[q]);
        else
            ok = answer_decode(&p);
        finite = !ok || check_finite(s, s->group.places[q], error);
    }
    session_clear(s);
    return finite && (ok || error_set(error, "out of memory for the answers"));
}

// Adds the tokens after those of the group to the group, `more` of them what a query is filled up with; a head reads the
// masks' rows.
static bool pack_sequence(bertc_session *s, int64_t place, answer_window window, size_t shown, size_t more,
                          bertc_error *error) {
    bool masks = answer_has_masks(s), attended = s->model->task->vectors & TASK_VECTORS_ATTENDED;
    size_t n = shown + more;
    int64_t before = 0;
    // Something is left to pool, however short the text was cut.
    size_t skipped = s->text->prompt.tokens < n ? s->text->prompt.tokens : n - 1;
    const bertc_token *tokens = s->text->tokens + s->group.tokens;
    if (!check_tokens(s, tokens, n, error)) return false;
    s->text->windows[s->group.sequences] = window;
    session_begin(s, place);
    for (size_t i = 0; i < n; i++) {
        int32_t id = tokens[i].id;
        int64_t position = session_position(s, id, (int64_t)i, before);
        session_token(s, id, tokens[i].type, (int32_t)position, (int32_t)i,
                      masks && id == s->model->task->mask_id);
        session_set(s, INPUT_PROMPT, i < skipped);
        if (i >= shown) session_set(s, INPUT_MASK, attended);
        before += id != s->model->descriptor->pad_id;
    }
    return true;
}

static bool add_whole(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n,
                      bertc_error *error) {
    size_t shown = n + s->text->prompt.marked, more = vectors_more(s, shown);
    if (!session_room(s, (int64_t)(shown + more)) && !flush(s, error)) return false;
    tokens_lay(s, tokens, n, s->text->tokens + s->group.tokens);
    return pack_sequence(s, place, (answer_window){0}, shown, more, error);
}

static bool add_window(bertc_session *s, const answer_window *w, const bertc_token *tokens, size_t n,
                       bertc_error *error) {
    size_t first = (size_t)w->of->first, moving = (size_t)w->of->count, count = (size_t)w->count,
           rest = n - first - moving;
    if (!session_room(s, (int64_t)(first + count + rest)) && !flush(s, error)) return false;
    bertc_token *to = s->text->tokens + s->group.tokens;
    memcpy(to, tokens, first * sizeof *to);
    memcpy(to + first, tokens + first + w->start, count * sizeof *to);
    memcpy(to + first + count, tokens + first + moving, rest * sizeof *to);
    return pack_sequence(s, w->of->place, *w, first + count + rest, 0, error);
}

static bool add_windows(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n,
                        bertc_error *error) {
    bool pair = s->text->texts[place].pair && answer_task(s) != BERTC_TASK_ENTITIES;
    answer_long *l = windows_begin(s, place, tokens, n, pair);
    if (!l) return error_set(error, "out of memory for the answers");
    int64_t room = tokens_most(s) - ((int64_t)n - l->count), stride = s->text->options->stride;
    if (room < 1)
        return error_set(error, "every window repeats %lld tokens (%sthe special ones), but holds only %lld",
                         (long long)n - l->count,
                         pair                         ? "the text's and "
                         : s->text->texts[place].pair ? "the pair's and "
                                                      : "",
                         (long long)tokens_most(s));
    if (!stride) stride = room / 2 < 128 ? room / 2 : 128;
    if (stride < 0) stride = 0;
    if (stride >= room)
        return error_set(
            error, "stride %lld: windows hold %lld tokens of the %s, and neighbours can share at most %lld",
            (long long)stride, (long long)room, pair ? "pair" : "text", (long long)room - 1);
    for (int64_t start = 0, stop = 0; stop < l->count; start += room - stride) {
        stop = start + room < l->count ? start + room : l->count;
        answer_window w = {l, (int)start, (int)(stop - start)};
        if (!add_window(s, &w, tokens, n, error)) return false;
    }
    return true;
}

static bool finish_windows(bertc_session *s, bertc_error *error) {
    int64_t place = -1;
    if (!windows_finish(s, &place)) return error_set(error, "out of memory for the answers");
    return check_finite(s, place, error);
}

// --- Texts

static bool check_aggregation(bertc_aggregation how, bertc_error *error) {
    switch (how) {
    case BERTC_AGGREGATE_WORDS:
    case BERTC_AGGREGATE_FIRST:
    case BERTC_AGGREGATE_SIMPLE:
    case BERTC_AGGREGATE_AVERAGE:
    case BERTC_AGGREGATE_MAX:
    case BERTC_AGGREGATE_NONE: return true;
    }
    return error_set(error, "aggregation is %d, which is none of bertc_aggregation", (int)how);
}

static bool check_options(const bertc_text_options *o, bertc_error *error) {
    if (!truncation_check(o->truncation, o->truncation_side, error)) return false;
    if (o->top_k < 0) return error_set(error, "top_k is %d: how many, or 0 for the usual number", o->top_k);
    if (o->max_answer_tokens < 0)
        return error_set(error, "max_answer_tokens is %d: how many, or 0 for 15", o->max_answer_tokens);
    if (o->max_tokens < 0)
        return error_set(error, "max_tokens is %lld: how many, or 0 for as many as the model takes",
                         (long long)o->max_tokens);
    if (o->stride < -1)
        return error_set(error, "stride is %d: how many, 0 for the usual number, or -1 for none", o->stride);
    if (o->role < BERTC_ROLE_NONE || o->role > BERTC_ROLE_DOCUMENT)
        return error_set(error, "role is %lld, which is none of bertc_role", (long long)o->role);
    return check_aggregation(o->aggregation, error);
}

static bool check_embedding(const bertc_session *s, bertc_error *error) {
    const bertc_text_options *o = s->text->options;
    if (!o->dimensions && !o->normalize) return true;
    if (answer_task(s) != BERTC_TASK_EMBEDDING)
        return error_set(error, "%s is for embeddings, and the model gives none",
                         o->dimensions ? "dimensions" : "normalize");
    int width = answer_width(s, 0);
    return (o->dimensions >= 0 && o->dimensions <= width) ||
           error_set(error, "dimensions is %d: the model's embeddings have %d numbers (0: as it says itself)",
                     o->dimensions, width);
}

static bool check_role(const bertc_session *s, bertc_error *error) {
    bertc_task_kind kind = answer_task(s);
    return s->text->options->role == BERTC_ROLE_NONE || kind == BERTC_TASK_EMBEDDING ||
           kind == BERTC_TASK_SPARSE || kind == BERTC_TASK_VECTORS || kind == BERTC_TASK_SEVERAL ||
           error_set(error, "role is for embeddings, and the model gives none");
}

// Of a model whose texts have other lengths by their role, or are filled up.
static bool check_lengths(const bertc_session *s, bertc_error *error) {
    int64_t expansion = s->model->task->expansion, most = s->model->max_length;
    if (!tokens_get_vectors(s)) return true;
    if (s->text->options->windows)
        return error_set(error,
                         "a text that gets a vector per token is not read in windows: it can be truncated");
    return s->text->options->role != BERTC_ROLE_QUERY || expansion <= most ||
           error_set(error, "queries have %lld tokens, and the model takes %lld (compile it with --seq %lld)",
                     (long long)expansion, (long long)most, (long long)expansion);
}

static bool check_text(const bertc_session *s, const bertc_text *text, bertc_error *error) {
    if (answer_task(s) != BERTC_TASK_ANSWER) return true;
    if (!text->pair)
        return error_set(
            error,
            "question answering needs the context as the text's pair (bertc run --pair CONTEXT, or a tab "
            "between question and context)");
    return (text->size && text->pair_size) ||
           error_set(error, "the %s is empty", text->size ? "context" : "question");
}

// An answer is found among the context's tokens.
static bool check_context(const bertc_session *s, const bertc_token *tokens, size_t n, bertc_error *error) {
    if (answer_task(s) != BERTC_TASK_ANSWER || s->text->options->no_answer) return true;
    for (size_t i = 0; i < n; i++)
        if (tokens[i].text == 1) return true;
    return error_set(error, "the context has no token, or the question leaves no room for one");
}

// A text without a token, of a model that is a table of embeddings: zeros.
static bool add_empty(bertc_session *s, int64_t place) {
    answer_part p = {.session = s, .text = &s->text->texts[place], .result = &s->text->results[place]};
    int width = answer_width(s, 0);
    float *zeros = store_take(&s->text->store, (size_t)width, sizeof *zeros);
    if (!zeros) return false;
    for (int i = 0; i < width; i++) zeros[i] = 0;
    *p.result = answer_none(s, 0);
    p.result->window_count = 1;
    return answer_embedding(&p, zeros);
}

static bool add_text(bertc_session *s, int64_t place, const bertc_text *text, bertc_error *error) {
    const bertc_token *tokens;
    size_t n;
    int64_t limit = tokens_most(s);
    if (!check_text(s, text, error) || !tokens_of(s, text, &tokens, &n, error) ||
        !check_context(s, tokens, n, error))
        return false;
    if (!mask_check(s, text, tokens, n, error)) return false;
    if (!n && s->model->task->empty && answer_task(s) == BERTC_TASK_EMBEDDING)
        return add_empty(s, place) || error_set(error, "out of memory for the answers");
    if (answer_is_static(s))
        return (answer_static(s, place, tokens, n) || error_set(error, "out of memory for the answers")) &&
               check_finite(s, place, error);
    return (int64_t)n > limit ? add_windows(s, place, tokens, n, error)
                              : add_whole(s, place, tokens, n, error);
}

bool answer_enter(bertc_session *s, const bertc_text_options *options, bertc_text_options *own,
                  bertc_error *error) {
    if (!tokens_there(s, error)) return false;
    if (answer_task(s) == BERTC_TASK_TENSORS)
        return error_set(
            error,
            "the model has no head that answers a text: it gives tensors only (compile it with --head)");
    if (!sized_take(SIZED_bertc_text_options, options, own, error) || !check_options(own, error) ||
        !session_enter(s, error))
        return false;
    s->text->options = own;
    s->text->longs = NULL;
    s->text->unfinite = false;
    s->text->failed = -1;
    store_reset(&s->text->store);
    session_clear(s);
    return true;
}

bool answer_begin(bertc_session *s, bertc_error *error) {
    return check_embedding(s, error) && check_role(s, error) && check_lengths(s, error) &&
           prompt_begin(s, error);
}

bool answer_all(bertc_session *s, const bertc_text *texts, size_t count, int64_t *at, bertc_error *error) {
    *at = -1;
    s->text->texts = texts;
    if (!answer_begin(s, error)) return false;
    s->text->results = store_take(&s->text->store, count, sizeof *s->text->results);
    if (!s->text->results) return error_set(error, "out of memory for the answers");
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        ok = add_text(s, (int64_t)i, &s->text->texts[i], error);
        *at = ok ? -1 : (int64_t)i;
    }
    ok = ok && flush(s, error) && finish_windows(s, error);
    if (s->text->failed >= 0) *at = s->text->failed;
    return ok;
}

bool bertc_answer_texts(bertc_session *s, const bertc_text *texts, size_t count,
                        const bertc_text_options *options, bertc_result *results, bertc_error *error) {
    bertc_text_options own;
    int64_t at;
    if (!s || (count && (!texts || !results)))
        return error_set(error, "%s is NULL", !s ? "session" : !texts ? "texts" : "results");
    if ((count && !sized_check(SIZED_bertc_result, results, error)) || !answer_enter(s, options, &own, error))
        return false;
    bool ok = answer_all(s, texts, count, &at, error);
    if (!ok && at >= 0 && count > 1) error_prefix(error, "text %lld of %zu", (long long)at + 1, count);
    for (size_t i = 0; ok && i < count; i++) sized_give(SIZED_bertc_result, &s->text->results[i], results, i);
    session_leave(s);
    return ok;
}
