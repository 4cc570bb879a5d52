#include "tests/faults/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/faults.h"

#define SECONDS 120

int bertc_main(int argc, char **argv); // frontend/cli/main.c, under another name

typedef struct outcome {
    int status; // as waitpid gives it
    char *out, *err, *files;
} outcome;

static void outcome_free(outcome *o) {
    free(o->out);
    free(o->err);
    free(o->files);
    *o = (outcome){0};
}

// --- Folders

char *harness_read(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    size_t n = 0, room = 1 << 16;
    char *text = malloc(room);
    while (f && text) {
        n += fread(text + n, 1, room - n - 1, f);
        if (n < room - 1) break;
        text = realloc(text, room *= 2);
    }
    if (f) fclose(f);
    if (!text) abort();
    text[n] = 0;
    if (size) *size = n;
    return text;
}

static int visible(const struct dirent *e) {
    return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

// Names and contents of a folder's files, which are removed.
static char *take_files(const char *folder) {
    struct dirent **names;
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int n = scandir(folder, &names, visible, alphasort);
    for (int i = 0; i < n; i++) {
        char path[2 * PATH_MAX];
        size_t bytes = 0;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        struct stat st;
        if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
            char *inside = take_files(path);
            fprintf(f, "%s/\n%s", names[i]->d_name, inside);
            free(inside);
            rmdir(path);
        } else {
            char *data = harness_read(path, &bytes);
            unsigned long hash = 5381;
            for (size_t k = 0; k < bytes; k++) hash = hash * 33 + (unsigned char)data[k];
            fprintf(f, "%s %zu %lx\n", names[i]->d_name, bytes, hash);
            free(data);
            unlink(path);
        }
        free(names[i]);
    }
    free(names);
    fclose(f);
    return text;
}

// --- A run

static int run_command(const char *fixtures, const char *const *args) {
    char *argv[MOST_ARGS + 2] = {"bertc"}, *own[MOST_ARGS];
    int count = 0;
    for (; count < MOST_ARGS && args[count]; count++) {
        const char *one = args[count];
        bool made = *one == '@';
        if (asprintf(&own[count], "%s%s", made ? fixtures : "", one + made) < 0) abort();
        argv[count + 1] = own[count];
    }
    fault_start();
    int status = bertc_main(count + 1, argv); // which may change their order
    fault_stop();
    for (int i = 0; i < count; i++) free(own[i]);
    return status;
}

static void child(const scenario *s, const char *folder, const char *fixtures, const char *streams) {
    char path[2 * PATH_MAX];
    alarm(SECONDS);
    snprintf(path, sizeof path, "%s.out", streams);
    if (chdir(folder) || !freopen(path, "w", stdout)) _exit(99);
    snprintf(path, sizeof path, "%s.err", streams);
    if (!freopen(path, "w", stderr)) _exit(99);
    exit(*s->args ? run_command(fixtures, s->args) : s->in_process(fixtures));
}

static char *stream(const char *streams, const char *ending) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s%s", streams, ending);
    char *text = harness_read(path, NULL);
    unlink(path);
    return text;
}

static outcome run(const scenario *s, const char *fixtures) {
    char folder[PATH_MAX], streams[PATH_MAX];
    outcome o = {0};
    snprintf(folder, sizeof folder, "%s/work", fixtures);
    snprintf(streams, sizeof streams, "%s/stream", fixtures);
    mkdir(folder, 0777);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) child(s, folder, fixtures, streams);
    if (pid < 0 || waitpid(pid, &o.status, 0) != pid) abort();
    o.out = stream(streams, ".out");
    o.err = stream(streams, ".err");
    o.files = take_files(folder);
    rmdir(folder);
    return o;
}

bool harness_succeeds(const char *folder, const char *fixtures, const char *const *args) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) exit(chdir(folder) ? 99 : run_command(fixtures, args));
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

// --- What an outcome must be

static bool is_remainder(const scenario *s, const char *files) {
    size_t n = s->may_remain ? strlen(s->may_remain) : 0;
    if (!n || strncmp(files, s->may_remain, n) || strchr(files, '\n') != strrchr(files, '\n')) return false;
    files += n;
    return *files == ' ' || !strncmp(files, ".partial ", 9);
}

static const char *fault_in(const scenario *s, const outcome *o, const outcome *good) {
    if (WIFSIGNALED(o->status))
        return WTERMSIG(o->status) == SIGALRM ? "it hangs" : "it is killed by a signal";
    int status = WEXITSTATUS(o->status);
    if (status == 0) {
        if (!s->says_times && strcmp(o->out, good->out)) return "status 0, and another answer";
        if (strcmp(o->files, good->files)) return "status 0, and other files";
        return NULL;
    }
    if (status != 1) return "the status is neither 0 nor 1";
    int lines = 0;
    bool named = false;
    for (const char *line = o->err; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (!strncmp(line, "bertc: note: ", 13)) continue;
        char one[1024];
        snprintf(one, sizeof one, "%.*s", (int)strcspn(line, "\n"), line);
        if (strncmp(one, "bertc: error: ", 14)) return "a line on stderr that is not bertc's";
        named |= strstr(one, "out of memory") || strstr(one, "Cannot allocate memory");
        lines++;
    }
    if (!named) return "status 1, and no line says that memory ran out";
    if (lines != 1 && !s->many) return "more than one line on stderr";
    if (*o->files && !is_remainder(s, o->files)) return "something is left over";
    return NULL;
}

// Whether the allocation was asked for.
static bool check_one(const scenario *s, const char *fixtures, int64_t nth, fault_mode mode,
                      const outcome *good, int *failures) {
    fault_plan(nth, mode);
    outcome o = run(s, fixtures);
    bool struck = fault_struck();
    const char *wrong = fault_in(s, &o, good);
    if (wrong) {
        ++*failures;
        printf("%s: allocation %lld%s fails: %s (status %x)\n--- stderr\n%.1500s--- files\n%.500s", s->name,
               (long long)nth, mode == FAULT_ONCE ? "" : " and all after it", wrong, (unsigned)o.status,
               o.err, o.files);
    }
    outcome_free(&o);
    return struck;
}

int harness_check(const scenario *s, const char *fixtures, bool all) {
    int failures = 0, tried = 0;
    fault_plan(INT64_MAX, FAULT_ONCE);
    outcome good = run(s, fixtures);
    int64_t count = fault_asked();
    if (good.status != 0 || !count) {
        printf("%s: status %x without a fault (%lld allocations)\n%s", s->name, (unsigned)good.status,
               (long long)count, good.err);
        outcome_free(&good);
        return 1;
    }
    int64_t step = all || count <= s->points ? 1 : count / s->points;
    for (fault_mode mode = FAULT_ONCE; mode <= FAULT_FROM_THEN_ON; mode++) {
        // An even step would meet one kind of allocation again and again; threads may ask for a few more or less.
        for (int64_t nth = 1; nth < 2 * count; nth += step == 1 ? 1 : step + nth % 3) {
            tried++;
            if (!check_one(s, fixtures, nth, mode, &good, &failures)) break;
        }
    }
    outcome_free(&good);
    printf("%s: %lld allocations, %d runs, %d wrong\n", s->name, (long long)count, tried, failures);
    return failures;
}
