// The parameters of a session, as tensors of the checkpoint: the states, moved back to where they came from.
#include "runtime/session/parameters.h"

#include "runtime/error.h"
#include "runtime/sized.h"

static bool check_index(const bertc_model *m, int index, bertc_error *error) {
    if (index >= 0 && index < m->parameter_count) return true;
    return error_set(error, "parameter %d: the model has %d of them", index, m->parameter_count);
}

int bertc_parameter_count(const bertc_model *m) {
    return m ? m->parameter_count : 0;
}

const bertc_parameter_part *parameter_parts(const bertc_model *m, int index, int *count) {
    *count = m->parameter_at[index + 1] - m->parameter_at[index];
    return m->parts + m->parameter_at[index];
}

bool bertc_parameter_describe(const bertc_model *m, int index, bertc_parameter *out, bertc_error *error) {
    int count;
    if (!m) return error_set(error, "model is NULL");
    if (!out) return error_set(error, "the parameter is NULL");
    if (!check_index(m, index, error)) return false;
    const bertc_parameter_part *p = parameter_parts(m, index, &count);
    if (!sized_check(SIZED_bertc_parameter, out, error)) return false;
    bertc_parameter own = {.name = model_at(m, p->name), .rank = (int)p->rank, .count = 1};
    for (uint32_t i = 0; i < p->rank; i++) {
        own.shape[i] = p->shape[i];
        own.count *= p->shape[i];
    }
    sized_give(SIZED_bertc_parameter, &own, out, 0);
    return true;
}

// Element (row, column) of the matrix that holds the part.
static float *state_at(const bertc_session *s, const bertc_parameter_part *p, int64_t row, int64_t column) {
    float *state = (float *)(void *)(s->states + p->offset);
    if (!p->packed) return state + row * p->state_columns + column;
    return state + (column / 16 * p->state_rows + row) * 16 + column % 16;
}

// `to` NULL: from the tensor into the state; else the other way.
static void move(const bertc_session *s, const bertc_parameter_part *p, float *to, const float *from) {
    for (int64_t i = 0; i < p->rows; i++) {
        for (int64_t j = 0; j < p->columns; j++) {
            int64_t at = p->first + (p->transposed ? j * p->rows + i : i * p->columns + j);
            float *state = state_at(s, p, p->row + i, p->column + j);
            if (to)
                to[at] = *state;
            else
                *state = from[at];
        }
    }
}

void parameter_copy(bertc_session *s, int index, float *to, const float *from) {
    int count;
    const bertc_parameter_part *parts = parameter_parts(s->model, index, &count);
    for (int i = 0; i < count; i++) move(s, &parts[i], to, from);
}

bool parameter_move(bertc_session *s, int index, float *to, const float *from, bertc_error *error) {
    if (!to && !from) return error_set(error, "data is NULL");
    if (!session_enter(s, error)) return false;
    parameter_copy(s, index, to, from);
    session_leave(s);
    return true;
}

bool bertc_parameter_read(bertc_session *s, int index, float *data, bertc_error *error) {
    if (!s) return error_set(error, "session is NULL");
    return check_index(s->model, index, error) && parameter_move(s, index, data, NULL, error);
}

bool bertc_parameter_write(bertc_session *s, int index, const float *data, bertc_error *error) {
    if (!s) return error_set(error, "session is NULL");
    return check_index(s->model, index, error) && parameter_move(s, index, NULL, data, error);
}
