// The server's log: a line on standard error for each request and event.
#ifndef BERTC_CLI_LOG_H
#define BERTC_CLI_LOG_H

#include "frontend/cli/serve/call.h"

typedef enum log_kind { LOG_NONE, LOG_TEXT, LOG_JSON } log_kind;

// "text", "json", "none". False for other words.
bool log_kind_of(const char *word, log_kind *kind);
// A line that says what happened; `level` is info, warn or error.
void log_event(log_kind kind, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_request(log_kind kind, const call *c, const char *method, const char *from);

#endif
