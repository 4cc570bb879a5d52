// The structs of bertc.h and bertc_train.h that applications allocate and whose first field is their size: the size says which version
// of the header the application was built with. What its struct lacks is unset; what it has more must be unset.
#ifndef BERTC_SIZED_H
#define BERTC_SIZED_H

#include <stddef.h>

#include "runtime/bertc_train.h"

// Every such struct, and its bytes when it came, which no application's is below; they never change. A later field begins
// behind the struct's size of before, not in the padding at its end, which an application leaves as it is.
#define SIZED_LIST(X)                                                                                        \
    X(bertc_load_options, 8)                                                                                 \
    X(bertc_model_info, 88)                                                                                  \
    X(bertc_session_options, 64)                                                                             \
    X(bertc_batch, 96)                                                                                       \
    X(bertc_tensor, 80)                                                                                      \
    X(bertc_parameter, 80)                                                                                   \
    X(bertc_text_options, 88)                                                                                \
    X(bertc_zero_shot_options, 40)                                                                           \
    X(bertc_summary_options, 24)                                                                             \
    X(bertc_result, 136)                                                                                     \
    X(bertc_target, 32)                                                                                      \
    X(bertc_train_batch, 104)                                                                                \
    X(bertc_train_update, 24)                                                                                \
    X(bertc_train_tensor, 88)
typedef enum sized_type {
#define X(name, least) SIZED_##name,
    SIZED_LIST(X)
#undef X
        SIZED_COUNT
} sized_type;

// Is the first field of `given` a size that such a struct may have?
bool sized_check(sized_type type, const void *given, bertc_error *error);
// Copies the caller's struct to *out, which is this version's; `given` NULL: unset.
bool sized_take(sized_type type, const void *given, void *out, bertc_error *error);
// Copies `own`, this version's, to the i-th struct of a checked array of the caller's, whose first one says the size of all.
void sized_give(sized_type type, const void *own, void *array, size_t i);

#endif
