// Opening and closing a trainer, and the parts of a step.
#include "runtime/train/train.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/sized.h"

static int find_output(const bertc_model *m, const char *name) {
    for (uint32_t i = 0; i < m->descriptor->output_count; i++)
        if (!strcmp(model_at(m, m->outputs[i].name), name)) return (int)i;
    return -1;
}

// Is it one number for the whole call?
static bool is_number(const bertc_model *m, int output) {
    const bertc_port *p = output < 0 ? NULL : &m->outputs[output];
    return p && p->leading == BERTC_NUMBER && p->rank == 1 && p->shape[0] == 1;
}

// Why the model does not train; NULL: it does.
static const char *lack_of(const bertc_model *m) {
    if (!is_number(m, find_output(m, "loss"))) return "it has no output `loss` of one number";
    if (!m->descriptor->updates || !m->variants[0].forward[0])
        return "it has no update of its parameters: compile it with --train";
    return NULL;
}

bool bertc_model_trains(const bertc_model *m) {
    return m && !lack_of(m);
}

bertc_trainer *bertc_trainer_open(bertc_model *m, const bertc_session_options *options, bertc_error *error) {
    const char *lack = m ? lack_of(m) : "model is NULL";
    if (lack) {
        error_set(error, "%s%s", m ? "the model does not train: " : "", lack);
        return NULL;
    }
    bertc_trainer *t = heap_zero(1, sizeof *t);
    if (!t) {
        error_set(error, "out of memory");
        return NULL;
    }
    t->loss = find_output(m, "loss");
    t->norm = find_output(m, "grad_norm");
    if (!is_number(m, t->norm)) t->norm = -1;
    t->session = bertc_open(m, options, error);
    if (!t->session) {
        free(t);
        return NULL;
    }
    if (pieces_open(t)) return t;
    bertc_trainer_close(t);
    error_set(error, "out of memory");
    return NULL;
}

void bertc_trainer_close(bertc_trainer *t) {
    if (!t) return;
    bertc_close(t->session);
    pieces_close(t);
    free(t);
}

bool bertc_trainer_trim(bertc_trainer *t, bertc_error *error) {
    if (!t) return error_set(error, "trainer is NULL");
    if (!session_enter(t->session, error)) return false;
    session_trim(t->session);
    session_leave(t->session);
    return true;
}

bertc_session *bertc_trainer_session(bertc_trainer *t) {
    return t ? t->session : NULL;
}

bool bertc_trainer_fits(const bertc_trainer *t, int64_t tokens, int64_t texts, int64_t longest) {
    return t && tokens >= 0 && texts >= 0 && longest >= 0 && session_fits(t->session, tokens, texts, longest);
}

// --- Parts of a step

static bool take_update(const bertc_train_update *update, bertc_train_update *own, bertc_error *error) {
    if (!update) return error_set(error, "update is NULL");
    if (!sized_take(SIZED_bertc_train_update, update, own, error)) return false;
    if (own->step < 1) return error_set(error, "step %d: the first one is 1", own->step);
    if (!(own->rate >= 0)) return error_set(error, "a rate of %g", (double)own->rate);
    return own->clip >= 0 || error_set(error, "a clip of %g: 0, or the largest norm", (double)own->clip);
}

static void set_update(bertc_session *s, const bertc_train_update *u) {
    s->numbers.step = u->step;
    s->numbers.rate = u->rate;
    s->numbers.clip = u->clip;
}

// Takes the outputs of the call and ends it.
static void finish(bertc_trainer *t, float *loss, float *norm) {
    bertc_session *s = t->session;
    if (loss) *loss = *session_output(s, t->loss, 0);
    if (norm) *norm = t->norm < 0 ? 0 : *session_output(s, t->norm, 0);
    session_clear(s);
    session_forget_targets(s);
    s->numbers = (bertc_numbers){0};
    session_leave(s);
}

static bool check_trainer(const bertc_trainer *t, bertc_error *error) {
    return t || error_set(error, "trainer is NULL");
}

bool bertc_trainer_forward(bertc_trainer *t, const bertc_train_batch *batch, float *const *buffers,
                           bertc_tensor *tensors, float *loss, bertc_error *error) {
    bertc_train_batch own;
    if (!check_trainer(t, error) || !batch_take(t, batch, buffers, &own, error)) return false;
    if (tensors && !sized_check(SIZED_bertc_tensor, tensors, error)) return false;
    bertc_session *s = t->session;
    if (!session_enter(s, error)) return false;
    const output_grid grid = batch_grid(&own);
    batch_pack(s, &own);
    session_execute_parts(s, SESSION_FORWARD, SESSION_BACKWARD);
    for (uint32_t i = 0; i < s->model->descriptor->output_count; i++) {
        float *to = buffers ? buffers[i] : NULL;
        const bertc_tensor described = output_describe(s->model, (int)i, &grid, to);
        if (to) {
            size_t count = 1;
            for (int k = 0; k < described.rank; k++) count *= (size_t)described.shape[k];
            memset(to, 0, count * sizeof *to);
            output_scatter(s, (int)i, &grid, to);
        }
        if (tensors) sized_give(SIZED_bertc_tensor, &described, tensors, i);
    }
    finish(t, loss, NULL);
    return true;
}

bool bertc_trainer_gradients(bertc_trainer *t, const bertc_train_batch *batch, bool first, float *loss,
                             bertc_error *error) {
    bertc_train_batch own;
    if (!check_trainer(t, error) || !batch_take(t, batch, NULL, &own, error)) return false;
    if (!session_enter(t->session, error)) return false;
    batch_pack(t->session, &own);
    t->session->numbers.keep = first ? 0 : 1;
    pieces_run(t);
    finish(t, loss, NULL);
    return true;
}

bool bertc_trainer_update(bertc_trainer *t, const bertc_train_update *update, float *norm,
                          bertc_error *error) {
    bertc_train_update own;
    if (!check_trainer(t, error) || !take_update(update, &own, error)) return false;
    if (!session_enter(t->session, error)) return false;
    session_clear(t->session);
    set_update(t->session, &own);
    session_execute_parts(t->session, SESSION_UPDATE, SESSION_PARTS);
    finish(t, NULL, norm);
    return true;
}

bool bertc_trainer_step(bertc_trainer *t, const bertc_train_batch *batch, const bertc_train_update *update,
                        float *loss, float *norm, bertc_error *error) {
    bertc_train_batch own;
    bertc_train_update how;
    if (!check_trainer(t, error) || !take_update(update, &how, error) ||
        !batch_take(t, batch, NULL, &own, error) || !session_enter(t->session, error))
        return false;
    batch_pack(t->session, &own);
    set_update(t->session, &how);
    session_execute_parts(t->session, SESSION_FORWARD, SESSION_PARTS);
    finish(t, loss, norm);
    return true;
}
