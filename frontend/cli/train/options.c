#include "frontend/cli/train/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/train/log.h"

#define LORA_ALPHA 8 // PEFT's
#define TASKS      "classify, tag, answer, regress, embed, mlm, pretrain"

static void add_data(option_table *t, train_options *o) {
    t->group = "what is learnt";
    options_add(t, (option_row){"task", 0, OPTION_TEXT, "TASK", TASKS, &o->task_name});
    options_add(
        t, (option_row){"train", 0, OPTION_TEXT, "FILE",
                        "the examples: JSON lines, CSV, TSV, of mlm and pretrain plain text too; -: standard "
                        "input",
                        &o->train});
    options_add(t,
                (option_row){"dev", 0, OPTION_TEXT, "FILE", "examples that each epoch ends with", &o->dev});
    options_add(t,
                (option_row){"output", 'o', OPTION_TEXT, "DIR",
                             "a new folder for the model, checkpoints, log.jsonl and loss.svg", &o->output});
    options_add(t, (option_row){"columns", 0, OPTION_TEXT, "NAMES",
                                "text=review,label=stars: columns of the files that have other names",
                                &o->columns});
    options_add(t,
                (option_row){"skip-bad-lines", 0, OPTION_FLAG, NULL,
                             "lines that are no example are left out; else they are the end", &o->skip_bad});
    options_add(t, (option_row){"max-seq-length", 0, OPTION_INT, "N",
                                "tokens of the longest text, or window (default 128; of answer 384)",
                                &o->max_length, 3});
    options_add(t,
                (option_row){"problem-type", 0, OPTION_TEXT, "TYPE",
                             "of classify: single_label_classification (default), multi_label_classification",
                             &o->problem_type});
    options_add(t, (option_row){"label-all-tokens", 0, OPTION_FLAG, NULL,
                                "of tag: all pieces of a word have its label, not the first one alone",
                                &o->label_all});
    options_add(t, (option_row){"doc-stride", 0, OPTION_INT, "N",
                                "of answer: tokens that neighbouring windows share (default 128)", &o->stride,
                                0});
    options_add(t, (option_row){"score-scale", 0, OPTION_NUMBER, "X",
                                "of embed: scores of pairs are divided by it, to be cosines (default 1)",
                                &o->score_scale, .floor = 1e-6});
    options_add(t, (option_row){"mlm-probability", 0, OPTION_NUMBER, "P",
                                "of mlm and pretrain: the share of tokens that are guessed (default 0.15)",
                                &o->mlm_probability, .floor = 1e-6, .ceiling = 1});
    options_add(t, (option_row){"whole-word-mask", 0, OPTION_FLAG, NULL,
                                "of mlm and pretrain: all pieces of a word are masked, or none",
                                &o->whole_words});
    options_add(
        t, (option_row){"ignore-mismatched-sizes", 0, OPTION_FLAG, NULL,
                        "the labels are those of the data, whatever the folder's: a classifier of another "
                        "number gives way to a new one",
                        &o->replaces});
    options_add(t, (option_row){"init", 0, OPTION_TEXT, "FILE",
                                "tensors that the folder lacks (a new head); else they are drawn by --seed",
                                &o->init});
}

static void add_steps(option_table *t, train_options *o) {
    t->group = "how";
    options_add(t, (option_row){"learning-rate", 0, OPTION_NUMBER, "RATE", "the largest (default 5e-5)",
                                &o->learning_rate});
    options_add(t, (option_row){"num-train-epochs", 0, OPTION_NUMBER, "N", "default 3", &o->epochs,
                                .floor = 1e-6, .ceiling = 1e6});
    options_add(t, (option_row){"max-steps", 0, OPTION_INT, "N", "so many steps, whatever the epochs",
                                &o->max_steps, 1});
    options_add(t, (option_row){"per-device-train-batch-size", 0, OPTION_INT, "N",
                                "examples of a batch (default 8)", &o->batch, 1, 1 << 20});
    options_add(t, (option_row){"batch-tokens", 0, OPTION_INT, "N",
                                "instead: as many examples as have so many tokens together", &o->batch_tokens,
                                1});
    options_add(t, (option_row){"gradient-accumulation-steps", 0, OPTION_INT, "N",
                                "batches of a step (default 1)", &o->accumulation, 1, 1 << 20});
    options_add(t, (option_row){"lr-scheduler-type", 0, OPTION_TEXT, "TYPE",
                                "linear (default), cosine, constant, constant_with_warmup", &o->scheduler});
    options_add(t, (option_row){"warmup-ratio", 0, OPTION_NUMBER, "P",
                                "the share of steps in which the rate rises from 0 (default 0)",
                                &o->warmup_ratio, .ceiling = 1});
    options_add(
        t, (option_row){"warmup-steps", 0, OPTION_INT, "N", "instead: so many steps", &o->warmup_steps, 0});
    step_options_add(t, &o->step);
    options_add(t, (option_row){"max-grad-norm", 0, OPTION_NUMBER, "X",
                                "larger gradients are scaled down to this norm (default 1; 0: none are)",
                                &o->max_norm});
    options_add(
        t,
        (option_row){
            "dropout", 0, OPTION_NUMBER, "P",
            "the share that is dropped wherever the model drops any (default: as its config says; 0: none)",
            &o->dropout, .ceiling = 1});
    options_add(t,
                (option_row){"label-smoothing", 0, OPTION_NUMBER, "P",
                             "of classify, tag and mlm: the share of a label that all labels get (default 0)",
                             &o->smoothing, .ceiling = 0.999});
    options_add(t, (option_row){"class-weights", 0, OPTION_TEXT, "WEIGHTS",
                                "of classify and tag: balanced, or good=1,bad=2.5: how much a label counts",
                                &o->class_weights});
    options_add(t,
                (option_row){"seed", 0, OPTION_INT, "N", "of all that is drawn (default 42)", &o->seed, 0});
    options_add(t, (option_row){"no-shuffle", 0, OPTION_FLAG, NULL, "lines are taken in their order",
                                &o->no_shuffle});
}

static void add_lora(option_table *t, train_options *o) {
    t->group = "low-rank adapters (LoRA): the model's weights stay as they are";
    options_add(t, (option_row){"lora-rank", 0, OPTION_INT, "R",
                                "trains adapters of rank R; DIR is a PEFT adapter", &o->lora.rank, 1, 4096});
    options_add(t, (option_row){
                       "adapter", 0, OPTION_TEXT, "FOLDER",
                       "goes on with this PEFT adapter: its values, rank, alpha, dropout, layers and modules",
                       &o->adapter});
    options_add(t, (option_row){"lora-alpha", 0, OPTION_NUMBER, "X", "an adapter counts X / R (default 8)",
                                &o->lora.alpha, .floor = 1e-6});
    options_add(t, (option_row){"lora-dropout", 0, OPTION_NUMBER, "P",
                                "the share that is dropped of what adapters read (default 0)",
                                &o->lora.dropout, .ceiling = 0.999});
    options_add(t,
                (option_row){"lora-target-modules", 0, OPTION_TEXT, "NAMES",
                             "layers by the ends of their names: query,output.dense; or all-linear (default: "
                             "queries and values)",
                             &o->lora.targets});
    options_add(t,
                (option_row){"modules-to-save", 0, OPTION_TEXT, "NAMES",
                             "further modules that are trained whole, as the classifier is, and all that the "
                             "folder lacks",
                             &o->lora.saved});
    options_add(t,
                (option_row){"lora-merge", 0, OPTION_FLAG, NULL,
                             "DIR is a whole model: the adapters are added to its weights", &o->lora.merged});
}

static void add_teacher(option_table *t, train_options *o) {
    t->group = "distillation: another model's answers are learnt too";
    options_add(t, (option_row){"teacher", 0, OPTION_TEXT, "MODEL",
                                "a folder or an artefact for the same task", &o->teacher});
    options_add(t, (option_row){"alpha", 0, OPTION_NUMBER, "P",
                                "the share of its loss; the labels' has the rest (default 0.5)", &o->alpha,
                                .ceiling = 1});
    options_add(t, (option_row){"temperature", 0, OPTION_NUMBER, "T",
                                "of both models' probabilities in its loss (default 2)", &o->temperature,
                                .floor = 1e-3, .ceiling = 1e3});
}

static void add_run(option_table *t, train_options *o) {
    t->group = "what is kept";
    options_add(
        t,
        (option_row){"metric-for-best-model", 0, OPTION_TEXT, "NAME",
                     "of the dev file: the best epoch by it is the result (default loss, with the next two)",
                     &o->best_metric});
    options_add(t, (option_row){"early-stopping-patience", 0, OPTION_INT, "N",
                                "the end after so many epochs that are no better", &o->patience, 1});
    options_add(t, (option_row){"load-best-model-at-end", 0, OPTION_FLAG, NULL,
                                "the best epoch is the result, not the last one", &o->load_best});
    options_add(t, (option_row){"save-steps", 0, OPTION_INT, "N",
                                "a checkpoint after every N steps (default 500)", &o->save_steps, 1});
    options_add(t, (option_row){"save-total-limit", 0, OPTION_INT, "N",
                                "checkpoints that are kept, and the best one (default: all)", &o->save_limit,
                                1});
    options_add(t, (option_row){"save-dtype", 0, OPTION_TEXT, "TYPE",
                                "of the result's weights: f32 (default), bf16, f16", &o->save_dtype});
    options_add(t,
                (option_row){"resume", 0, OPTION_FLAG, NULL,
                             "go on where a run of the same options that was stopped left DIR", &o->resume});
    t->group = "how it is compiled";
    options_add(t, (option_row){"threads", 'j', OPTION_INT, "N", "default: all CPUs", &o->threads, 1});
    options_add(t,
                (option_row){"dtype", 0, OPTION_TEXT, "TYPE",
                             "what products are computed in: f32 (default), or bf16, with weights that stay "
                             "f32",
                             &o->dtype});
    options_add(t, (option_row){"keep", 0, OPTION_TEXT, "f32:NAMES",
                                "what --dtype bf16 leaves in f32, as in bertc compile", &o->keep});
    options_add(t, (option_row){"mcpu", 0, OPTION_TEXT, "CPU", "default: this machine's", &o->mcpu});
    options_add(t, (option_row){"passes", 0, OPTION_TEXT, "LIST", "of bertc compile", &o->passes});
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

static const char *value_text(const option_row *r, char buf[32]) {
    switch (r->kind) {
    case OPTION_FLAG: return *(const bool *)r->out ? "yes" : NULL;
    case OPTION_TEXT:
    case OPTION_OPTIONAL: return *(const char *const *)r->out;
    case OPTION_INT: // 0 is what wasn't asked for
        snprintf(buf, 32, "%" PRId64, *(const int64_t *)r->out);
        return *(const int64_t *)r->out ? buf : NULL;
    case OPTION_NUMBER: return *(const double *)r->out < 0 ? NULL : number_text(*(const double *)r->out, buf);
    case OPTION_INTS:
    case OPTION_TEXTS: break; // there are none
    }
    return NULL;
}

cJSON *train_options_json(const option_table *t) {
    cJSON *o = cJSON_CreateObject();
    for (int i = 0; i < t->count; i++) {
        char name[64], buf[32];
        const option_row *r = &t->rows[i];
        const char *text = is_free(r->name) ? NULL : value_text(r, buf);
        if (!text) continue;
        snprintf(name, sizeof name, "--%s", r->name);
        cJSON_AddStringToObject(o, name, text);
    }
    return o;
}
