// Which process something belongs to. A page that the kernel clears in a child says it without a system call,
// and also where a child of another PID namespace has its parent's number; where the kernel knows no such
// pages (before Linux 4.14), the number says it.
#ifndef BERTC_PROCESS_H
#define BERTC_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/memory.h"

enum { PROCESS_PAGE = 4096 };

typedef struct process {
    int *mark; // 1 in the process that opened it, 0 in its children; NULL: the number says it
    pid_t id;
} process;

static inline process process_open(void) {
    process p = {.id = getpid()};
    void *page = heap_reserve(PROCESS_PAGE);
    if (!page) return p;
    if (mprotect(page, PROCESS_PAGE, PROT_READ | PROT_WRITE) != 0 ||
        madvise(page, PROCESS_PAGE, MADV_WIPEONFORK) != 0) {
        munmap(page, PROCESS_PAGE);
        return p;
    }
    p.mark = page;
    *p.mark = 1;
    return p;
}

// Whether this is the process that opened it.
static inline bool process_is_own(const process *p) {
    return p->mark ? *p->mark != 0 : getpid() == p->id;
}

static inline void process_close(process *p) {
    if (p->mark) munmap(p->mark, PROCESS_PAGE);
    p->mark = NULL;
}

#endif
