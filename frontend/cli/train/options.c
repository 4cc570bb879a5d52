#include "frontend/cli/train/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/json_text.h"

#define LORA_ALPHA 8 // PEFT's
#define TASKS      "classify, tag, answer, regress, embed, mlm, pretrain"

static void add_data(option_table *t, train_options *o) {
    t->group = "task and data";
    options_add(t, (option_row){"task", 0, OPTION_TEXT, "TASK", TASKS, &o->task_name});
    options_add(
        t,
        (option_row){
            "train", 0, OPTION_TEXT, "FILE",
            "the examples (-: standard input): JSON lines, CSV or TSV; for mlm and pretrain plain text, too",
            &o->train});
    options_add(t,
                (option_row){"dev", 0, OPTION_TEXT, "FILE",
                             "examples that are answered after each epoch, to measure the model", &o->dev});
    options_add(t, (option_row){"output", 'o', OPTION_TEXT, "DIR",
                                "a new folder for the model, its checkpoints, log.jsonl and loss.svg",
                                &o->output});
    options_add(t, (option_row){"columns", 0, OPTION_TEXT, "NAMES",
                                "names of columns, where the files have other ones: text=review,label=stars",
                                &o->columns});
    options_add(t,
                (option_row){"skip-bad-lines", 0, OPTION_FLAG, NULL,
                             "leave lines out that are no example, with a note (else the exit status is 1)",
                             &o->skip_bad});
    options_add(t, (option_row){"max-seq-length", 0, OPTION_INT, "N",
                                "the most tokens of a text or a window (default 128; for answer 384)",
                                &o->max_length, 3});
    options_add(
        t, (option_row){"problem-type", 0, OPTION_TEXT, "TYPE",
                        "for classify: single_label_classification (default) or multi_label_classification",
                        &o->problem_type});
    options_add(t,
                (option_row){"label-all-tokens", 0, OPTION_FLAG, NULL,
                             "for tag: all tokens of a word have its label (default: its first token alone)",
                             &o->label_all});
    options_add(t, (option_row){"doc-stride", 0, OPTION_INT, "N",
                                "for answer: tokens that neighbouring windows share (default 128)",
                                &o->stride, 0});
    options_add(
        t, (option_row){"score-scale", 0, OPTION_NUMBER, "X",
                        "for embed: divide the scores of pairs by X, so that they are cosines (default 1)",
                        &o->score_scale, .floor = 1e-6});
    options_add(t, (option_row){"mlm-probability", 0, OPTION_NUMBER, "P",
                                "for mlm and pretrain: the share of tokens that are guessed (default 0.15)",
                                &o->mlm_probability, .floor = 1e-6, .ceiling = 1});
    options_add(t, (option_row){"whole-word-mask", 0, OPTION_FLAG, NULL,
                                "for mlm and pretrain: mask all tokens of a word, or none", &o->whole_words});
    options_add(t, (option_row){"ignore-mismatched-sizes", 0, OPTION_FLAG, NULL,
                                "take the labels of the data, whatever labels the folder has: a classifier "
                                "with another number of labels is replaced by a new one",
                                &o->replaces});
    options_add(
        t, (option_row){
               "init", 0, OPTION_TEXT, "FILE",
               "read tensors that the folder lacks (a new head) from FILE (default: draw them by --seed)",
               &o->init});
}

static void add_steps(option_table *t, train_options *o) {
    t->group = "training";
    options_add(t, (option_row){"learning-rate", 0, OPTION_NUMBER, "RATE",
                                "the highest learning rate (default 5e-5)", &o->learning_rate});
    options_add(t, (option_row){"num-train-epochs", 0, OPTION_NUMBER, "N",
                                "how often all examples are read (default 3)", &o->epochs, .floor = 1e-6,
                                .ceiling = 1e6});
    options_add(t, (option_row){"max-steps", 0, OPTION_INT, "N",
                                "stop after N steps, whatever the number of epochs", &o->max_steps, 1});
    options_add(t, (option_row){"per-device-train-batch-size", 0, OPTION_INT, "N",
                                "examples per batch (default 8)", &o->batch, 1, 1 << 20});
    options_add(
        t, (option_row){
               "batch-tokens", 0, OPTION_INT, "N",
               "fill each batch with examples of N tokens together, instead of a fixed number of examples",
               &o->batch_tokens, 1});
    options_add(t, (option_row){"gradient-accumulation-steps", 0, OPTION_INT, "N",
                                "batches per step (default 1)", &o->accumulation, 1, 1 << 20});
    options_add(t, (option_row){"lr-scheduler-type", 0, OPTION_TEXT, "TYPE",
                                "linear (default), cosine, constant, constant_with_warmup", &o->scheduler});
    options_add(t, (option_row){"warmup-ratio", 0, OPTION_NUMBER, "P",
                                "the share of steps in which the rate rises from 0 (default 0)",
                                &o->warmup_ratio, .ceiling = 1});
    options_add(t, (option_row){"warmup-steps", 0, OPTION_INT, "N",
                                "the number of steps in which the rate rises from 0, instead of their share",
                                &o->warmup_steps, 0});
    step_options_add(t, &o->step);
    options_add(t,
                (option_row){"max-grad-norm", 0, OPTION_NUMBER, "X",
                             "scale larger gradients down to this norm (default 1; 0: never)", &o->max_norm});
    options_add(
        t,
        (option_row){
            "dropout", 0, OPTION_NUMBER, "P",
            "the share that is dropped wherever the model drops any (default: as its config says; 0: none)",
            &o->dropout, .ceiling = 1});
    options_add(
        t,
        (option_row){
            "label-smoothing", 0, OPTION_NUMBER, "P",
            "for classify, tag and mlm: the share of each label that is spread over all labels (default 0)",
            &o->smoothing, .ceiling = 0.999});
    options_add(t,
                (option_row){"class-weights", 0, OPTION_TEXT, "WEIGHTS",
                             "for classify and tag: how much each label counts: balanced, or good=1,bad=2.5",
                             &o->class_weights});
    options_add(t, (option_row){"seed", 0, OPTION_INT, "N",
                                "the seed of everything that is drawn at random (default 42)", &o->seed, 0});
    options_add(t, (option_row){"no-shuffle", 0, OPTION_FLAG, NULL,
                                "read the examples in the order of the file", &o->no_shuffle});
}

static void add_lora(option_table *t, train_options *o) {
    t->group = "low-rank adapters (LoRA), which leave the model's weights as they are";
    options_add(t,
                (option_row){"lora-rank", 0, OPTION_INT, "R",
                             "train adapters of rank R; DIR becomes a PEFT adapter", &o->lora.rank, 1, 4096});
    options_add(
        t,
        (option_row){"adapter", 0, OPTION_TEXT, "FOLDER",
                     "train this PEFT adapter further, with its own rank, alpha, dropout, layers and modules",
                     &o->adapter});
    options_add(t, (option_row){"lora-alpha", 0, OPTION_NUMBER, "X", "scale adapters by X / R (default 8)",
                                &o->lora.alpha, .floor = 1e-6});
    options_add(t, (option_row){"lora-dropout", 0, OPTION_NUMBER, "P",
                                "the share that is dropped of the input of adapters (default 0)",
                                &o->lora.dropout, .ceiling = 0.999});
    options_add(t, (option_row){"lora-target-modules", 0, OPTION_TEXT, "NAMES",
                                "layers that get an adapter, by the ends of their names: query,output.dense; "
                                "or all-linear (default: queries and values)",
                                &o->lora.targets});
    options_add(t, (option_row){"modules-to-save", 0, OPTION_TEXT, "NAMES",
                                "more modules that are trained whole. The classifier, and modules that the "
                                "folder lacks, always are",
                                &o->lora.saved});
    options_add(t,
                (option_row){"lora-merge", 0, OPTION_FLAG, NULL,
                             "add the adapters to the weights: DIR becomes a whole model", &o->lora.merged});
}

static void add_teacher(option_table *t, train_options *o) {
    t->group = "distillation: learn the answers of another model, too";
    options_add(t, (option_row){"teacher", 0, OPTION_TEXT, "MODEL",
                                "a folder or an artefact for the same task", &o->teacher});
    options_add(t,
                (option_row){"alpha", 0, OPTION_NUMBER, "P",
                             "the share of the teacher's loss; the labels' loss has the rest (default 0.5)",
                             &o->alpha, .ceiling = 1});
    options_add(
        t, (option_row){"temperature", 0, OPTION_NUMBER, "T",
                        "the temperature of both models' probabilities in the teacher's loss (default 2)",
                        &o->temperature, .floor = 1e-3, .ceiling = 1e3});
}

static void add_run(option_table *t, train_options *o) {
    t->group = "checkpoints and the result";
    options_add(t, (option_row){"metric-for-best-model", 0, OPTION_TEXT, "NAME",
                                "the figure of the dev file that says which epoch is best (default loss); "
                                "goes with the next two options",
                                &o->best_metric});
    options_add(t, (option_row){"early-stopping-patience", 0, OPTION_INT, "N",
                                "stop after N epochs that are no better than the best one", &o->patience, 1});
    options_add(t, (option_row){"load-best-model-at-end", 0, OPTION_FLAG, NULL,
                                "keep the best epoch, not the last one", &o->load_best});
    options_add(t, (option_row){"save-steps", 0, OPTION_INT, "N",
                                "write a checkpoint every N steps (default 500)", &o->save_steps, 1});
    options_add(t, (option_row){"save-total-limit", 0, OPTION_INT, "N",
                                "keep the last N checkpoints, and the best one (default: all)",
                                &o->save_limit, 1});
    options_add(t, (option_row){"save-dtype", 0, OPTION_TEXT, "TYPE",
                                "element type of the weights that are written: f32 (default), bf16, f16",
                                &o->save_dtype});
    options_add(t, (option_row){"resume", 0, OPTION_FLAG, NULL,
                                "continue a run of the same options that was stopped", &o->resume});
    t->group = "how it is compiled";
    options_add(
        t, (option_row){"threads", 'j', OPTION_INT, "N", "threads (default: one per CPU)", &o->threads, 1});
    options_add(t, (option_row){"dtype", 0, OPTION_TEXT, "TYPE",
                                "element type of the products: f32 (default), or bf16 (the weights stay f32)",
                                &o->dtype});
    options_add(t,
                (option_row){"keep", 0, OPTION_TEXT, "f32:NAMES",
                             "kernels and weights that stay in f32 under --dtype bf16, as for bertc compile",
                             &o->keep});
    options_add(t, (option_row){"mcpu", 0, OPTION_TEXT, "CPU",
                                "native (default), or a name that `bertc targets` lists", &o->mcpu});
    options_add(t, (option_row){"passes", 0, OPTION_TEXT, "LIST",
                                "the passes of the graph, as for bertc compile", &o->passes});
}

void train_options_add(option_table *t, train_options *o) {
    *o = (train_options){.learning_rate = 5e-5,
                         .epochs = 3,
                         .batch = 8,
                         .accumulation = 1,
                         .max_norm = 1,
                         .dropout = -1,
                         .mlm_probability = 0.15,
                         .score_scale = 1,
                         .seed = 42,
                         .save_steps = 500,
                         .stride = 128,
                         .lora.alpha = LORA_ALPHA,
                         .alpha = 0.5,
                         .temperature = 2,
                         .scheduler = "linear"};
    add_data(t, o);
    add_steps(t, o);
    add_lora(t, o);
    add_teacher(t, o);
    add_run(t, o);
}

// --- What was asked for

static bool find_task(const char *name, train_task *out) {
    static const char *const names[] = {"classify", "tag", "answer", "regress", "embed", "mlm", "pretrain"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return *out = (train_task)i, true;
    return false;
}

// An option that only some tasks have.
static int check_tasks(const option_table *t, const train_options *o) {
    bool masks = o->task == TRAIN_MLM || o->task == TRAIN_PRETRAIN;
    const struct {
        const char *name, *tasks;
        bool given, allowed;
    } all[] = {
        {"--label-smoothing", "classify, tag and mlm", o->smoothing > 0,
         o->task == TRAIN_TAG || o->task == TRAIN_MLM || (o->task == TRAIN_CLASSIFY && !o->several_labels)},
        {"--class-weights", "classify and tag", o->class_weights != NULL,
         o->task == TRAIN_TAG || o->task == TRAIN_CLASSIFY},
        {"--teacher", "classify, tag, answer, regress, embed and mlm", o->teacher != NULL,
         o->task != TRAIN_PRETRAIN},
        {"--problem-type", "classify", o->problem_type != NULL, o->task == TRAIN_CLASSIFY},
        {"--label-all-tokens", "tag", o->label_all, o->task == TRAIN_TAG},
        {"--doc-stride", "answer", o->stride != 128, o->task == TRAIN_ANSWER},
        {"--score-scale", "embed", o->score_scale != 1, o->task == TRAIN_EMBED},
        {"--mlm-probability", "mlm and pretrain", o->mlm_probability != 0.15, masks},
        {"--whole-word-mask", "mlm and pretrain", o->whole_words, masks}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given && !all[i].allowed)
            return usage_error(t, "%s goes with --task %s", all[i].name, all[i].tasks);
    return -1;
}

static int check_lora(const option_table *t, const train_options *o) {
    const hub_lora *l = &o->lora;
    const char *needs = l->alpha < LORA_ALPHA || l->alpha > LORA_ALPHA ? "--lora-alpha"
                        : l->dropout > 0                               ? "--lora-dropout"
                        : l->targets                                   ? "--lora-target-modules"
                        : l->saved                                     ? "--modules-to-save"
                        : l->merged                                    ? "--lora-merge"
                                                                       : NULL;
    if (o->adapter && (needs || l->rank) && !(l->merged && !strcmp(needs, "--lora-merge")))
        return usage_error(t, "%s and --adapter don't go together: the adapter says it",
                           l->rank ? "--lora-rank" : needs);
    if (o->adapter && o->init) return usage_error(t, "--init and --adapter don't go together");
    if (o->adapter && o->replaces)
        return usage_error(
            t, "--ignore-mismatched-sizes and --adapter don't go together: the labels are the adapter's");
    return needs && !l->rank && !o->adapter ? usage_error(t, "%s goes with --lora-rank", needs) : -1;
}

static int check_teacher(const option_table *t, const train_options *o) {
    bool tempers = o->temperature < 2 || o->temperature > 2;
    bool softmax =
        o->task == TRAIN_CLASSIFY || o->task == TRAIN_TAG || o->task == TRAIN_ANSWER || o->task == TRAIN_MLM;
    if (!o->teacher && (tempers || o->alpha < 0.5 || o->alpha > 0.5))
        return usage_error(t, "%s goes with --teacher", tempers ? "--temperature" : "--alpha");
    if (tempers && !softmax)
        return usage_error(t, "--temperature goes with --task classify, tag, answer and mlm");
    if (o->teacher && o->class_weights)
        return usage_error(
            t, "--class-weights and --teacher don't go together: a teacher's loss has no weights");
    return -1;
}

static int check_values(const option_table *t, train_options *o) {
    static const char single[] = "single_label_classification", several[] = "multi_label_classification";
    if (!rate_find(o->scheduler, &o->rate))
        return usage_error(
            t, "--lr-scheduler-type: '%s' is none of linear, cosine, constant, constant_with_warmup",
            o->scheduler);
    o->several_labels = o->problem_type && !strcmp(o->problem_type, several);
    if (o->problem_type && !o->several_labels && strcmp(o->problem_type, single))
        return usage_error(t, "--problem-type: '%s' is none of %s, %s", o->problem_type, single, several);
    const char *dtype = o->save_dtype;
    if (dtype && strcmp(dtype, "f32") && strcmp(dtype, "bf16") && strcmp(dtype, "f16"))
        return usage_error(t, "--save-dtype: '%s' is none of f32, bf16, f16", dtype);
    if (o->dtype && strcmp(o->dtype, "f32") && strcmp(o->dtype, "bf16"))
        return usage_error(t, "--dtype: '%s' is none of f32, bf16", o->dtype);
    if (o->keep && (strncmp(o->keep, "f32:", 4) || !o->keep[4]))
        return usage_error(t, "--keep takes f32:NAMES, not '%s'", o->keep);
    if (o->keep && (!o->dtype || strcmp(o->dtype, "bf16")))
        return usage_error(t, "--keep goes with --dtype bf16");
    if (o->warmup_steps && o->warmup_ratio > 0)
        return usage_error(t, "--warmup-steps and --warmup-ratio are two ways to say one thing");
    if (o->dropout >= 1) return usage_error(t, "--dropout: takes a number below 1");
    if (o->dev && !strcmp(o->train, "-") && !strcmp(o->dev, "-"))
        return usage_error(t, "standard input is the one file or the other");
    const char *needs_dev = o->best_metric ? "--metric-for-best-model"
                            : o->patience  ? "--early-stopping-patience"
                            : o->load_best ? "--load-best-model-at-end"
                                           : NULL;
    if (needs_dev && !o->dev) return usage_error(t, "%s needs --dev", needs_dev);
    o->load_best |= needs_dev != NULL;
    return -1;
}

int train_options_check(const option_table *t, train_options *o, const arguments *rest) {
    if (rest->count != 1)
        return usage_error(t, rest->count ? "takes one model" : "needs a model: a Hugging Face folder");
    o->model = rest->v[0];
    if (!o->task_name) return usage_error(t, "needs --task: %s", TASKS);
    if (!find_task(o->task_name, &o->task))
        return usage_error(t, "--task: '%s' is none of %s", o->task_name, TASKS);
    if (!o->train) return usage_error(t, "needs --train: a file of examples");
    if (!o->output || !*o->output) return usage_error(t, "needs -o: a new folder");
    int status = check_values(t, o);
    if (status < 0) status = check_lora(t, o);
    if (status < 0) status = check_teacher(t, o);
    return status >= 0 ? status : check_tasks(t, o);
}

data_form train_form(const train_options *o) {
    switch (o->task) {
    case TRAIN_CLASSIFY: return o->several_labels ? DATA_LABELS : DATA_LABEL;
    case TRAIN_TAG: return DATA_TAGS;
    case TRAIN_ANSWER: return DATA_ANSWER;
    case TRAIN_REGRESS: return DATA_NUMBER;
    case TRAIN_EMBED: return DATA_EMBED;
    case TRAIN_MLM:
    case TRAIN_PRETRAIN: break;
    }
    return DATA_TEXT;
}

// --- For a run that goes on

// Options that change nothing of the result, or that name files (whose contents count: the data have a fingerprint).
static bool is_free(const char *name) {
    static const char *const names[] = {
        "train",  "dev",     "output", "init", "adapter", "skip-bad-lines", "save-steps", "save-total-limit",
        "resume", "threads", "memory"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

static const char *value_text(const option_row *r, char buf[JSON_NUMBER_ROOM]) {
    switch (r->kind) {
    case OPTION_FLAG: return *(const bool *)r->out ? "yes" : NULL;
    case OPTION_TEXT:
    case OPTION_OPTIONAL: return *(const char *const *)r->out;
    case OPTION_INT: // 0 is what wasn't asked for
        snprintf(buf, JSON_NUMBER_ROOM, "%" PRId64, *(const int64_t *)r->out);
        return *(const int64_t *)r->out ? buf : NULL;
    case OPTION_NUMBER: // negative is what wasn't asked for
        json_print_double(*(const double *)r->out, buf);
        return *(const double *)r->out < 0 ? NULL : buf;
    case OPTION_INTS:
    case OPTION_TEXTS: break; // there are none
    }
    return NULL;
}

cJSON *train_options_json(const option_table *t) {
    cJSON *o = cJSON_CreateObject();
    for (int i = 0; i < t->count; i++) {
        char name[64], buf[JSON_NUMBER_ROOM];
        const option_row *r = &t->rows[i];
        const char *text = is_free(r->name) ? NULL : value_text(r, buf);
        if (!text) continue;
        snprintf(name, sizeof name, "--%s", r->name);
        cJSON_AddStringToObject(o, name, text);
    }
    return o;
}
