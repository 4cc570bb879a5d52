// Embeddings of many texts as the rows of one matrix.
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"

static bool check_model(const bertc_session *s, bertc_error *error) {
    bertc_task_kind kind = answer_task(s);
    return kind == BERTC_TASK_EMBEDDING || (kind == BERTC_TASK_SEVERAL && s->text->outputs[0] >= 0) ||
           error_set(error, "the model gives no embeddings");
}

// The width that the call's embeddings have, which must be the rows'.
static bool check_width(const bertc_session *s, int64_t width, bertc_error *error) {
    int64_t asked = s->text->options->dimensions, own = s->model->task->dimensions;
    if (!asked) asked = own ? own : answer_width(s, 0);
    return width == asked || error_set(error, "width is %lld: the call's embeddings have %lld numbers",
                                       (long long)width, (long long)asked);
}

bool bertc_embed_texts(bertc_session *s, const bertc_text *texts, size_t count,
                       const bertc_text_options *options, float *embeddings, int64_t width,
                       bertc_error *error) {
    bertc_text_options own;
    int64_t at = -1;
    if (!s || (count && (!texts || !embeddings)))
        return error_set(error, "%s is NULL", !s ? "session" : !texts ? "texts" : "embeddings");
    if (!answer_enter(s, options, &own, error)) return false;
    bool ok =
        check_model(s, error) && check_width(s, width, error) && answer_all(s, texts, count, &at, error);
    if (!ok && at >= 0 && count > 1) error_prefix(error, "text %lld of %zu", (long long)at + 1, count);
    for (size_t i = 0; ok && i < count; i++)
        memcpy(embeddings + i * (size_t)width, s->text->results[i].embedding, (size_t)width * sizeof(float));
    session_leave(s);
    return ok;
}
