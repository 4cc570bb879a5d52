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

#include "frontend/hub/files/out.h"
#include "ir/memory.h"
#include "ir/output_file.h"

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

// As it was drawn: numbers of the log are floats.
static double number_of(const cJSON *line, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(line, key);
    return cJSON_IsNumber(v) ? (double)(float)v->valuedouble : NAN;
}

static void replay(plot *p, const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - text) - at : size - at;
        cJSON *line = cJSON_ParseWithLength(text + at, n);
        const cJSON *at_step = cJSON_GetObjectItemCaseSensitive(line, "step");
        double step = cJSON_IsNumber(at_step) ? at_step->valuedouble : NAN, loss = number_of(line, "loss");
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

// A line in one call, so that whoever reads along sees whole ones. Ends it.
static bool put(train_log *l, out *line, diag *d) {
    out_text(line, "}\n");
    if (line->bad) memory_exhausted();
    bool ok = output_file_put(l->fd, line->text, line->size, l->path, d);
    if (ok) l->bytes += (int64_t)line->size;
    out_free(line);
    return ok;
}

// Numbers are for reading: those that were computed as doubles are rounded to floats.
bool train_log_step(train_log *l, int64_t step, double loss, double norm, double rate, diag *d) {
    out line = {0};
    out_format(&line, "{\"step\": %" PRId64 ", \"loss\": ", step);
    out_float(&line, (float)loss);
    out_text(&line, ", \"grad_norm\": ");
    out_float(&line, (float)norm);
    out_text(&line, ", \"learning_rate\": ");
    out_float(&line, (float)rate);
    plot_step(&l->plot, step, (double)(float)loss);
    return put(l, &line, d);
}

bool train_log_epoch(train_log *l, int64_t epoch, int64_t step, const log_metric *metrics, int count,
                     diag *d) {
    out line = {0};
    out_format(&line, "{\"epoch\": %" PRId64 ", \"step\": %" PRId64, epoch, step);
    for (int i = 0; i < count; i++) {
        out_format(&line, ", \"eval_%s\": ", metrics[i].name);
        out_float(&line, (float)metrics[i].value);
        if (!strcmp(metrics[i].name, "loss")) plot_epoch(&l->plot, step, (double)(float)metrics[i].value);
    }
    return put(l, &line, d);
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
