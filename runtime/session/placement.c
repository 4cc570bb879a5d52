#include "runtime/session/placement.h"

#include <unistd.h>

static int state_of(const placement *p) {
    return atomic_load_explicit(&p->state, memory_order_acquire);
}

static void set_state(placement *p, placement_state state) {
    atomic_store_explicit(&p->state, (int)state, memory_order_release);
}

static bool take(placement *p, placement_state from, placement_state to) {
    int expected = (int)from;
    return atomic_compare_exchange_strong(&p->state, &expected, (int)to);
}

void placement_begin(placement *p) {
    p->id = gettid();
    atomic_store(&p->cpu, -1);
    set_state(p, PLACEMENT_AWAKE);
}

void placement_sleep(placement *p) {
    int cpu = sched_getcpu();
    atomic_store_explicit(&p->cpu, cpu < CPU_SETSIZE ? cpu : -1, memory_order_relaxed);
    set_state(p, PLACEMENT_ASLEEP);
}

void placement_wake(placement *p) {
    while (!take(p, PLACEMENT_ASLEEP, PLACEMENT_AWAKE)) {
        if (state_of(p) == PLACEMENT_MOVED) {
            sched_setaffinity(0, sizeof p->before, &p->before);
            set_state(p, PLACEMENT_AWAKE);
            return;
        }
        sched_yield(); // the caller is between two system calls
    }
}

// Binds a sleeping worker to the first CPU of its mask that is in nobody's use.
static bool bind_elsewhere(placement *p, cpu_set_t *used) {
    if (sched_getaffinity(p->id, sizeof p->before, &p->before) != 0) return false;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &p->before) || CPU_ISSET((size_t)i, used)) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)i, &one);
        if (sched_setaffinity(p->id, sizeof one, &one) != 0) return false;
        CPU_SET((size_t)i, used);
        return true;
    }
    return false;
}

static void move(placement *p, cpu_set_t *used) {
    if (!take(p, PLACEMENT_ASLEEP, PLACEMENT_MOVING)) return;
    set_state(p, bind_elsewhere(p, used) ? PLACEMENT_MOVED : PLACEMENT_ASLEEP);
}

// Which CPU it sleeps on, -1: it is awake, or that is not known.
static int sleeps_on(const placement *p) {
    return state_of(p) == PLACEMENT_AWAKE ? -1 : atomic_load_explicit(&p->cpu, memory_order_relaxed);
}

void placement_spread(placement *workers, int count) {
    cpu_set_t used;
    CPU_ZERO(&used);
    int own = sched_getcpu(), in_the_way = 0;
    if (own < 0 || own >= CPU_SETSIZE) return;
    CPU_SET((size_t)own, &used);
    for (int i = 0; i < count; i++) {
        placement *p = &workers[i];
        int cpu = sleeps_on(p);
        p->in_the_way = cpu >= 0 && CPU_ISSET((size_t)cpu, &used) && state_of(p) == PLACEMENT_ASLEEP;
        in_the_way += p->in_the_way;
        if (cpu >= 0) CPU_SET((size_t)cpu, &used);
    }
    for (int i = 0; in_the_way && i < count; i++) {
        if (workers[i].in_the_way) move(&workers[i], &used);
    }
}
