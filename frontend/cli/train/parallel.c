#include "frontend/cli/train/parallel.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "ir/memory.h"

// Where so many numbers are whole, they are sent.
#define SENT_TOGETHER (1 << 16)

static void *room(const parallel *p, size_t bytes) {
    return memory_must(memory_alloc((size_t)p->link.count, bytes));
}

// The first process that has failed; -1: none has.
static int first_failed(const int64_t *ok, int count, int step) {
    for (int i = 0; i < count; i++)
        if (!ok[i * step]) return i;
    return -1;
}

static bool agreed(parallel *p, const int64_t *ok, int step) {
    int failed = first_failed(ok, p->link.count, step);
    if (failed >= 0) p->speaker = failed;
    return failed < 0;
}

bool parallel_agree(parallel *p, bool ok, diag *d) {
    if (p->link.count == 1) return ok;
    int64_t mine = ok, *all = room(p, sizeof mine);
    bool well = link_gather(&p->link, &mine, all, sizeof mine, d) && agreed(p, all, 1);
    free(all);
    return well;
}

// --- The machine's CPUs

typedef struct seat {
    char host[256];
    cpu_set_t cpus;
} seat;

int parallel_threads(parallel *p, diag *d) {
    if (p->link.count == 1) return bertc_cpu_count();
    seat mine = {0}, *all = room(p, sizeof mine);
    double share = 0;
    gethostname(mine.host, sizeof mine.host - 1);
    sched_getaffinity(0, sizeof mine.cpus, &mine.cpus);
    bool ok = link_gather(&p->link, &mine, all, sizeof mine, d);
    for (int cpu = 0; ok && cpu < CPU_SETSIZE; cpu++) {
        int users = 0;
        for (int i = 0; i < p->link.count; i++)
            users += !strcmp(all[i].host, mine.host) && CPU_ISSET((size_t)cpu, &all[i].cpus);
        if (users && CPU_ISSET((size_t)cpu, &mine.cpus)) share += 1.0 / users;
    }
    free(all);
    int threads = (int)(share + 1e-6), most = bertc_cpu_count();
    return threads < 1 ? 1 : threads < most ? threads : most;
}

// --- What must be the same

// FNV-1a, of 64 bits.
uint64_t parallel_hash(uint64_t before, const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    uint64_t h = before ? before : UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * UINT64_C(0x100000001b3);
    return h;
}

static bool differs(const parallel *p, int process, const char *what, diag *d) {
    return diag_error(d, NULL, "process %d of %d %s than process 0", process, p->link.count, what);
}

static bool compare_prints(const parallel *p, const parallel_print *all, diag *d) {
    for (int i = 1; i < p->link.count; i++) {
        const parallel_print *a = &all[0], *b = &all[i];
        if (a->options != b->options) return differs(p, i, "is started with other options", d);
        if (a->data != b->data) return differs(p, i, "reads other training data", d);
        if (a->code != b->code)
            return differs(p, i, "runs on another kind of CPU (--mcpu names one for all of them)", d);
        if (a->pieces != b->pieces) return differs(p, i, "trains another model", d);
    }
    return true;
}

bool parallel_same(parallel *p, bool ok, const parallel_print *print, diag *d) {
    if (!parallel_agree(p, ok, d)) return false;
    if (p->link.count == 1) return true;
    parallel_print *all = room(p, sizeof *print);
    bool same = link_gather(&p->link, print, all, sizeof *print, d) && compare_prints(p, all, d);
    free(all);
    return same;
}

// --- A step

bool parallel_sum_step(parallel *p, bool ok, train_step *s, diag *d) {
    enum { OK, LABELS, TEXTS, TOKENS, EXAMPLES, WEIGHT, COUNT };
    if (p->link.count == 1) return ok;
    int64_t mine[COUNT] = {ok, s->labels, s->texts, s->tokens, s->examples};
    memcpy(&mine[WEIGHT], &s->weight, sizeof s->weight); // a double
    int64_t *all = room(p, sizeof mine), sums[COUNT] = {0};
    double weight = 0;
    bool well = link_gather(&p->link, mine, all, sizeof mine, d) && agreed(p, all, COUNT);
    for (int i = 0; well && i < p->link.count * COUNT; i++) {
        double x;
        memcpy(&x, &all[i], sizeof x);
        if (i % COUNT == WEIGHT)
            weight += x;
        else
            sums[i % COUNT] += all[i];
    }
    if (well) {
        s->labels = sums[LABELS];
        s->texts = sums[TEXTS];
        s->tokens = sums[TOKENS];
        s->examples = sums[EXAMPLES];
        s->weight = weight;
    }
    free(all);
    return well;
}

bool parallel_sum_loss(parallel *p, bool ok, double *loss, diag *d) {
    if (p->link.count == 1) return ok;
    if (!link_sums_wait(&p->link, &p->waited, d)) return false;
    struct part {
        int64_t ok;
        double loss;
    } mine = {ok, *loss}, *all = room(p, sizeof mine);
    bool well = link_gather(&p->link, &mine, all, sizeof mine, d) &&
                agreed(p, &all->ok, (int)(sizeof mine / sizeof(int64_t)));
    *loss = 0;
    for (int i = 0; well && i < p->link.count; i++) *loss += all[i].loss;
    free(all);
    return well;
}

// --- Gradients

bool parallel_open_sums(parallel *p, bertc_trainer *t, uint64_t *print, diag *d) {
    int count = 0;
    int64_t first, n;
    *print = 0;
    if (p->link.count == 1) return true;
    while (bertc_trainer_gradient_piece(t, count, &first, &n)) count++;
    link_range *ranges = memory_must(memory_zero((size_t)count + 1, sizeof *ranges));
    for (int i = 0; i < count; i++) {
        bertc_trainer_gradient_piece(t, i, &ranges[i].first, &ranges[i].count);
        *print = parallel_hash(*print, &ranges[i], sizeof ranges[i]);
    }
    bool ok = link_sums_open(&p->link, bertc_trainer_gradient_memory(t, NULL), ranges, count, d);
    free(ranges);
    return ok;
}

bool parallel_hook(parallel *p, bertc_trainer *t, bool on, diag *d) {
    bertc_error e;
    if (p->link.count == 1) return true;
    return bertc_trainer_on_gradients(t, on ? link_sums_add : NULL, &p->link, SENT_TOGETHER, &e) ||
           runtime_failed(d, &e);
}

void parallel_no_gradients(parallel *p, bertc_trainer *t, bool zero) {
    int64_t count, pieces = 0;
    float *memory = bertc_trainer_gradient_memory(t, &count);
    if (zero) memset(memory, 0, (size_t)count * sizeof *memory);
    while (bertc_trainer_gradient_piece(t, (int)pieces, NULL, NULL)) pieces++;
    link_sums_add(&p->link, (int)pieces);
}

// --- State

bool parallel_share_state(parallel *p, train_state *s, diag *d) {
    train_state shared = *s;
    if (p->link.count == 1) return true;
    if (!link_share(&p->link, &shared, sizeof shared, d)) return false;
    shared.metrics = s->metrics;
    shared.options = s->options;
    shared.files = s->files;
    *s = shared;
    return true;
}

static bool share_tensor(parallel *p, bertc_trainer *t, int index, const bertc_train_tensor *x, diag *d) {
    bertc_error e;
    size_t bytes = (size_t)x->count * sizeof(float);
    float *data = memory_must(memory_alloc((size_t)x->count + 1, sizeof *data));
    bool ok = p->link.rank || bertc_trainer_tensor_read(t, index, data, &e) || runtime_failed(d, &e);
    ok = link_share(&p->link, data, bytes, d) && ok;
    if (ok && p->link.rank) ok = bertc_trainer_tensor_write(t, index, data, &e) || runtime_failed(d, &e);
    free(data);
    return ok;
}

bool parallel_share_tensors(parallel *p, bertc_trainer *t, diag *d) {
    bool ok = true;
    for (int i = 0; ok && p->link.count > 1 && i < bertc_trainer_tensor_count(t); i++) {
        bertc_train_tensor x = BERTC_TRAIN_TENSOR_INIT;
        bertc_trainer_tensor_describe(t, i, &x, NULL);
        if (x.kind != BERTC_TENSOR_GRADIENT) ok = share_tensor(p, t, i, &x, d);
    }
    return ok;
}
