// `bertc run --merge`: are the parts those of one run, all of them, each once and as it was written? Then they become one file.
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/shard.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

typedef struct manifests {
    manifest *v;
    int count, room;
} manifests;

static bool add(manifests *m, const char *path, diag *d) {
    if (m->count == m->room) {
        m->room = m->room ? 2 * m->room : 64;
        m->v = memory_must(memory_grow(m->v, (size_t)m->room, sizeof *m->v));
    }
    return manifest_read(&m->v[m->count++], path, d);
}

// --- Those beside the output

// "answers.00002-of-00008.manifest.json" of "answers.jsonl"
static bool is_manifest(const char *name, const char *stem) {
    size_t n = strlen(stem);
    const char *of = strstr(name, "-of-");
    if (strncmp(name, stem, n) != 0 || name[n] != '.' || !of || !hub_ends_with(name, ".manifest.json"))
        return false;
    const char *first = name + n + 1;
    return first + strspn(first, "0123456789") == of && of > first;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_found(manifests *m, const char *output, diag *d) {
    arena *a = arena_new();
    const char *slash = strrchr(output, '/');
    const char *folder = slash ? arena_printf(a, "%.*s/", (int)(slash - output), output) : "";
    char *sample = shard_path(slash ? slash + 1 : output, 0, 1, "");
    char *stem = arena_printf(a, "%.*s", (int)(strlen(sample) - strlen(".00000-of-00001")), sample);
    DIR *dir = opendir(*folder ? folder : ".");
    char **names = NULL;
    int count = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!is_manifest(e->d_name, stem)) continue;
        names = memory_must(memory_grow(names, (size_t)count + 1, sizeof *names));
        names[count++] = arena_printf(a, "%s%s", folder, e->d_name);
    }
    if (dir) closedir(dir);
    bool ok = count || diag_error(d, output, "has no parts: no file %s%s.*-of-*.manifest.json", folder, stem);
    if (count) qsort(names, (size_t)count, sizeof *names, compare_texts);
    for (int i = 0; i < count; i++) ok = add(m, names[i], d) && ok;
    free(names);
    free(sample);
    arena_free(a);
    return ok;
}

// --- Checks

static int compare_shards(const void *a, const void *b) {
    const manifest *x = a, *y = b;
    if (x->index != y->index) return x->index < y->index ? -1 : 1;
    return strcmp(x->path, y->path);
}

// All of one run: of the most that agree the first one counts.
static bool check_foreign(const manifests *m, diag *d) {
    bool ok = true;
    int first = 0, most = 0;
    for (int i = 0; i < m->count; i++) {
        int same = 0;
        for (int k = 0; k < m->count; k++) same += !whole_difference(&m->v[i].whole, &m->v[k].whole);
        if (same > most) most = same, first = i;
    }
    for (int i = 0; i < m->count; i++) {
        const char *what = whole_difference(&m->v[first].whole, &m->v[i].whole);
        if (what) ok = diag_error(d, m->v[i].path, "is of %s than %s", what, m->v[first].path);
    }
    return ok;
}

// Each shard once, sorted; their lines follow each other.
static bool check_shards(const manifests *m, diag *d) {
    const shard_whole *w = &m->v[0].whole;
    int64_t next = 0, line = 0;
    bool ok = true;
    for (int i = 0; i < m->count; i++) {
        const manifest *x = &m->v[i];
        if (i && x->index == m->v[i - 1].index) {
            ok = diag_error(d, x->path, "is shard %" PRId64 ", as %s is", x->index, m->v[i - 1].path);
            continue;
        }
        for (; next < x->index; next++, line = x->first)
            ok = diag_error(d, NULL,
                            "shard %" PRId64 " of %" PRId64 " is missing: bertc run --shard %" PRId64
                            "/%" PRId64 " makes it",
                            next, w->count, next, w->count);
        if (x->first != line)
            ok = diag_error(d, x->path,
                            "begins with line %" PRId64 ", and the shard before ends with line %" PRId64,
                            x->first + 1, line);
        line = x->first + x->lines;
        next = x->index + 1;
    }
    for (; next < w->count; next++, line = w->lines)
        ok = diag_error(d, NULL,
                        "shard %" PRId64 " of %" PRId64 " is missing: bertc run --shard %" PRId64 "/%" PRId64
                        " makes it",
                        next, w->count, next, w->count);
    if (ok && line != w->lines)
        ok = diag_error(d, m->v[m->count - 1].path,
                        "ends with line %" PRId64 ", and the input with line %" PRId64, line, w->lines);
    return ok;
}

static bool check_bytes(const manifests *m, diag *d) {
    bool ok = true;
    for (int i = 0; i < m->count; i++) ok = manifest_holds(&m->v[i], d) && ok;
    return ok;
}

static bool spares_parts(const manifests *m, const char *output, diag *d) {
    for (int i = 0; i < m->count; i++)
        if (same_file(m->v[i].part, output) || same_file(m->v[i].path, output))
            return diag_error(d, output, "is a part of what it would be");
    return true;
}

static bool merge(manifests *m, const char *output, answer_format said, diag *d) {
    int64_t failed = 0;
    qsort(m->v, (size_t)m->count, sizeof *m->v, compare_shards);
    if (!check_foreign(m, d) || !check_shards(m, d) || !check_bytes(m, d) || !spares_parts(m, output, d))
        return false;
    if (!join_parts(output, said, m->v, m->count, d)) return false;
    for (int i = 0; i < m->count; i++) failed += m->v[i].failed;
    printf("%s: %d parts, %" PRId64 " lines", output, m->count, m->v[0].whole.lines);
    if (failed) printf(", %" PRId64 " of them without an answer", failed);
    printf("\n");
    return true;
}

bool run_merge(const run_options *o, const arguments *paths, diag *d) {
    manifests m = {0};
    bool ok = true;
    for (int i = 0; i < paths->count; i++) ok = add(&m, paths->v[i], d) && ok;
    if (!paths->count) ok = add_found(&m, o->output, d);
    ok = ok && merge(&m, o->output, o->said, d);
    for (int i = 0; i < m.count; i++) manifest_close(&m.v[i]);
    free(m.v);
    return ok;
}
