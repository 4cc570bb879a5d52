// System calls that the kernel refuses, as an old one does, or a sandbox: for a child process, for good.
#ifndef BERTC_TESTS_REFUSE_H
#define BERTC_TESTS_REFUSE_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// From now on the call `number` fails with `error`, where the bits `flags` of its third argument are all set
// (0: always). False where this system has no filters.
static inline bool refuse(int number, unsigned flags, int error) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, flags),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Whether this system has such filters: tried in a child.
static inline bool can_refuse(void) {
    int status = 1;
    pid_t child = fork();
    if (!child) _exit(!(refuse(SYS_close_range, 0, EPERM) && syscall(SYS_close_range, ~0u, ~0u, 0) < 0));
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

#endif
