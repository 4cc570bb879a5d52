#include "runtime/session/placement.h"

#include <unistd.h>

void placement_begin(placement *p) {
    p->id = gettid();
    atomic_store(&p->moved, false);
    atomic_store(&p->cpu, -1);
}

void placement_sleep(placement *p) {
    int cpu = sched_getcpu();
    atomic_store_explicit(&p->cpu, cpu < CPU_SETSIZE ? cpu : -1, memory_order_release);
}

// The mask first: once `cpu` says that the worker is awake, `before` is the caller's to write only after the
// next sleep.
void placement_wake(placement *p) {
    if (atomic_load_explicit(&p->moved, memory_order_acquire)) {
        sched_setaffinity(0, sizeof p->before, &p->before);
        atomic_store_explicit(&p->moved, false, memory_order_release);
    }
    atomic_store_explicit(&p->cpu, -1, memory_order_release);
}

// To the first CPU of its mask that is in nobody's use.
static void move(placement *p, cpu_set_t *used) {
    if (sched_getaffinity(p->id, sizeof p->before, &p->before) != 0) return;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &p->before) || CPU_ISSET((size_t)i, used)) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)i, &one);
        if (sched_setaffinity(p->id, sizeof one, &one) != 0) return;
        CPU_SET((size_t)i, used);
        atomic_store_explicit(&p->moved, true, memory_order_release);
        return;
    }
}

void placement_spread(placement *workers, int count) {
    cpu_set_t used;
    CPU_ZERO(&used);
    int own = sched_getcpu(), in_the_way = 0;
    if (own < 0 || own >= CPU_SETSIZE) return;
    CPU_SET((size_t)own, &used);
    for (int i = 0; i < count; i++) {
        placement *p = &workers[i];
        int cpu = atomic_load_explicit(&p->cpu, memory_order_acquire);
        p->in_the_way = cpu >= 0 && CPU_ISSET((size_t)cpu, &used) &&
                        !atomic_load_explicit(&p->moved, memory_order_acquire);
        in_the_way += p->in_the_way;
        if (cpu >= 0) CPU_SET((size_t)cpu, &used);
    }
    for (int i = 0; in_the_way && i < count; i++) {
        if (workers[i].in_the_way) move(&workers[i], &used);
    }
}
