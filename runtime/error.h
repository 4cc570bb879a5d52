// Errors of the runtime: one line in the caller's bertc_error.
#ifndef BERTC_ERROR_H
#define BERTC_ERROR_H

#include "runtime/bertc.h"

// Fills *error (which may be NULL) with a printf-formatted line, cut to its size; returns false so that
// callers can return it.
bool error_set(bertc_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Puts "prefix: " before the message.
bool error_prefix(bertc_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
