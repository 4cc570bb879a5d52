// What this machine can run, for tests.
#ifndef BERTC_TESTS_HOST_H
#define BERTC_TESTS_HOST_H
#include "backend/backend.h"

static inline bool runs_here(const target *t) {
    target host;
    diag d;
    diag_init(&d);
    bool ok = target_init(&host, NULL, "native", &d) && (t->feature_bits & ~host.feature_bits) == 0;
    diag_free(&d);
    return ok;
}

#endif
