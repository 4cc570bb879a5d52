// What training changes, by name: parameters, gradients, and the optimiser's states.
#include <string.h>

#include "runtime/error.h"
#include "runtime/session/parameters.h"
#include "runtime/sized.h"
#include "runtime/train/train.h"

#define GRADIENT_PREFIX "gradient."

const char *tensor_name(const bertc_model *m, int index) {
    int count;
    return model_at(m, parameter_parts(m, index, &count)->name);
}

bertc_tensor_kind tensor_kind(const bertc_model *m, int index) {
    if (index < m->parameter_count) return BERTC_TENSOR_PARAMETER;
    return strncmp(tensor_name(m, index), GRADIENT_PREFIX, strlen(GRADIENT_PREFIX)) ? BERTC_TENSOR_OPTIMIZER
                                                                                    : BERTC_TENSOR_GRADIENT;
}

bertc_train_tensor tensor_describe(const bertc_model *m, int index) {
    int count;
    const bertc_parameter_part *p = parameter_parts(m, index, &count);
    bertc_train_tensor x = {
        .name = tensor_name(m, index), .kind = tensor_kind(m, index), .rank = p->rank, .count = 1};
    for (uint32_t i = 0; i < p->rank; i++) {
        x.shape[i] = p->shape[i];
        x.count *= p->shape[i];
    }
    return x;
}

static bool check_index(const bertc_trainer *t, int index, bertc_error *error) {
    if (!t) return error_set(error, "trainer is NULL");
    int count = t->session->model->tensor_count;
    return (index >= 0 && index < count) || error_set(error, "tensor %d: the trainer has %d", index, count);
}

int bertc_trainer_tensor_count(const bertc_trainer *t) {
    return t ? t->session->model->tensor_count : 0;
}

bool bertc_trainer_tensor_describe(const bertc_trainer *t, int index, bertc_train_tensor *out,
                                   bertc_error *error) {
    if (!check_index(t, index, error)) return false;
    if (!out) return error_set(error, "the tensor is NULL");
    if (!sized_check(SIZED_bertc_train_tensor, out, error)) return false;
    const bertc_train_tensor own = tensor_describe(t->session->model, index);
    sized_give(SIZED_bertc_train_tensor, &own, out, 0);
    return true;
}

int bertc_trainer_tensor_find(const bertc_trainer *t, const char *name) {
    for (int i = 0; name && i < bertc_trainer_tensor_count(t); i++)
        if (!strcmp(tensor_name(t->session->model, i), name)) return i;
    return -1;
}

bool bertc_trainer_tensor_read(bertc_trainer *t, int index, float *data, bertc_error *error) {
    return check_index(t, index, error) && parameter_move(t->session, index, data, NULL, error);
}

bool bertc_trainer_tensor_write(bertc_trainer *t, int index, const float *data, bertc_error *error) {
    return check_index(t, index, error) && parameter_move(t->session, index, NULL, data, error);
}
