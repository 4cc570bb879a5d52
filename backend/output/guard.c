// A process that watches over the linker: if this process ends before its output is whole (by a signal,
// say), the guard stops the linker and removes the linker's file. It learns of the end by a socket whose
// other end closes then, so it needs no signal handler, nor anything else that the whole process shares.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

enum { LINKER_ENDED = 0, ALL_IS_WELL = -1 };

// What comes through the socket: the linker's process group once it runs, LINKER_ENDED when that number may
// become somebody else's, ALL_IS_WELL. In the child of a process that may have threads: calls that POSIX has
// as safe in signal handlers alone.
static void watch(int end, const char *file) {
    pid_t group = LINKER_ENDED, said;
    for (;;) {
        ssize_t n = read(end, &said, sizeof said);
        if (n < 0 && errno == EINTR) continue;
        if (n != sizeof said) break;
        if (said == ALL_IS_WELL) _exit(0);
        group = said;
    }
    if (group != LINKER_ENDED) stop(group);
    unlink(file);
    _exit(0);
}

// --- What the child inherited

#define DESCRIPTORS_MOST 1048576 // the system's own limit, unless it was raised

// All that are open, by the list of them in /proc; false where there is none. No opendir: it allocates.
static bool close_listed(int end) {
    int list = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list < 0) return false;
    _Alignas(8) char block[2048];
    long n;
    while ((n = syscall(SYS_getdents64, list, block, sizeof block)) > 0) {
        for (long at = 0; at < n;) {
            unsigned short length;
            memcpy(&length, block + at + 16, sizeof length);
            int fd = 0;
            const char *digit = block + at + 19; // of d_ino, d_off, d_reclen, d_type, d_name
            for (; *digit >= '0' && *digit <= '9'; digit++) fd = 10 * fd + (*digit - '0');
            if (!*digit && fd != end && fd != list) close(fd);
            at += length;
        }
    }
    close(list);
    return n == 0;
}

static void close_each(int end) {
    struct rlimit limit;
    bool known = !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max < DESCRIPTORS_MOST;
    int most = known ? (int)limit.rlim_max : DESCRIPTORS_MOST;
    for (int fd = 0; fd < most; fd++)
        if (fd != end) close(fd);
}

// Held open they would keep readers of this process's output waiting, and other guards from seeing it end.
// close_range is missing before Linux 5.9, and some sandboxes refuse it.
static void close_others(int end) {
    bool below = end == 0 || !close_range(0, (unsigned)end - 1, 0);
    if (below && !close_range((unsigned)end + 1, ~0u, 0)) return;
    if (!close_listed(end)) close_each(end);
}

static void be_guard(int end, int other, const char *file) {
    close(other);  // whatever happens to the rest: held open here it would never say that the process ended
    setpgid(0, 0); // a terminal's interrupt goes to the group of the process that is looked after
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    close_others(end);
    watch(end, file);
}

void guard_open(guard *g, const char *file) {
    int ends[2];
    *g = (guard){-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return;
    pid_t pid = fork();
    if (!pid) be_guard(ends[0], ends[1], file);
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

void guard_linker_ended(const guard *g) {
    tell(g, LINKER_ENDED);
}

void guard_close(guard *g) {
    if (g->end < 0) return;
    tell(g, ALL_IS_WELL);
    close(g->end);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    *g = (guard){-1, -1};
}
