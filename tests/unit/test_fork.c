// links: runtime
// Sessions after a fork: what a child may do with its parent's, and that the parent's threads feel nothing
// of it.
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main.h"
#include "runtime/session/process.h"
#include "session_case.h"

enum { LENGTH = 9, WIDTH = LENGTH * 4, SECONDS = 20 };

// One text and its hidden states.
typedef struct one {
    int32_t ids[LENGTH];
    float hidden[WIDTH];
    bertc_error error;
} one;

static bool run_one(bertc_session *s, one *o) {
    float *buffers[TOY_OUTPUTS] = {[TOY_HIDDEN] = o->hidden};
    for (int i = 0; i < LENGTH; i++) o->ids[i] = 20 + i;
    o->error.message[0] = 0;
    memset(o->hidden, 0, sizeof o->hidden);
    return bertc_run(s, &(bertc_batch){BERTC_SIZED(bertc_batch), 1, LENGTH, o->ids, NULL, NULL}, buffers,
                     NULL, &o->error);
}

static bool same(const one *a, const one *b) {
    return memcmp(a->hidden, b->hidden, sizeof a->hidden) == 0;
}

// Runs `child` in a child, which has some seconds; 0 where it found all as it should be, else the number of
// what it did not.
static int in_child(int (*child)(void *), void *context) {
    fflush(NULL);
    pid_t id = fork();
    ck_assert_int_ge(id, 0);
    if (id == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS);
        _exit(child(context));
    }
    int status = -1;
    ck_assert_int_eq(waitpid(id, &status, 0), id);
    ck_assert_msg(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

typedef struct family {
    bertc_session *session; // the parent's
    bertc_model *model;
    one want;
    int depth, calls;
} family;

// The parent's session, one of its own, and a child of its own.
static int use_all(void *context) {
    family *f = context;
    one got;
    if (!run_one(f->session, &got) || !same(&got, &f->want)) return 1;
    bertc_session *own = bertc_open(
        f->model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 3}, NULL);
    if (!own) return 2;
    for (int i = 0; i < 20; i++)
        if (!run_one(own, &got) || !same(&got, &f->want)) return 3;
    if (f->depth++ < 2) {
        family next = *f;
        next.session = own;
        pid_t id = fork();
        if (id == 0) _exit(use_all(&next));
        int status = -1;
        if (waitpid(id, &status, 0) != id || status != 0) return 4;
    }
    for (int i = 0; i < 20; i++)
        if (!run_one(own, &got) || !same(&got, &f->want)) return 5;
    bertc_close(own);
    if (!run_one(f->session, &got) || !same(&got, &f->want)) return 6;
    bertc_close(f->session);
    bertc_unload(f->model);
    return 0;
}

START_TEST(a_child_runs) {
    const bertc_session_options how[] = {{BERTC_SIZED(bertc_session_options), .threads = 1},
                                         {BERTC_SIZED(bertc_session_options), .threads = 2},
                                         {BERTC_SIZED(bertc_session_options), .threads = 5}};
    run_case c = open_case(&plain, &how[_i]);
    family f = {.session = c.session, .model = c.model};
    ck_assert(run_one(c.session, &f.want));
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(in_child(use_all, &f), 0);
        one after;
        ck_assert(run_one(c.session, &after) && same(&after, &f.want));
    }
    close_case(&c);
}
END_TEST

static int close_alone(void *context) {
    bertc_close(context);
    return 0;
}

START_TEST(a_child_closes) {
    run_case c =
        open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 4});
    one o;
    ck_assert_int_eq(in_child(close_alone, c.session), 0);
    ck_assert(run_one(c.session, &o));
    ck_assert_int_eq(in_child(close_alone, c.session), 0);
    ck_assert(run_one(c.session, &o));
    close_case(&c);
}
END_TEST

// --- The parent's threads

typedef struct thread_masks {
    int count;
    pid_t ids[64];
    cpu_set_t masks[64];
} thread_masks;

static thread_masks look(void) {
    thread_masks t = {0};
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        int id = atoi(e->d_name);
        if (id <= 0) continue;
        ck_assert_int_lt(t.count, 64);
        t.ids[t.count] = id;
        ck_assert_int_eq(sched_getaffinity(id, sizeof(cpu_set_t), &t.masks[t.count++]), 0);
    }
    closedir(dir);
    return t;
}

// A call on every CPU, so that a thread of the parent sleeps on the caller's.
static int run_everywhere(void *context) {
    family *f = context;
    cpu_set_t all, one_cpu;
    one got;
    if (sched_getaffinity(0, sizeof all, &all) != 0) return 1;
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all)) continue;
        CPU_ZERO(&one_cpu);
        CPU_SET(i, &one_cpu);
        if (sched_setaffinity(0, sizeof one_cpu, &one_cpu) != 0) return 2;
        if (!run_one(f->session, &got) || !same(&got, &f->want)) return 3;
    }
    return 0;
}

START_TEST(the_parents_threads_are_left_alone) {
    int cpus = bertc_cpu_count();
    run_case c = open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options),
                                                            .threads = cpus < 16 ? cpus : 16});
    family f = {.session = c.session, .model = c.model};
    ck_assert(run_one(c.session, &f.want));
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL); // they sleep
    thread_masks before = look();
    ck_assert_int_eq(in_child(run_everywhere, &f), 0);
    thread_masks after = look();
    ck_assert_int_eq(before.count, after.count);
    for (int i = 0; i < before.count; i++) {
        ck_assert_int_eq(before.ids[i], after.ids[i]);
        ck_assert_msg(CPU_EQUAL(&before.masks[i], &after.masks[i]), "thread %d of %d: %d CPUs became %d", i,
                      before.count, CPU_COUNT(&before.masks[i]), CPU_COUNT(&after.masks[i]));
    }
    close_case(&c);
}
END_TEST

// --- The application's threads

static void counting_for(void *user, int64_t n, void (*body)(void *, int64_t), void *context) {
    ++*(int *)user;
    for (int64_t i = 0; i < n; i++) body(context, i);
}

static int run_without_parallel(void *context) {
    family *f = context;
    one got;
    int before = f->calls;
    if (!run_one(f->session, &got) || !same(&got, &f->want)) return 1;
    return f->calls == before ? 0 : 2;
}

START_TEST(the_applications_threads_are_not_asked) {
    family f = {.calls = 0};
    run_case c =
        open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 4,
                                                   .parallel = counting_for, .parallel_user = &f.calls});
    f.session = c.session;
    ck_assert(run_one(c.session, &f.want));
    ck_assert_int_gt(f.calls, 0);
    ck_assert_int_eq(in_child(run_without_parallel, &f), 0);
    close_case(&c);
}
END_TEST

// --- A fork in the midst of a call

static void *call_slowly(void *context) {
    family *f = context;
    one got;
    if (!run_one(f->session, &got) || !same(&got, &f->want)) f->calls = -1;
    return NULL;
}

static int session_is_refused(void *context) {
    family *f = context;
    one got;
    toy_pause = 0;
    if (run_one(f->session, &got)) return 1;
    if (strcmp(got.error.message, "the session is in a call, or was in one when the process forked: open "
                                  "another") != 0)
        return 2;
    bertc_close(f->session);
    bertc_session *own = bertc_open(
        f->model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2}, NULL);
    if (!own || !run_one(own, &got) || !same(&got, &f->want)) return 3;
    bertc_close(own);
    return 0;
}

START_TEST(while_another_thread_is_in_a_call) {
    run_case c =
        open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = _i + 1});
    family f = {.session = c.session, .model = c.model};
    one got;
    pthread_t thread;
    ck_assert(run_one(c.session, &f.want));
    toy_pause = 30000000;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_slowly, &f), 0);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    ck_assert(!run_one(c.session, &got));
    ck_assert_str_eq(got.error.message, "the session is in a call already: it serves one at a time");
    ck_assert_int_eq(in_child(session_is_refused, &f), 0);
    pthread_join(thread, NULL);
    toy_pause = 0;
    ck_assert_int_eq(f.calls, 0);
    ck_assert(run_one(c.session, &got) && same(&got, &f.want));
    close_case(&c);
}
END_TEST

typedef struct forked_here {
    pid_t child;
    bool is_child;
} forked_here;

static void fork_at_the_second(void *user, const bertc_phase_event *event) {
    forked_here *h = user;
    if (event->index != 1 || h->child) return;
    h->child = fork();
    h->is_child = h->child == 0;
    if (h->is_child) h->child = getpid(), alarm(SECONDS);
}

// Parent and child both end the call that they were in, and can make others.
START_TEST(within_a_call) {
    forked_here h = {0};
    run_case c = open_case(&plain, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 3,
                                                            .hook = fork_at_the_second, .hook_user = &h});
    run_case other = open_case(&plain, NULL);
    one got, want;
    bool ok = run_one(other.session, &want) && run_one(c.session, &got) && same(&got, &want) &&
              run_one(c.session, &got) && same(&got, &want);
    if (h.is_child) {
        bertc_close(c.session);
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    ck_assert(ok && h.child > 0);
    ck_assert_int_eq(waitpid(h.child, &status, 0), h.child);
    ck_assert_int_eq(status, 0);
    close_case(&c);
    close_case(&other);
}
END_TEST

// --- Whose process

static int is_a_child(void *context) {
    const process *p = context;
    return process_is_own(&p[0]) || process_is_own(&p[1]);
}

START_TEST(a_process_is_known) {
    process by_both[2] = {process_open(), {.id = getpid()}}; // the second: where the system has no such pages
    ck_assert(process_is_own(&by_both[0]) && process_is_own(&by_both[1]));
    ck_assert_int_eq(in_child(is_a_child, by_both), 0);
    ck_assert(process_is_own(&by_both[0]) && process_is_own(&by_both[1]));
    process_close(&by_both[0]);
}
END_TEST

int main(void) {
    Suite *s = suite_create("fork");
    TCase *t = tcase_create("fork");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_child_runs, 0, 3);
    tcase_add_test(t, a_child_closes);
    tcase_add_test(t, the_parents_threads_are_left_alone);
    tcase_add_test(t, the_applications_threads_are_not_asked);
    tcase_add_loop_test(t, while_another_thread_is_in_a_call, 0, 3);
    tcase_add_test(t, within_a_call);
    tcase_add_test(t, a_process_is_known);
    suite_add_tcase(s, t);
    return suite_status(s);
}
