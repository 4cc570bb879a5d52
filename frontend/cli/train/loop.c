#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "frontend/cli/train/chance.h"
#include "frontend/cli/train/checkpoint.h"
#include "frontend/cli/train/run.h"

#define METRICS_LOGGED 64

// --- A step

// Its batches, from batch `first` of the epoch's on.
static bool read_step(train_run *r, const order *o, int64_t first, train_step *s, arena *a, diag *d) {
    int64_t left = o->batches - first, most = r->o->accumulation;
    const process_link *l = &r->parallel.link;
    *s = (train_step){.count = left < most ? left : most};
    s->batches = ARENA_ARRAY(a, train_batch, s->count);
    order_part *whole = ARENA_ARRAY(a, order_part, s->count);
    s->whole = whole;
    for (int64_t i = 0; i < s->count; i++) {
        order_part own = order_share(o, &r->order, r->train.lengths, first + i, l->rank, l->count);
        whole[i] = order_batch(o, first + i);
        if (!run_batch(r, &r->train, &own, r->state.epoch, &s->batches[i], a, d)) return false;
    }
    step_sum(s);
    return true;
}

static void seed_of(const train_run *r, int64_t step, int64_t i, int32_t seed[2]) {
    uint64_t bits = chance_bits((uint64_t)r->o->seed, CHANCE_STEP, (uint64_t)step, (uint64_t)i);
    seed[0] = (int32_t)(bits & 0x7fffffff);
    seed[1] = (int32_t)(bits >> 33);
    if (!seed[1]) seed[1] = 1; // 0 would drop nothing
}

static bool add_gradients(train_run *r, const train_step *s, int64_t i, int64_t step, bool first,
                          double *loss, arena *a, diag *d) {
    const process_link *l = &r->parallel.link;
    bertc_train_batch batch;
    bertc_error e;
    float part;
    if (!feed_batch(&batch, r->opened.model, s, i, a, d)) return false;
    seed_of(r, step, i * l->count + l->rank, batch.seed);
    if (!bertc_trainer_gradients(r->trainer, &batch, first, &part, &e)) return runtime_failed(d, &e);
    *loss += (double)part;
    return true;
}

// Of all shares; the last one's gradients are sent while they are computed. All processes send, whatever fails.
static bool all_gradients(train_run *r, const train_step *s, int64_t step, double *loss, arena *a, diag *d) {
    int64_t first = s->count, last = -1;
    for (int64_t i = s->count - 1; i >= 0; i--) {
        if (!s->batches[i].texts) continue;
        first = i;
        if (last < 0) last = i;
    }
    bool ok = true, sent = false;
    for (int64_t i = first; ok && i <= last; i++) {
        if (!s->batches[i].texts) continue;
        ok = parallel_hook(&r->parallel, r->trainer, i == last, d) &&
             add_gradients(r, s, i, step, i == first, loss, a, d);
        sent = ok && i == last;
    }
    if (!sent && r->parallel.link.count > 1) parallel_no_gradients(&r->parallel, r->trainer, true);
    return ok;
}

static bool diverged(const train_run *r, const train_step *s, int64_t step, double loss, double norm,
                     arena *a, diag *d) {
    const char *lines = batch_lines(&r->train, &s->whole[0], a);
    for (int64_t i = 1; i < s->count; i++)
        lines = arena_printf(a, "%s; %s", lines, batch_lines(&r->train, &s->whole[i], a));
    bool of_loss = !isfinite(loss);
    return diag_error(d, data_name(r->train.source),
                      "step %" PRId64 ": the %s is %g, on %s: a smaller --learning-rate may help%s", step,
                      of_loss ? "loss" : "gradients' norm", of_loss ? loss : norm, lines,
                      checkpoint_last(r->o->output) < 0 ? " (with --resume, for the folder is there now)"
                                                        : "");
}

static bool take_step(train_run *r, const train_step *s, arena *a, diag *d) {
    int64_t step = r->state.step + 1;
    double loss = 0, rate = rate_at(&r->rate, step);
    float norm;
    bertc_error e;
    bool ok = all_gradients(r, s, step, &loss, a, d);
    if (!parallel_sum_loss(&r->parallel, ok, &loss, d)) return false;
    if (!isfinite(loss)) return diverged(r, s, step, loss, 0, a, d);
    bertc_train_update update = {BERTC_SIZED(bertc_train_update), .step = (int32_t)step, .rate = (float)rate,
                                 .clip = (float)r->o->max_norm};
    if (!bertc_trainer_update(r->trainer, &update, &norm, &e)) return runtime_failed(d, &e);
    if (!isfinite(norm)) return diverged(r, s, step, loss, (double)norm, a, d);
    r->state.step = step;
    r->state.batches += s->count;
    if (!run_writes(r)) return true;
    report_step(&r->report, step, r->rate.steps, loss, rate, s->tokens);
    return train_log_step(&r->log, step, loss, (double)norm, rate, d);
}

// --- An epoch

static bool keeps_best(const train_run *r) {
    return r->o->load_best;
}

static void keep_metrics(train_run *r, const log_metric *metrics, int count) {
    cJSON_Delete(r->state.metrics);
    r->state.metrics = cJSON_CreateObject();
    for (int i = 0; i < count; i++)
        cJSON_AddNumberToObject(r->state.metrics, metrics[i].name, metrics[i].value);
}

// Is it better than what was best? Then the checkpoint that follows is the best one.
static void judge_epoch(train_run *r, const log_metric *metrics, int count) {
    const char *name = best_metric(r->o);
    double v = NAN, best = r->state.best;
    for (int i = 0; i < count; i++)
        if (!strcmp(metrics[i].name, name)) v = metrics[i].value;
    bool better = !isnan(v) && (isnan(best) || (metric_grows(name) ? v > best : v < best));
    r->state.worse = better ? 0 : r->state.worse + 1;
    if (!better) return;
    r->state.best = v;
    r->state.best_step = r->state.step;
}

static bool end_epoch(train_run *r, diag *d) {
    log_metric metrics[METRICS_LOGGED];
    int count = 0;
    if (r->o->dev && !dev_measure(r, metrics, METRICS_LOGGED, &count, d)) return false;
    report_epoch(&r->report, r->state.epoch, r->state.step, metrics, count);
    if (!train_log_epoch(&r->log, r->state.epoch, r->state.step, metrics, count, d)) return false;
    if (keeps_best(r)) judge_epoch(r, metrics, count);
    bool best = keeps_best(r) && r->state.best_step == r->state.step;
    if (count && (best || !keeps_best(r))) keep_metrics(r, metrics, count);
    return !best || save_checkpoint(r, d);
}

static bool is_over(const train_run *r) {
    return r->state.step >= r->rate.steps || (r->o->patience && r->state.worse >= r->o->patience);
}

static bool one_step(train_run *r, const order *o, diag *d) {
    arena *a = arena_new();
    train_step s;
    bool ok = read_step(r, o, r->state.batches, &s, a, d);
    ok = parallel_sum_step(&r->parallel, ok, &s, d) && take_step(r, &s, a, d);
    arena_free(a);
    return ok;
}

// What process 0 does behind a step, and the others wait for: the epoch's end, and a checkpoint.
static bool write_step(train_run *r, bool last, bool saves, diag *d) {
    bool ok = true;
    if (run_writes(r)) {
        ok = !last || end_epoch(r, d);
        bool saved = last && keeps_best(r) && r->state.best_step == r->state.step;
        ok = ok && (!saves || saved || save_checkpoint(r, d));
    }
    return parallel_agree(&r->parallel, ok, d) && parallel_share_state(&r->parallel, &r->state, d);
}

static bool run_epoch(train_run *r, const order *o, diag *d) {
    while (r->state.batches < o->batches && r->state.step < r->rate.steps) {
        if (!one_step(r, o, d)) return false;
        bool last = r->state.batches == o->batches || r->state.step == r->rate.steps;
        bool saves = r->state.step % r->o->save_steps == 0;
        if (last) r->state.epoch++;
        if (last) r->state.batches = 0;
        if ((last || saves) && !write_step(r, last, saves, d)) return false;
        if (last) break;
    }
    return true;
}

bool loop_run(train_run *r, diag *d) {
    report_open(&r->report, r->state.step);
    bool ok = true;
    while (ok && !is_over(r)) {
        order o;
        order_make(&o, &r->order, r->train.lengths, r->train.count, r->state.epoch);
        ok = run_epoch(r, &o, d);
        order_free(&o);
    }
    report_clear(&r->report);
    return ok;
}
