#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

int finish(diag *d) {
    int status = diag_failed(d) ? EXIT_FAILED : EXIT_OK;
    diag_print(d, stderr);
    diag_free(d);
    return status;
}

bool runtime_failed(diag *d, const bertc_error *e) {
    size_t n = d->subject ? strlen(d->subject) : 0; // the loader's messages name the file, the others don't
    bool named = n && !strncmp(e->message, d->subject, n) && !strncmp(e->message + n, ": ", 2);
    return diag_error(d, NULL, "%s", e->message + (named ? n + 2 : 0));
}

double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool flush_stdout(diag *d) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    return diag_error(d, "standard output", "can't be written: %s", strerror(errno));
}

const char *size_text(int64_t bytes, char *buf, size_t size) {
    if (bytes < 1000)
        snprintf(buf, size, "%" PRId64 " B", bytes);
    else if (bytes < 1000000)
        snprintf(buf, size, "%.1f kB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        snprintf(buf, size, "%.1f MB", (double)bytes / 1e6);
    else
        snprintf(buf, size, "%.2f GB", (double)bytes / 1e9);
    return buf;
}

void print_json(cJSON *json) {
    char *text = cJSON_PrintUnformatted(json);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
}
