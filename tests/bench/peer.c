#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define LINE_BYTES   1024
#define SETTLE_PAUSE 5000000 // nanoseconds
#define SETTLE_TRIES 100

extern char **environ;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Starts argv with stdin and stdout as given (-1: /dev/null and the log), stderr into the log.
static bool spawn(const char *const argv[], int in, int out, const char *log, pid_t *pid, diag *d) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out >= 0 ? out : 2, 1);
    int error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return !error || diag_error(d, argv[0], "can't be started: %s", strerror(error));
}

const char *peer_program(const char *given, const char *variable, const char *name, char *buf) {
    if (given) return given;
    if (variable && getenv(variable)) return getenv(variable);
    ssize_t n = readlink("/proc/self/exe", buf, PATH_BYTES - 1);
    buf[n > 0 ? n : 0] = 0;
    char *slash = strrchr(buf, '/');
    size_t folder = slash ? (size_t)(slash + 1 - buf) : 0;
    snprintf(buf + folder, PATH_BYTES - folder, "%s", name);
    return buf;
}

static long anonymous_kb_of(pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    long kb = 0;
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "RssAnon:", 8)) kb = strtol(line + 8, NULL, 10);
    }
    if (f) fclose(f);
    return kb;
}

static pid_t wait_watching(pid_t pid, int *status, run_usage *u) {
    const struct timespec tick = {0, 1000000};
    pid_t ended;
    while ((ended = waitpid(pid, status, u ? WNOHANG : 0)) == 0 || (ended < 0 && errno == EINTR)) {
        if (!u) continue;
        long kb = anonymous_kb_of(pid);
        if (kb > u->anonymous_kb) u->anonymous_kb = kb;
        nanosleep(&tick, NULL);
    }
    return ended;
}

bool run_command(const char *const argv[], const char *log, run_usage *usage, diag *d) {
    pid_t pid;
    int status;
    double start = now();
    if (usage) *usage = (run_usage){0};
    if (!spawn(argv, -1, -1, log, &pid, d)) return false;
    if (wait_watching(pid, &status, usage) < 0) return diag_error(d, argv[0], "%s", strerror(errno));
    if (usage) usage->seconds = now() - start;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return diag_error(d, argv[0], "failed: see %s", log);
}

// A line of the peer's, without its newline.
static bool answer(peer *p, char *line, diag *d) {
    if (!p->from || !fgets(line, LINE_BYTES, p->from)) return diag_error(d, p->name, "ended: see %s", p->log);
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "error ", 6)) return true;
    return diag_error(d, p->name, "%s (see %s)", line + 6, p->log);
}

static bool say(peer *p, const char *line, diag *d) {
    if (fprintf(p->to, "%s\n", line) < 0 || fflush(p->to))
        return diag_error(d, p->name, "ended: see %s", p->log);
    return true;
}

static bool unexpected(peer *p, const char *line, diag *d) {
    return diag_error(d, p->name, "said '%s' (see %s)", line, p->log);
}

bool peer_start(peer *p, const char *name, const char *const argv[], const char *log, diag *d) {
    *p = (peer){.pid = -1};
    snprintf(p->name, sizeof(p->name), "%s", name);
    snprintf(p->log, sizeof(p->log), "%s", log);
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC)) return diag_error(d, name, "no pipe: %s", strerror(errno));
    if (pipe2(from, O_CLOEXEC)) {
        close(to[0]), close(to[1]);
        return diag_error(d, name, "no pipe: %s", strerror(errno));
    }
    bool ok = spawn(argv, to[0], from[1], log, &p->pid, d);
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = fdopen(from[0], "r");
    char line[LINE_BYTES];
    if (!ok || !answer(p, line, d)) return false;
    return sscanf(line, "ready %lf %31s", &p->load_ms, p->isa) == 2 || unexpected(p, line, d);
}

bool peer_batch(peer *p, const char *file, int64_t batch, int64_t length, diag *d) {
    char line[PATH_BYTES + 64];
    snprintf(line, sizeof(line), "batch %s %lld %lld", file, (long long)batch, (long long)length);
    if (!say(p, line, d) || !answer(p, line, d)) return false;
    return !strcmp(line, "ok") || unexpected(p, line, d);
}

bool peer_go(peer *p, int calls, double *milliseconds, diag *d) {
    char line[LINE_BYTES], *end;
    snprintf(line, sizeof(line), "go %d", calls);
    if (!say(p, line, d) || !answer(p, line, d)) return false;
    *milliseconds = strtod(line, &end);
    return (end != line && !*end) || unexpected(p, line, d);
}

bool peer_watch(peer *p, long *anonymous_kb, double *milliseconds, diag *d) {
    struct pollfd from = {fileno(p->from), POLLIN, 0};
    char line[LINE_BYTES], *end;
    *anonymous_kb = 0;
    if (!say(p, "go 1", d)) return false;
    do {
        long kb = anonymous_kb_of(p->pid);
        if (kb > *anonymous_kb) *anonymous_kb = kb;
    } while (poll(&from, 1, 1) == 0);
    if (!answer(p, line, d)) return false;
    *milliseconds = strtod(line, &end);
    return (end != line && !*end) || unexpected(p, line, d);
}

void peer_settle(const peer *p) {
    const struct timespec pause = {0, SETTLE_PAUSE};
    clockid_t clock;
    struct timespec before, after;
    if (clock_getcpuclockid(p->pid, &clock) || clock_gettime(clock, &before)) return;
    for (int i = 0; i < SETTLE_TRIES; i++) {
        nanosleep(&pause, NULL);
        if (clock_gettime(clock, &after)) return;
        int64_t used = (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
        if (used < SETTLE_PAUSE / 20) return;
        before = after;
    }
}

float *peer_outputs(peer *p, const char *file, int64_t *count, diag *d) {
    char line[PATH_BYTES + 64];
    long long n;
    snprintf(line, sizeof(line), "out %s", file);
    if (!say(p, line, d) || !answer(p, line, d)) return NULL;
    if (sscanf(line, "ok %lld", &n) != 1 || n < 1) {
        unexpected(p, line, d);
        return NULL;
    }
    float *v = malloc((size_t)n * sizeof(float));
    FILE *f = fopen(file, "rb");
    bool ok = v && f && fread(v, sizeof(float), (size_t)n, f) == (size_t)n;
    if (f) fclose(f);
    unlink(file);
    *count = n;
    if (ok) return v;
    free(v);
    diag_error(d, file, "holds fewer than %lld numbers of %s", n, p->name);
    return NULL;
}

void peer_stop(peer *p) {
    if (p->to) fclose(p->to);
    if (p->from) fclose(p->from);
    if (p->pid > 0) {
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    *p = (peer){.pid = -1};
}
