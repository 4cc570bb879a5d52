// The rows of a group's outputs that answers are made of, and the answer that has none yet.
#include "runtime/answer/answer.h"
#include "runtime/load/check.h"

const float *answer_row(const answer_part *p, int output, int64_t r) {
    return session_output(p->session, p->session->text->outputs[output], r);
}

int answer_width(const bertc_session *s, int output) {
    return (int)port_width(&s->model->outputs[s->text->outputs[output]], 0);
}

bertc_result answer_none(const bertc_session *s, size_t tokens) {
    return (bertc_result){.task = (int)answer_task(s),
                          .token_count = (int)tokens,
                          .next_sentence = -1,
                          .raw_scores = s->text->options->raw_scores};
}
