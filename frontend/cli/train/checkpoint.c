#include "frontend/cli/train/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"

#define PREFIX  "checkpoint-"
#define PARTIAL ".partial"

// A path that is too long is cut, and then is no file that there is.
checkpoint_path checkpoint_file(const char *folder, const char *name) {
    checkpoint_path p;
    if (snprintf(p.text, sizeof p.text, "%s/%s", folder, name) >= (int)sizeof p.text) p.text[0] = 0;
    return p;
}

checkpoint_path checkpoint_folder(const char *out, int64_t step) {
    char name[40];
    snprintf(name, sizeof name, PREFIX "%" PRId64, step);
    return checkpoint_file(out, name);
}

// --- What is there

// The step of "checkpoint-STEP"; *partial: with ".partial" behind it. -1: it is no such name.
static int64_t step_of(const char *name, bool *partial) {
    if (strncmp(name, PREFIX, strlen(PREFIX))) return -1;
    const char *digits = name + strlen(PREFIX);
    size_t n = strspn(digits, "0123456789");
    *partial = !strcmp(digits + n, PARTIAL);
    return n && n < 18 && (*partial || !digits[n]) ? strtoll(digits, NULL, 10) : -1;
}

static bool is_whole(const char *out, int64_t step) {
    return !access(checkpoint_file(checkpoint_folder(out, step).text, CHECKPOINT_STATE).text, R_OK);
}

static int compare_steps(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Ascending; the caller frees them.
static int64_t *steps_in(const char *out, bool partial, size_t *count) {
    int64_t *steps = NULL;
    *count = 0;
    DIR *dir = opendir(out);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        bool is_partial;
        int64_t step = step_of(e->d_name, &is_partial);
        if (step < 0 || is_partial != partial || (!partial && !is_whole(out, step))) continue;
        steps = memory_must(memory_grow(steps, *count + 1, sizeof *steps));
        steps[(*count)++] = step;
    }
    if (dir) closedir(dir);
    if (*count) qsort(steps, *count, sizeof *steps, compare_steps);
    return steps;
}

int64_t checkpoint_before(const char *out, int64_t step) {
    size_t n;
    int64_t *steps = steps_in(out, false, &n), found = -1;
    for (size_t i = 0; i < n && steps[i] < step; i++) found = steps[i];
    free(steps);
    return found;
}

int64_t checkpoint_last(const char *out) {
    size_t n;
    int64_t *steps = steps_in(out, false, &n), last = n ? steps[n - 1] : -1;
    free(steps);
    return last;
}

// --- Removing

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_folder(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static checkpoint_path partial_folder(const char *out, int64_t step) {
    char name[48];
    snprintf(name, sizeof name, PREFIX "%" PRId64 PARTIAL, step);
    return checkpoint_file(out, name);
}

// Under its name a checkpoint is whole, so it loses that first.
static void remove_checkpoint(const char *out, int64_t step) {
    checkpoint_path from = checkpoint_folder(out, step), to = partial_folder(out, step);
    remove_folder(to.text);
    if (!rename(from.text, to.text)) remove_folder(to.text);
}

void checkpoint_clean(const char *out) {
    size_t n;
    int64_t *steps = steps_in(out, true, &n);
    for (size_t i = 0; i < n; i++) remove_folder(partial_folder(out, steps[i]).text);
    free(steps);
}

void checkpoint_prune(const char *out, int64_t keep, int64_t spared) {
    size_t n;
    int64_t *steps = steps_in(out, false, &n), left = (int64_t)n;
    for (size_t i = 0; i < n && left > keep; i++) {
        if (steps[i] == spared) continue;
        remove_checkpoint(out, steps[i]);
        left--;
    }
    free(steps);
}

// --- Writing

static bool synced(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && !fsync(fd);
    if (fd >= 0) close(fd);
    return ok;
}

static int sync_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)at;
    return (kind == FTW_F || kind == FTW_DP) && !synced(path);
}

static bool make(const char *partial, bool (*fill)(void *user, const char *folder, diag *d), void *user,
                 diag *d) {
    if (mkdir(partial, 0777)) return diag_error(d, partial, "can't be made: %s", strerror(errno));
    if (!fill(user, partial, d)) return false;
    errno = 0;
    if (nftw(partial, sync_one, 16, FTW_DEPTH | FTW_PHYS))
        return diag_error(d, partial, "can't be written: %s",
                          errno ? strerror(errno) : "a file of it is lost");
    return true;
}

bool checkpoint_write(const char *out, int64_t step, bool (*fill)(void *user, const char *folder, diag *d),
                      void *user, diag *d) {
    checkpoint_path partial = partial_folder(out, step), whole = checkpoint_folder(out, step);
    remove_folder(partial.text);
    bool ok = make(partial.text, fill, user, d);
    if (ok && rename(partial.text, whole.text)) {
        bool there = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
        ok = diag_error(d, whole.text, "can't be made: %s",
                        there ? "it is there already, and is no whole checkpoint: remove it"
                              : strerror(errno));
    }
    if (ok) return synced(out) || diag_error(d, out, "can't be written: %s", strerror(errno));
    remove_folder(partial.text);
    int64_t last = checkpoint_last(out);
    if (last >= 0)
        diag_note(d, checkpoint_folder(out, last).text,
                  "is the last good checkpoint; --resume goes on from there");
    return false;
}
