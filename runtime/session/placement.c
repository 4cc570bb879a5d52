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

static int known_cpu(int cpu) {
    return cpu >= 0 && cpu < CPU_SETSIZE ? cpu : -1;
}

void placement_begin(placement *p) {
    p->id = gettid();
    atomic_store(&p->cpu, -1);
    set_state(p, PLACEMENT_AWAKE);
}

// Gives a thread (0: this one) that mask.
static bool bind_thread(placement *p, pid_t id, const cpu_set_t *mask) {
    if (sched_setaffinity(id, sizeof *mask, mask) != 0) return false;
    p->now = *mask;
    p->bound = true;
    return true;
}

void placement_sleep(placement *p, int caller) {
    p->bound = false;
    p->away = -1;
    p->known = sched_getaffinity(0, sizeof p->before, &p->before) == 0;
    caller = known_cpu(caller);
    if (p->known && caller >= 0 && CPU_ISSET((size_t)caller, &p->before) && CPU_COUNT(&p->before) > 1) {
        cpu_set_t mask = p->before;
        CPU_CLR((size_t)caller, &mask);
        if (bind_thread(p, 0, &mask)) p->away = caller;
    }
    atomic_store_explicit(&p->cpu, known_cpu(sched_getcpu()), memory_order_relaxed);
    set_state(p, PLACEMENT_ASLEEP);
}

void placement_wake(placement *p) {
    while (!take(p, PLACEMENT_ASLEEP, PLACEMENT_AWAKE)) sched_yield(); // the caller is in a system call
    if (!p->bound) return;
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0 || !CPU_EQUAL(&mask, &p->now)) return;
    sched_setaffinity(0, sizeof p->before, &p->before);
}

// Binds a sleeping worker to that CPU alone.
static bool bind_to(placement *p, int cpu) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET((size_t)cpu, &mask);
    return bind_thread(p, p->id, &mask);
}

// Binds a sleeping worker to the first CPU of its mask that is in nobody's use.
static void bind_elsewhere(placement *p, cpu_set_t *used) {
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET((size_t)i, &p->before) || CPU_ISSET((size_t)i, used)) continue;
        if (bind_to(p, i)) CPU_SET((size_t)i, used);
        return;
    }
}

static void move(placement *p, cpu_set_t *used) {
    if (!take(p, PLACEMENT_ASLEEP, PLACEMENT_MOVING)) return;
    if (p->known && p->shares)
        bind_elsewhere(p, used);
    else if (p->known)
        bind_to(p, atomic_load_explicit(&p->cpu, memory_order_relaxed));
    set_state(p, PLACEMENT_ASLEEP);
}

// Which CPU it sleeps on, -1: it is awake, or that is not known.
static int sleeps_on(const placement *p) {
    return state_of(p) == PLACEMENT_AWAKE ? -1 : atomic_load_explicit(&p->cpu, memory_order_relaxed);
}

void placement_spread(placement *workers, int count) {
    cpu_set_t used;
    CPU_ZERO(&used);
    int own = known_cpu(sched_getcpu()), in_the_way = 0;
    if (own < 0) return;
    CPU_SET((size_t)own, &used);
    for (int i = 0; i < count; i++) {
        placement *p = &workers[i];
        int cpu = sleeps_on(p);
        p->in_the_way = false;
        if (cpu < 0) continue;
        p->shares = CPU_ISSET((size_t)cpu, &used);
        p->in_the_way = (p->shares || p->away != own) && state_of(p) == PLACEMENT_ASLEEP;
        in_the_way += p->in_the_way;
        CPU_SET((size_t)cpu, &used);
    }
    for (int i = 0; in_the_way && i < count; i++) {
        if (workers[i].in_the_way) move(&workers[i], &used);
    }
}
