// Finds the range of a value in a calibration.
#include <string.h>

#include "passes/passes.h"

const channel_range *calibration_find(const calibration *c, const char *name, int64_t n) {
    for (int i = 0; c && name && i < c->count; i++)
        if (c->ranges[i].n == n && !strcmp(c->ranges[i].name, name)) return &c->ranges[i];
    return NULL;
}
