// Opening and closing a session: its memory and threads, then its text side.
#include "runtime/answer/answer.h"
#include "runtime/error.h"
#include "runtime/sized.h"

bertc_session *bertc_open(bertc_model *model, const bertc_session_options *options, bertc_error *error) {
    bertc_session_options o;
    if (!model) {
        error_set(error, "model is NULL");
        return NULL;
    }
    if (!sized_take(SIZED_bertc_session_options, options, &o, error)) return NULL;
    if (o.threads < 0 || o.threads > 4096) {
        error_set(error, "%d threads: not between 1 and 4096", o.threads);
        return NULL;
    }
    bertc_session *s = session_open(model, &o, error);
    if (!s || answer_open(s, o.max_text_bytes, error)) return s;
    bertc_close(s);
    return NULL;
}

void bertc_close(bertc_session *s) {
    if (!s) return;
    if (!session_is_torn(s)) answer_close(s); // else its buffers may be half grown: they stay
    session_close(s);
}
