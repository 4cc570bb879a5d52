#include "frontend/cli/train/log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"
#include "ir/output_file.h"

const char *number_text(double v, char *buf) {
    if (!isfinite(v)) return strcpy(buf, "null");
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(buf, 32, "%.*g", digits, v);
        if (strtod(buf, NULL) == v) break;
    }
    return buf;
}

// A loss is computed as a float: the shortest decimal that reads as that again.
static const char *float_text(double v, char *buf) {
    if (!isfinite(v) || (double)(float)v != v) return number_text(v, buf);
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(buf, 32, "%.*g", digits, v);
        if (strtof(buf, NULL) == (float)v) break;
    }
    return buf;
}

static char *path_in(const char *folder, const char *name) {
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = memory_must(memory_alloc(n, 1));
    snprintf(path, n, "%s/%s", folder, name);
    return path;
}

static bool failed(const train_log *l, const char *what, diag *d) {
    return diag_error(d, l->path, "can't be %s: %s", what, strerror(errno));
}

// --- What is there already

static double number_of(const cJSON *line, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, key);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static void replay(plot *p, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - text) - at : size - at;
        cJSON *line = cJSON_ParseWithLength(text + at, n);
        double step = number_of(line, "step"), loss = number_of(line, "loss");
        double dev = number_of(line, "eval_loss");
        if (isfinite(step) && isfinite(loss)) plot_step(p, (int64_t)step, loss);
        if (isfinite(step) && isfinite(dev)) plot_epoch(p, (int64_t)step, dev);
        cJSON_Delete(line);
        at += n + 1;
    }
}

bool train_log_open(train_log *l, const char *folder, diag *d) {
    *l = (train_log){.fd = -1, .path = path_in(folder, "log.jsonl"), .svg = path_in(folder, "loss.svg")};
    l->fd = open(l->path, O_RDWR | O_CLOEXEC | O_CREAT, 0666);
    if (l->fd < 0) return failed(l, "written", d);
    return !flock(l->fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK ||
           diag_error(d, l->path, "is being written by another run");
}

bool train_log_keep(train_log *l, int64_t keep, diag *d) {
    struct stat st;
    if (fstat(l->fd, &st)) return failed(l, "read", d);
    if (!S_ISREG(st.st_mode) || st.st_size < keep)
        return diag_error(d, l->path,
                          "has %" PRId64 " bytes, and %" PRId64 " when the checkpoint was written",
                          (int64_t)st.st_size, keep);
    char *text = memory_must(memory_alloc((size_t)keep + 1, 1));
    ssize_t n = pread(l->fd, text, (size_t)keep, 0);
    bool ok = (n == keep && !ftruncate(l->fd, keep)) || failed(l, "read", d);
    if (ok) replay(&l->plot, text, (size_t)keep);
    free(text);
    l->bytes = keep;
    return ok && (lseek(l->fd, 0, SEEK_END) == keep || failed(l, "read", d));
}

// --- Lines

// A line in one call, so that whoever reads along sees whole ones.
static bool put(train_log *l, const char *text, size_t size, diag *d) {
    if (!output_file_put(l->fd, text, size, l->path, d)) return false;
    l->bytes += (int64_t)size;
    return true;
}

bool train_log_step(train_log *l, int64_t step, double loss, double norm, double rate, diag *d) {
    char line[192], a[32], b[32], c[32];
    int n = snprintf(line, sizeof line,
                     "{\"step\": %" PRId64 ", \"loss\": %s, \"grad_norm\": %s, \"learning_rate\": %s}\n",
                     step, float_text(loss, a), float_text(norm, b), number_text(rate, c));
    plot_step(&l->plot, step, loss);
    return put(l, line, (size_t)n, d);
}

bool train_log_epoch(train_log *l, int64_t epoch, int64_t step, const log_metric *metrics, int count,
                     diag *d) {
    char *text = NULL, number[32];
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    fprintf(f, "{\"epoch\": %" PRId64 ", \"step\": %" PRId64, epoch, step);
    for (int i = 0; i < count; i++) {
        fprintf(f, ", \"eval_%s\": %s", metrics[i].name, number_text(metrics[i].value, number));
        if (!strcmp(metrics[i].name, "loss")) plot_epoch(&l->plot, step, metrics[i].value);
    }
    fputs("}\n", f);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    bool ok = put(l, text, size, d);
    free(text);
    return ok;
}

bool train_log_sync(train_log *l, diag *d) {
    if (fdatasync(l->fd)) return failed(l, "written", d);
    char *text = NULL;
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    plot_draw(&l->plot, f);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    bool ok = output_file_text(l->svg, text, size, false, d);
    free(text);
    return ok;
}

void train_log_close(train_log *l) {
    if (l->fd >= 0) close(l->fd);
    free(l->path);
    free(l->svg);
    l->fd = -1;
}
