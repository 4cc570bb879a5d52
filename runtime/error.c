// Errors of the runtime: one line in the caller's bertc_error.
#include "runtime/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(bertc_error *error, const char *format, ...) {
    if (!error) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    for (char *c = error->message; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' '; // names from files must not break the line
    return false;
}

bool error_prefix(bertc_error *error, const char *format, ...) {
    if (!error) return false;
    bertc_error old = *error;
    char prefix[sizeof error->message];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return error_set(error, "%s: %s", prefix, old.message);
}
