#include "ir/target.h"

#include <string.h>

static const char *const names[PRECISION_COUNT] = {[PRECISION_F32] = "f32",
                                                   [PRECISION_BF16] = "bf16",
                                                   [PRECISION_INT8] = "int8",
                                                   [PRECISION_INT8W] = "int8w"};

const char *precision_name(precision p) {
    return names[p];
}

bool precision_find(const char *name, precision *out) {
    for (precision p = 0; p < PRECISION_COUNT; p++) {
        if (strcmp(name, names[p])) continue;
        *out = p;
        return true;
    }
    return false;
}
