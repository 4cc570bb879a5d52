#include "tests/faults/faults.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

typedef struct state {
    _Atomic int64_t asked;
    _Atomic bool armed, struck;
    int64_t nth;
    fault_mode mode;
} state;

static state *shared;

bool fault_open(void) {
    void *p = mmap(NULL, sizeof(state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    shared = p;
    return true;
}

void fault_plan(int64_t nth, fault_mode mode) {
    shared->nth = nth;
    shared->mode = mode;
    atomic_store(&shared->asked, 0);
    atomic_store(&shared->struck, false);
    atomic_store(&shared->armed, false);
}

void fault_start(void) {
    atomic_store(&shared->armed, true);
}

void fault_stop(void) {
    atomic_store(&shared->armed, false);
}

int64_t fault_asked(void) {
    return atomic_load(&shared->asked);
}

bool fault_struck(void) {
    return atomic_load(&shared->struck);
}

bool fault_now(void) {
    if (!shared || !atomic_load(&shared->armed)) return false;
    int64_t n = atomic_fetch_add(&shared->asked, 1) + 1;
    bool fails = shared->mode == FAULT_ONCE ? n == shared->nth : n >= shared->nth;
    if (fails) atomic_store(&shared->struck, true);
    return fails;
}
