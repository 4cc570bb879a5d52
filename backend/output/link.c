// The system's linker: found in PATH, or the one asked for; run with the object files as inherited
// descriptors.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/output/output.h"

#define PATH_BYTES 4096
#define LLD_NEWEST 30 // ld.lld-30 .. ld.lld-14 are tried
#define LLD_OLDEST 14

// --- Which linker

static bool executable(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode) && access(path, X_OK) == 0;
}

static bool find(const char *name, char *out) {
    if (strchr(name, '/')) return snprintf(out, PATH_BYTES, "%s", name) < PATH_BYTES && executable(out);
    const char *path = getenv("PATH");
    for (path = path ? path : "/usr/bin:/bin"; *path; path += *path == ':') {
        size_t n = strcspn(path, ":");
        int length = snprintf(out, PATH_BYTES, "%.*s/%s", n ? (int)n : 1, n ? path : ".", name);
        if (length < PATH_BYTES && executable(out)) return true;
        path += n;
    }
    return false;
}

typedef struct arch_tools {
    const char *prefix, *emulation;
} arch_tools;

static arch_tools tools_of(const target *t) {
    bool arm = strncmp(t->triple, "aarch64", 7) == 0;
    return arm ? (arch_tools){"aarch64-linux-gnu-", "aarch64linux"}
               : (arch_tools){"x86_64-linux-gnu-", "elf_x86_64"};
}

// The plain names are of the host's architecture.
static bool is_host(const target *t) {
#if defined(__aarch64__)
    return strncmp(t->triple, "aarch64", 7) == 0;
#else
    return strncmp(t->triple, "x86_64", 6) == 0;
#endif
}

static bool find_any(const target *t, char *out) {
    if (find("ld.lld", out)) return true;
    char name[64];
    for (int major = LLD_NEWEST; major >= LLD_OLDEST; major--) {
        snprintf(name, sizeof(name), "ld.lld-%d", major);
        if (find(name, out)) return true;
    }
    static const char *const names[] = {"ld", "cc", "gcc", "clang"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_host(t) && find(names[i], out)) return true;
        snprintf(name, sizeof(name), "%s%s", tools_of(t).prefix, names[i]);
        if (find(name, out)) return true;
    }
    return false;
}

// A compiler that calls the linker, rather than a linker.
static bool is_driver(const char *path) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return strstr(name, "gcc") || strstr(name, "clang") || strstr(name, "cc") == name ||
           strcmp(name, "c99") == 0;
}

// --- Its command line

#define ARGS_MAX (20 + LINK_MOST_INPUTS)
typedef struct command {
    char *argv[ARGS_MAX];
    int argc;
    char inputs[LINK_MOST_INPUTS][32];
} command;

static void add(command *c, const char *arg) {
    c->argv[c->argc++] = (char *)(uintptr_t)arg;
}

// Pages of weights come first: linkers that keep the order of their inputs then place code and its constants
// side by side.
static void command_init(command *c, const link_job *j, const char *path) {
    bool driver = is_driver(path);
    *c = (command){0};
    add(c, path);
    if (!driver) {
        add(c, "-m");
        add(c, tools_of(j->target).emulation);
    }
    add(c, "-nostdlib");
    add(c, j->relocatable ? "-r" : "-shared");
    if (!j->relocatable) {
        static const char *const direct[] = {
            "-z", "defs", "-z", "noexecstack", "--build-id=none", "--hash-style=both", NULL};
        static const char *const passed[] = {"-Wl,-z,defs", "-Wl,-z,noexecstack", "-Wl,--build-id=none",
                                             "-Wl,--hash-style=both", NULL};
        for (const char *const *flag = driver ? passed : direct; *flag; flag++) add(c, *flag);
    }
    add(c, "-o");
    add(c, j->output);
    for (int i = 0; i < j->input_count; i++) {
        snprintf(c->inputs[i], sizeof(c->inputs[i]), "/proc/self/fd/%d", j->inputs[i]);
        add(c, c->inputs[i]);
    }
}

// --- Running it

#define SAMPLE_MS 3

// The most resident memory so far, of the linker or of one that a compiler calls. (wait4's would be this
// process's where that is more: a child begins with it.)
static void sample_peak(long pid, int depth, long *peak_kb) {
    char line[128];
    long kb, child;
    snprintf(line, sizeof(line), "/proc/%ld/status", pid);
    FILE *f = fopen(line, "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "VmHWM: %ld", &kb) == 1 && kb > *peak_kb) *peak_kb = kb;
    }
    if (f) fclose(f);
    snprintf(line, sizeof(line), "/proc/%ld/task/%ld/children", pid, pid);
    f = depth > 0 ? fopen(line, "re") : NULL;
    while (f && fscanf(f, "%ld", &child) == 1) sample_peak(child, depth - 1, peak_kb);
    if (f) fclose(f);
}

// What it prints, up to `size`; the rest is read and dropped, so that it never blocks.
static void drain(int fd, char *text, size_t size, pid_t pid, long *peak_kb) {
    size_t n = 0;
    char rest[1024];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (poll(&ready, 1, SAMPLE_MS) == 0) {
            sample_peak(pid, 2, peak_kb);
            continue;
        }
        bool room = n + 1 < size;
        ssize_t got = room ? read(fd, text + n, size - 1 - n) : read(fd, rest, sizeof(rest));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (room) n += (size_t)got;
    }
    text[n] = 0;
}

static bool spawn(const command *c, const link_job *j, int out, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    // Onto itself: the child keeps it, though it is closed on exec.
    for (int i = 0; i < j->input_count; i++)
        posix_spawn_file_actions_adddup2(&actions, j->inputs[i], j->inputs[i]);
    posix_spawnattr_t own_group; // so that the guard can stop a compiler with the linker that it calls
    posix_spawnattr_init(&own_group);
    posix_spawnattr_setflags(&own_group, POSIX_SPAWN_SETPGROUP);
    int status = posix_spawn(pid, c->argv[0], &actions, &own_group, c->argv, environ);
    posix_spawnattr_destroy(&own_group);
    posix_spawn_file_actions_destroy(&actions);
    errno = status;
    return status == 0;
}

static bool report(const link_job *j, const char *linker, int status, char *text, diag *d) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (WIFSIGNALED(status)) {
        return diag_error(d, j->path, "%s was killed by signal %d: the disk is full, or memory ran out",
                          linker, WTERMSIG(status));
    }
    text[strcspn(text, "\n")] = 0;
    return diag_error(d, j->path, "%s failed%s%s", linker, *text ? ": " : "", text);
}

// A program that is no linker may succeed and write nothing.
static bool wrote_output(const link_job *j, const char *linker, diag *d) {
    struct stat s;
    return (!stat(j->output, &s) && s.st_size) ||
           diag_error(d, j->path, "%s wrote nothing: is it a linker?", linker);
}

// Descriptors that the linker's standard streams would take the place of, where this process has none of its
// own: moved up. -1: there is no more.
static int above_standard(int fd) {
    return fd < 0 || fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

// What the linker prints comes through ends[0].
static bool open_pipe(int ends[2]) {
    int low[2];
    if (pipe2(low, O_CLOEXEC)) return false;
    for (int i = 0; i < 2; i++) {
        ends[i] = above_standard(low[i]);
        if (ends[i] != low[i]) close(low[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0) return true;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) close(ends[i]);
    return false;
}

// Reads what it prints, and waits for it; its status.
static int attend(const link_job *j, pid_t pid, int out, char *text, size_t size, long *peak_kb) {
    struct rusage used = {0};
    siginfo_t ended;
    int status = 0;
    guard_linker(j->guard, pid);
    drain(out, text, size, pid, peak_kb);
    while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    guard_linker_ended(j->guard);
    while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR) {
    }
    // If the linker ended before its memory was ever sampled, use ru_maxrss: an upper bound, since a forked
    // child starts with the parent's peak.
    if (*peak_kb == 0) *peak_kb = used.ru_maxrss;
    return status;
}

static bool run(const link_job *j, const char *path, long *peak_kb, diag *d) {
    char text[2048];
    command c;
    int ends[2];
    pid_t pid;
    if (!open_pipe(ends)) return diag_error(d, j->path, "%s cannot be run: %s", path, strerror(errno));
    command_init(&c, j, path);
    bool ok = spawn(&c, j, ends[1], &pid);
    if (!ok) diag_error(d, j->path, "%s cannot be run: %s", path, strerror(errno));
    close(ends[1]);
    if (ok) {
        int status = attend(j, pid, ends[0], text, sizeof(text), peak_kb);
        ok = report(j, path, status, text, d) && wrote_output(j, path, d);
    }
    close(ends[0]);
    return ok;
}

bool link_run(const link_job *j, long *peak_kb, diag *d) {
    char path[PATH_BYTES];
    if (j->linker && !find(j->linker, path)) {
        return diag_error(d, j->path, "the linker %s is not there, or can't be run", j->linker);
    }
    if (!j->linker && !find_any(j->target, path)) {
        return diag_error(d, "linker",
                          "none found: ld.lld, ld or cc has to be in PATH, or named by --linker");
    }
    link_job high = *j;
    bool ok = true;
    for (int i = 0; i < j->input_count; i++) ok &= (high.inputs[i] = above_standard(j->inputs[i])) >= 0;
    ok = ok ? run(&high, path, peak_kb, d)
            : diag_error(d, j->path, "%s cannot be run: %s", path, strerror(errno));
    for (int i = 0; i < j->input_count; i++)
        if (high.inputs[i] >= 0 && high.inputs[i] != j->inputs[i]) close(high.inputs[i]);
    return ok;
}
