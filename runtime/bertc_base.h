// What the other public headers of libbertc need: structs that say their size, models and sessions by name, errors.
// Applications include bertc.h.
#ifndef BERTC_BASE_H
#define BERTC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Structs that an application fills in or hands over to be filled in begin with their size, so that later versions can
// have more fields: bertc_batch b = {BERTC_SIZED(bertc_batch), .batch = 1}, or bertc_result r = BERTC_RESULT_INIT. A
// size that is none is an error that says so. Of an array, the first one's counts for all. Structs without a size
// never change: what is new comes in a new struct or function.
#if defined(__cplusplus) && __cplusplus < 202002L
#define BERTC_SIZED(type) sizeof(type)
#else
#define BERTC_SIZED(type) .size = sizeof(type)
#endif
#ifdef __cplusplus
template <class T> inline T bertc_sized() {
    T sized = {};
    sized.size = sizeof(T);
    return sized;
}
#define BERTC_INIT(type) bertc_sized<type>()
#else
#define BERTC_INIT(type) {BERTC_SIZED(type)}
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BERTC_API __attribute__((visibility("default")))

typedef struct bertc_model bertc_model;
typedef struct bertc_session bertc_session;

typedef struct bertc_error {
    char message[512]; // one line, names the file and the place
} bertc_error;

#ifdef __cplusplus
}
#endif
#endif
