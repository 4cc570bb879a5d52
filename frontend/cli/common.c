#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "frontend/cli/cli.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"
#include "ir/output_file.h"

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
    errno = 0;
    bool written = fflush(stdout) == 0 && !ferror(stdout), err = !ferror(stderr);
    if (!written) {
        diag_error(d, "standard output", "can't be written: %s",
                   errno ? strerror(errno) : "a part of it is lost");
        __fpurge(stdout); // or it would be tried again, and said again
        clearerr(stdout);
    }
    if (!err) {
        diag_error(d, "standard error", "can't be written");
        clearerr(stderr);
    }
    return written && err;
}

bool is_checkpoint(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return true;
    return hub_ends_with(path, ".safetensors") || hub_ends_with(path, ".st") ||
           hub_ends_with(path, ".json") || hub_is_torch(path);
}

// --- Outputs that would replace what is read

bool same_file(const char *a, const char *b) {
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// By their endings: an artefact may lie beside the checkpoint that it is made from.
static bool is_model_file(const char *name) {
    static const char *const endings[] = {".safetensors", ".st", ".bin", ".pt", ".json", ".txt"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hub_ends_with(name, endings[i])) return true;
    return false;
}

// `depth`: of folders below it (the modules of sentence-transformers).
static bool folder_holds(const char *folder, int depth, const char *output) {
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOMEM) memory_exhausted();
    bool found = false;
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path) continue;
        if (is_model_file(e->d_name))
            found = same_file(path, output);
        else if (depth && e->d_name[0] != '.')
            found = folder_holds(path, depth - 1, output);
    }
    if (dir) closedir(dir);
    return found;
}

bool spares_checkpoint(const hub_options *o, const char *output, diag *d) {
    struct stat s;
    if (stat(output, &s) || !S_ISREG(s.st_mode)) return true;
    char folder[4096];
    const char *slash = strrchr(o->model, '/');
    bool is_folder = !stat(o->model, &s) && S_ISDIR(s.st_mode);
    int n = is_folder || slash ? (int)(is_folder ? strlen(o->model) : (size_t)(slash - o->model) + 1) : 1;
    snprintf(folder, sizeof folder, "%.*s", n, is_folder || slash ? o->model : ".");
    bool read = same_file(o->model, output) || folder_holds(folder, 1, output) ||
                (o->config && same_file(o->config, output)) ||
                (o->tokenizer && same_file(o->tokenizer, output));
    return !read || diag_error(d, output, "is a file of the checkpoint, and would be replaced");
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

char *json_line(const cJSON *json) {
    out o = {0};
    out_json(&o, json);
    out_bytes(&o, "", 1);
    if (o.bad) memory_exhausted();
    return o.text;
}

void json_figure(cJSON *o, const char *name, double x) {
    cJSON_AddNumberToObject(o, name, (double)(float)x);
}

bool json_file(const char *path, const cJSON *json, diag *d) {
    out o = {0};
    out_json(&o, json);
    out_bytes(&o, "\n", 1);
    if (o.bad) memory_exhausted();
    bool ok = output_file_text(path, o.text, o.size, true, d);
    out_free(&o);
    return ok;
}

void print_json(cJSON *json) {
    char *text = json_line(json);
    puts(text);
    free(text);
    cJSON_Delete(json);
}
