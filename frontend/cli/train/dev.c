// The dev file at the end of an epoch: its loss, and the metrics of what the model answers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/train/judge.h"
#include "frontend/cli/train/run.h"
#include "ir/memory.h"

bool metric_grows(const char *name) {
    static const char *const falling[] = {"loss", "mlm_loss", "next_loss",    "perplexity",       "mse",
                                          "rmse", "mae",      "hamming_loss", "calibration_error"};
    for (size_t i = 0; i < sizeof falling / sizeof *falling; i++)
        if (!strcmp(name, falling[i])) return false;
    return true;
}

// "eval_f1" is Transformers' name of "f1".
const char *best_metric(const train_options *o) {
    const char *name = o->best_metric ? o->best_metric : "loss";
    return strncmp(name, "eval_", 5) ? name : name + 5;
}

// Is the loss more than the labels' cross entropy, of which a perplexity is made?
static bool mixed_loss(const train_run *r) {
    return r->o->task == TRAIN_MLM && (r->o->smoothing > 0 || r->o->teacher);
}

bool dev_check_metric(train_run *r, diag *d) {
    arena *a = arena_new();
    judge j;
    metric_list list = {0};
    judge_open(&j, &r->dev, mixed_loss(r), a);
    metric_add(&list, "loss", 0);
    judge_list(&j, 0, &list);
    const char *name = best_metric(r->o), *names = "";
    bool found = false;
    for (int i = 0; i < list.count; i++) {
        found |= !strcmp(list.v[i].name, name);
        names = arena_printf(a, "%s%s%s", names, i ? ", " : "", list.v[i].name);
    }
    if (!found)
        diag_error(d, "--metric-for-best-model", "%s is none of the dev file's metrics: %s", name, names);
    arena_free(a);
    return found;
}

// Room for each output that the judge reads, for any call.
typedef struct output_room {
    int count;
    float **buffers;
    bertc_tensor *tensors;
} output_room;

static output_room room_open(const train_run *r, const judge *j) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(r->opened.model, &info, NULL);
    output_room out = {.count = info.output_count};
    out.buffers = memory_must(memory_zero((size_t)out.count, sizeof *out.buffers));
    out.tensors = memory_must(memory_zero((size_t)out.count, sizeof *out.tensors));
    for (int i = 0; i < out.count; i++) {
        out.tensors[i].size = sizeof *out.tensors;
        if (!judge_reads(j, bertc_output_name(r->opened.model, i))) continue;
        size_t row = bertc_output_bytes(r->opened.model, i, 1, 1);
        out.buffers[i] = memory_must(memory_alloc((size_t)r->room, row));
    }
    return out;
}

static void room_close(output_room *o) {
    for (int i = 0; i < o->count; i++) free(o->buffers[i]);
    free(o->buffers);
    free(o->tensors);
}

typedef struct dev_sum {
    double loss, weight;
} dev_sum;

// A batch is a step of its own; its mean counts as much as its labels do.
static bool add_batch(train_run *r, const order *o, int64_t b, judge *j, output_room *room, dev_sum *sum,
                      arena *a, diag *d) {
    train_batch batch;
    train_step s = {.count = 1, .batches = &batch};
    bertc_train_batch in;
    bertc_error e;
    float loss;
    const order_part part = order_batch(o, b);
    if (!run_batch(r, &r->dev, &part, DEV_EPOCH, &batch, a, d)) return false;
    step_sum(&s);
    if (!feed_batch(&in, r->opened.model, &s, 0, a, d)) return false;
    if (!bertc_trainer_forward(r->trainer, &in, room->buffers, room->tensors, &loss, &e))
        return runtime_failed(d, &e);
    sum->loss += (double)loss * s.weight;
    sum->weight += s.weight;
    judge_add(j, &batch, room->count, room->tensors);
    return true;
}

bool dev_measure(train_run *r, log_metric *out, int most, int *count, diag *d) {
    arena *a = arena_new();
    judge j;
    judge_open(&j, &r->dev, mixed_loss(r), a);
    output_room room = room_open(r, &j);
    dev_sum sum = {0};
    order o;
    order_make(&o, &(order_rule){.tokens = r->room}, r->dev.lengths, r->dev.count, 0);
    bool ok = true;
    for (int64_t b = 0; ok && b < o.batches; b++) {
        arena *batch = arena_new();
        ok = add_batch(r, &o, b, &j, &room, &sum, batch, d);
        arena_free(batch);
    }
    order_free(&o);
    room_close(&room);
    ok = ok && judge_end(&j, d);
    metric_list list = {0};
    double loss = sum.weight > 0 ? sum.loss / sum.weight : NAN;
    metric_add(&list, "loss", loss);
    judge_list(&j, loss, &list);
    for (*count = 0; *count < list.count && *count < most; ++*count)
        out[*count] = (log_metric){list.v[*count].name, list.v[*count].value};
    arena_free(a);
    return ok;
}
