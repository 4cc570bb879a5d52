// A launcher of many processes ends all of them when one is killed, and says what it knows: a number of a signal. So each process of such
// a run has a parent that only waits, and says what happened and what helps.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/cli/options.h"
#include "frontend/cli/train/parallel.h"

static volatile sig_atomic_t child, stopped;
static char orphaned[160]; // what a child says whose parent is gone

static void pass_on(int signal) {
    stopped = signal;
    if (child) kill((pid_t)child, signal);
}

static void lost(int signal) {
    (void)signal;
    ssize_t n = write(STDERR_FILENO, orphaned, strlen(orphaned));
    (void)n;
    _exit(EXIT_FAILED);
}

static void watch_parent(pid_t parent, const launch *how) {
    snprintf(orphaned, sizeof orphaned,
             "bertc: error: process %lld of %lld was ended by a signal: the run ends, and --resume goes on "
             "from its last "
             "checkpoint\n",
             (long long)how->rank, (long long)how->count);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = lost}, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() != parent) lost(SIGUSR1);
}

static int status_of(int status, const launch *how) {
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    int signal = WTERMSIG(status);
    if (!stopped)
        fprintf(stderr,
                "bertc: error: process %lld of %lld was ended by signal %d (%s): the run ends, and --resume "
                "goes on from its "
                "last checkpoint\n",
                (long long)how->rank, (long long)how->count, signal, strsignal(signal));
    return EXIT_FAILED;
}

int supervise(const launch *how) {
    static const int passed[] = {SIGTERM, SIGINT, SIGHUP};
    pid_t parent = getpid(), id = fork();
    if (id < 0) return -1; // it goes on without one
    if (!id) {
        watch_parent(parent, how);
        return -1;
    }
    child = (sig_atomic_t)id;
    struct sigaction a = {.sa_handler = pass_on};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) sigaction(passed[i], &a, NULL);
    int status;
    while (waitpid(id, &status, 0) < 0) continue;
    return status_of(status, how);
}
