// The rows of a group's outputs that answers are made of.
#include "runtime/answer/answer.h"
#include "runtime/load/check.h"

const float *answer_row(const answer_part *p, int output, int64_t r) {
    return session_output(p->session, p->session->text->outputs[output], r);
}

int answer_width(const bertc_session *s, int output) {
    return (int)port_width(&s->model->outputs[s->text->outputs[output]], 0);
}
