// The tensors that lie in a session's states: parameters, and behind them those of training.
#ifndef BERTC_PARAMETERS_H
#define BERTC_PARAMETERS_H

#include "runtime/session/session.h"

// The parts of a tensor, index in [0, tensor_count), *count of them.
const bertc_parameter_part *parameter_parts(const bertc_model *m, int index, int *count);
// All of a tensor, in the checkpoint's order: to `to`, or, where that is NULL, from `from`. Within a call.
void parameter_copy(bertc_session *s, int index, float *to, const float *from);
// The same as a call of its own. False, with an error, where both are NULL, or the session is in a call.
bool parameter_move(bertc_session *s, int index, float *to, const float *from, bertc_error *error);

#endif
