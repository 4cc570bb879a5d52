// A process that watches over the linker: if this process ends before its output is whole (by a signal,
// say), the guard stops the linker and removes the linker's file. It learns of the end by a socket whose
// other end closes then, so it needs no signal handler, nor anything else that the whole process shares.
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/output/output.h"

#define PATIENCE_MS 1000 // for a linker that was asked to end

static void pause_ms(long ms) {
    struct timespec t = {0, ms * 1000000};
    nanosleep(&t, NULL);
}

// The linkers' own temporary files are removed by them, so they are asked first.
static void stop(pid_t group) {
    kill(-group, SIGTERM);
    for (int ms = 0; ms < PATIENCE_MS && !kill(-group, 0); ms += 10) pause_ms(10);
    kill(-group, SIGKILL);
    for (int ms = 0; ms < 100 && !kill(-group, 0); ms += 10) pause_ms(10);
}

// What comes through the socket: the linker's process group once it runs, 0 when all is well. In the child of
// a process that may have threads: calls that POSIX has as safe in signal handlers alone.
static void watch(int end, const char *file) {
    pid_t group = 0, said;
    for (;;) {
        ssize_t n = read(end, &said, sizeof said);
        if (n < 0 && errno == EINTR) continue;
        if (n != sizeof said) break;
        if (!said) _exit(0);
        group = said;
    }
    if (group) stop(group);
    unlink(file);
    _exit(0);
}

static void be_guard(int end, const char *file) {
    setpgid(0, 0); // a terminal's interrupt goes to the group of the process that is looked after
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    // Held open they would keep readers of this process's output waiting, and other guards from seeing it
    // end.
    if (end > 0) close_range(0, (unsigned)end - 1, 0);
    close_range((unsigned)end + 1, ~0u, 0);
    watch(end, file);
}

void guard_open(guard *g, const char *file) {
    int ends[2];
    *g = (guard){-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return;
    pid_t pid = fork();
    if (!pid) be_guard(ends[0], file);
    close(ends[0]);
    if (pid < 0)
        close(ends[1]);
    else
        *g = (guard){pid, ends[1]};
}

static void tell(const guard *g, pid_t what) {
    if (g->end < 0) return;
    while (send(g->end, &what, sizeof what, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void guard_linker(const guard *g, pid_t group) {
    tell(g, group);
}

void guard_close(guard *g) {
    if (g->end < 0) return;
    tell(g, 0);
    close(g->end);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *g = (guard){-1, -1};
}
