#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/memory.h"
#include "frontend/cli/train/checkpoint.h"
#include "frontend/cli/train/class_weights.h"
#include "frontend/cli/train/intact.h"
#include "frontend/cli/train/run.h"
#include "ir/memory.h"

// --- The output folder

// What a run leaves that is killed at once.
static bool is_empty(const char *folder) {
    int entries = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir)) entries++;
    if (dir) closedir(dir);
    return dir && entries == 2; // "." and ".."
}

// A log, and nothing that a run could go on from.
static bool stopped_early(const char *folder) {
    return !access(checkpoint_file(folder, "log.jsonl").text, F_OK) && checkpoint_last(folder) < 0 &&
           access(checkpoint_file(folder, CHECKPOINT_STATE).text, F_OK);
}

// The folder will be made in another, which must be there.
static bool check_parent(const char *output, diag *d) {
    char parent[PATH_MAX];
    size_t n = strlen(output);
    while (n > 1 && output[n - 1] == '/') n--;
    while (n > 0 && output[n - 1] != '/') n--;
    if (n >= sizeof parent) return diag_error(d, output, "can't be made: %s", strerror(ENAMETOOLONG));
    memcpy(parent, output, n);
    parent[n] = 0;
    return !access(n ? parent : ".", W_OK | X_OK) ||
           diag_error(d, output, "can't be made in %s: %s", n ? parent : "this folder", strerror(errno));
}

// *finished: it is there, and nothing is left to do.
static bool check_output(const train_options *o, bool *finished, diag *d) {
    struct stat st;
    *finished = false;
    if (lstat(o->output, &st))
        return (errno == ENOENT || diag_error(d, o->output, "%s", strerror(errno))) &&
               check_parent(o->output, d);
    if (!o->resume)
        return diag_error(
            d, o->output,
            stopped_early(o->output)
                ? "is there already, of a run that stopped before its first checkpoint; --resume begins it "
                  "anew"
                : "is there already; --resume goes on with the run of which it is the output folder");
    if (stat(o->output, &st) || !S_ISDIR(st.st_mode)) return diag_error(d, o->output, "is no folder");
    *finished = !stat(checkpoint_file(o->output, CHECKPOINT_STATE).text, &st);
    bool log = !stat(checkpoint_file(o->output, "log.jsonl").text, &st);
    return log || is_empty(o->output) ||
           diag_error(d, o->output, "is no output folder of bertc train: --resume has nothing to go on with");
}

// The folder, which no other run writes from here on.
static bool open_output(train_run *r, diag *d) {
    const char *out = r->o->output;
    if (mkdir(out, 0777) && !(errno == EEXIST && r->o->resume))
        return diag_error(d, out, "can't be made: %s", strerror(errno));
    if (!train_log_open(&r->log, out, d)) return false;
    checkpoint_clean(out);
    return true;
}

// --- The data

static bool open_set(train_run *r, train_set *s, const char *path, bool learns, const progress_hook *hook,
                     diag *d) {
    set_options o = {
        .path = path, .data = {.columns = r->o->columns}, .skip_bad = r->o->skip_bad, .progress = hook};
    return set_open(s, &o, &r->base.rule, learns ? r->base.labels : NULL, d);
}

static bool open_data(train_run *r, diag *d) {
    progress_line line;
    const progress_hook *hook = progress_line_open(&line);
    bool ok = open_set(r, &r->train, r->o->train, r->base.learns, hook, d) &&
              base_settle(&r->base, data_name(r->train.source), d) &&
              (!r->o->dev || open_set(r, &r->dev, r->o->dev, false, hook, d));
    progress_line_clear(&line);
    if (ok && r->o->dev && r->dev.numbers != r->train.numbers)
        return diag_error(d, data_name(r->dev.source),
                          "has %lld numbers in each example, and the training file %lld",
                          (long long)r->dev.numbers, (long long)r->train.numbers);
    return ok;
}

// The lengths and numbers of steps that all of it comes to.
static void make_plan(train_run *r) {
    const train_options *o = r->o;
    int processes = r->parallel.link.count;
    r->order = (order_rule){.shuffle = !o->no_shuffle,
                            .seed = (uint64_t)o->seed,
                            .examples = o->batch * processes,
                            .tokens = o->batch_tokens * processes};
    r->batches = (batch_rule){.mask = &r->base.mask, .pairs = &r->base.pairs};
    if (!o->several_labels) r->batches.weights = r->weights; // else each label's loss has its weight within
    r->plan = plan_of(&r->order, r->train.lengths, r->train.count, o->accumulation, o->epochs, o->max_steps,
                      processes);
    r->rate = (rate_rule){.kind = o->rate,
                          .rate = o->learning_rate,
                          .warmup = rate_warmup(o->warmup_steps, o->warmup_ratio, r->plan.steps),
                          .steps = r->plan.steps};
}

// --- The trainer

// What the folder is trained for; a head that it lacks has the labels of the data.
static hub_training training_of(const train_run *r) {
    const train_options *o = r->o;
    const train_base *b = &r->base;
    hub_training t = {.task = o->task_name,
                      .option = "--task",
                      .multi_label = o->several_labels,
                      .cosine = o->task == TRAIN_EMBED && r->train.numbers > 0,
                      .init = o->init,
                      .replaces = o->replaces,
                      .seed = (uint64_t)o->seed,
                      .label_smoothing = o->smoothing,
                      .class_weights = r->weights,
                      .lora = o->lora};
    if (r->weights) t.class_weight_count = data_labels_count(b->labels);
    if (o->task == TRAIN_REGRESS) t.label_count = r->train.numbers;
    t.dropout = o->dropout;
    if (r->teacher.session) {
        t.teacher = true;
        t.temperature = o->temperature;
        t.soft = o->alpha;
    }
    if (!b->learns && !b->named) return t;
    const char **names = ARENA_ARRAY(b->arena, const char *, data_labels_count(b->labels));
    t.label_count = data_labels_count(b->labels);
    for (int i = 0; i < t.label_count; i++) names[i] = data_labels_name(b->labels, i);
    t.labels = names;
    return t;
}

static bool check_room(const train_run *r, diag *d) {
    return r->room <= BERTC_TOKENS_MAX ||
           diag_error(d, r->o->batch_tokens ? "--batch-tokens" : "--per-device-train-batch-size",
                      "a batch of %lld tokens is more than %lld tokens in one call", (long long)r->room,
                      (long long)BERTC_TOKENS_MAX);
}

static bool open_trainer(train_run *r, diag *d) {
    const train_options *o = r->o;
    int64_t longest = r->train.longest > r->dev.longest ? r->train.longest : r->dev.longest;
    int64_t texts = (r->plan.tokens + longest - 1) / longest;
    bertc_error e;
    step_options step = o->step;
    step.rates.layers = r->base.model.layers;
    optimizer_options optimizer = step_optimizer(&step);
    build_options b = {.hub = {.model = o->model, .train = training_of(r)},
                       .lengths = {.count = 1, .v = {longest}},
                       .batch = texts,
                       .optimise = 2,
                       .dtype = o->dtype,
                       .mcpu = o->mcpu,
                       .usual_mcpu = "native",
                       .passes = o->passes,
                       .optimizer = &optimizer,
                       .memory = step.memory,
                       .memory_beside = MEMORY_BESIDE,
                       .memory_told = step.memory ? stdout : NULL};
    if (o->keep) b.keeps = (text_list){.count = 1, .v = {o->keep}};
    r->room = texts * longest;
    if (!check_room(r, d) || !opened_open(&r->opened, o->model, &b, d)) return false;
    bertc_session_options s = BERTC_SESSION_OPTIONS_INIT;
    s.threads = (int)(o->threads ? o->threads : r->threads);
    r->trainer = bertc_trainer_open(r->opened.model, &s, &e);
    opened_settle(&r->opened);
    if (!r->trainer) return runtime_failed(d, &e);
    return tensor_rates_check(&step.rates, d) &&
           (!r->teacher.session || teacher_check_width(&r->teacher, r->opened.model, d));
}

// From here on the texts have the teacher's tokens too, where they may be others.
static bool settle_teacher(train_run *r, diag *d) {
    train_base *b = &r->base;
    bool same = r->o->task == TRAIN_ANSWER || r->o->task == TRAIN_MLM;
    if (b->labels && !teacher_check_labels(&r->teacher, b->labels, b->arena, d)) return false;
    if (same) return teacher_check_tokens(&r->teacher, b->tokenizer, d);
    b->rule.teacher = r->teacher.session;
    b->rule.teacher_tokens = r->teacher.max_tokens;
    return true;
}

// --- A run

// False: the last checkpoint can't be read. Where there is one before, a note says so.
static bool damaged(const train_run *r, int64_t last, diag *d) {
    int64_t before = checkpoint_before(r->o->output, last);
    if (before >= 0)
        diag_note(d, checkpoint_folder(r->o->output, before).text,
                  "is the checkpoint before: without checkpoint-%lld --resume goes on from there",
                  (long long)last);
    return false;
}

// The state of the last checkpoint, or of a run that begins.
static bool begin(train_run *r, const cJSON *options, int64_t *last_step, diag *d) {
    if (!open_output(r, d)) return false;
    int64_t last = *last_step = checkpoint_last(r->o->output);
    if (last >= 0) {
        checkpoint_path folder = checkpoint_folder(r->o->output, last),
                        path = checkpoint_file(folder.text, CHECKPOINT_STATE);
        bool read = state_read(path.text, &r->state, d);
        if (read && !state_matches(&r->state, path.text, options, r->train.print, d)) return false;
        read = read && intact_check(folder.text, r->state.files, d);
        cJSON_Delete(r->state.files);
        r->state.files = NULL;
        return ((read && load_checkpoint(r, last, d)) || damaged(r, last, d)) &&
               train_log_keep(&r->log, r->state.log_bytes, d);
    }
    r->state.options = cJSON_Duplicate(options, true);
    return train_log_keep(&r->log, 0, d);
}

// The same in all processes, of which one reads and writes the output folder.
static bool begin_all(train_run *r, const cJSON *options, diag *d) {
    int64_t last = -1;
    r->state = (train_state){.best = NAN, .steps = r->plan.steps, .data = r->train.print};
    bool ok = !run_writes(r) || begin(r, options, &last, d);
    if (!parallel_agree(&r->parallel, ok, d) || !parallel_share_state(&r->parallel, &r->state, d))
        return false;
    ok = link_share(&r->parallel.link, &last, sizeof last, d) &&
         (last < 0 || parallel_share_tensors(&r->parallel, r->trainer, d));
    return parallel_agree(&r->parallel, ok, d);
}

// Opens what the run reads, and the trainer.
static bool open_run(train_run *r, diag *d) {
    if (r->o->teacher && !teacher_open(&r->teacher, r->o, r->threads, d)) return false;
    if (!base_open(&r->base, r->o, r->o->teacher ? &r->teacher : NULL, d) || !open_data(r, d)) return false;
    if (r->o->teacher && !settle_teacher(r, d)) return false;
    if (r->o->load_best && !dev_check_metric(r, d)) return false;
    const char *weights = r->o->class_weights;
    if (weights && !(r->weights = class_weights_read(weights, &r->train, r->base.arena, d))) return false;
    make_plan(r);
    return open_trainer(r, d);
}

static uint64_t code_print(const train_run *r) {
    const target *t = &r->opened.build.targets[0];
    uint64_t h = parallel_hash(0, t->cpu, strlen(t->cpu));
    return parallel_hash(h, t->features, strlen(t->features));
}

static bool same_in_all(train_run *r, bool ok, const cJSON *options, diag *d) {
    parallel_print print = {.data = r->train.print};
    char *text = json_line(options);
    print.options = parallel_hash(0, text, strlen(text));
    free(text);
    if (ok) print.code = code_print(r);
    ok = ok && parallel_open_sums(&r->parallel, r->trainer, &print.pieces, d);
    return parallel_same(&r->parallel, ok, &print, d);
}

static bool run(train_run *r, const cJSON *options, diag *d) {
    bool finished = false;
    parallel *p = &r->parallel;
    bool ok = !run_writes(r) || check_output(r->o, &finished, d);
    if (ok && p->link.count > 1 && !strcmp(r->o->train, "-"))
        ok = diag_error(d, "--train -", "standard input is one process's alone: name a file");
    if (!parallel_agree(p, ok, d) || !link_share(&p->link, &finished, sizeof finished, d)) return false;
    if (finished) {
        diag_note(d, r->o->output, "the run is at its end: there is nothing to go on with");
        return true;
    }
    r->threads = parallel_threads(p, d);
    if (!same_in_all(r, open_run(r, d), options, d) || !begin_all(r, options, d) || !loop_run(r, d))
        return false;
    bool saved = parallel_agree(p, !run_writes(r) || save_result(r, d), d);
    if (saved && run_writes(r) && p->link.count > 1) {
        int64_t numbers;
        bertc_trainer_gradient_memory(r->trainer, &numbers);
        report_processes(&r->report, p->link.count, numbers, p->waited);
    }
    return saved;
}

static void close_run(train_run *r) {
    if (r->log.path) train_log_close(&r->log);
    state_free(&r->state);
    if (r->trainer) bertc_trainer_close(r->trainer);
    opened_close(&r->opened);
    set_close(&r->train);
    set_close(&r->dev);
    teacher_close(&r->teacher);
    base_close(&r->base);
    link_close(&r->parallel.link);
    free(r);
}

// How many processes there are of the run.
static launch start_of(void) {
    launch how = launch_mpi();
    return how.count ? how : launch_srun();
}

// Prints what there is to say, which one process of a run does.
static int end(const train_run *r, bool ok, diag *d) {
    const parallel *p = &r->parallel;
    if (p->link.rank == p->speaker) {
        if (p->speaker) diag_note(d, NULL, "of process %d of %d", p->speaker, p->link.count);
        return finish(d);
    }
    diag_free(d);
    return ok ? EXIT_OK : EXIT_FAILED;
}

// What an adapter that the run goes on with says, as if the command line said it.
static bool take_adapter(train_options *o, arena *a, diag *d) {
    static const char *const heads[] = {[TRAIN_CLASSIFY] = "sequence-classification",
                                        [TRAIN_REGRESS] = "sequence-classification",
                                        [TRAIN_TAG] = "token-classification",
                                        [TRAIN_ANSWER] = "question-answering",
                                        [TRAIN_EMBED] = "embedding",
                                        [TRAIN_MLM] = "masked-lm",
                                        [TRAIN_PRETRAIN] = "pretraining"};
    bool merged = o->lora.merged;
    const char *head;
    if (!o->adapter) return true;
    if (!hub_lora_read(o->adapter, a, &o->lora, &o->init, &head, d)) return false;
    o->lora.merged = merged;
    return !head || !strcmp(head, heads[o->task]) ||
           diag_error(d, o->adapter, "is for the head %s, and --task %s trains %s", head, o->task_name,
                      heads[o->task]);
}

static int train(const option_table *t, train_options *o, const launch *how) {
    diag d;
    diag_init(&d);
    d.subject = o->model;
    arena *a = arena_new(); // of the adapter's settings
    bool taken = take_adapter(o, a, &d);
    cJSON *options = train_options_json(t);
    train_run *r = memory_must(memory_zero(1, sizeof *r));
    r->o = o;
    r->log.fd = -1;
    bool ok = link_open(&r->parallel.link, how, &d) && taken;
    if (r->parallel.link.count > 1) {
        char count[16];
        snprintf(count, sizeof count, "%d", r->parallel.link.count);
        cJSON_AddStringToObject(options, "processes", count);
    }
    ok = ok && run(r, options, &d);
    report_clear(&r->report);
    int status = end(r, ok, &d);
    close_run(r);
    cJSON_Delete(options);
    arena_free(a);
    return status;
}

int command_train(int argc, char **argv) {
    train_options o;
    arguments rest;
    option_table t = {
        .usage = "bertc train MODEL --task TASK --train FILE -o DIR [OPTION]...",
        .summary =
            "Trains a Hugging Face folder on examples, and writes a new folder. Options have the names and "
            "defaults\nof Transformers' TrainingArguments.",
        .example =
            "bertc train examples/models/mini-sst2 --task classify --train examples/reviews.jsonl -o mine/"};
    train_options_add(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status < 0) status = train_options_check(&t, &o, &rest);
    if (status >= 0) return status;
    const launch how = start_of();
    status = how.count > 1 ? supervise(&how) : -1;
    return status >= 0 ? status : train(&t, &o, &how);
}
