// What `bertc train` is asked for. Names and defaults are those of Transformers' TrainingArguments and examples.
#ifndef BERTC_CLI_TRAIN_OPTIONS_H
#define BERTC_CLI_TRAIN_OPTIONS_H

#include "frontend/cli/cli.h"
#include "frontend/cli/step.h"
#include "frontend/cli/train/features.h"
#include "frontend/cli/train/rates.h"

typedef struct train_options {
    const char *model;
    const char *task_name, *train, *dev, *columns, *problem_type, *output, *init, *scheduler, *best_metric,
        *save_dtype, *dtype, *keep, *class_weights, *teacher, *mcpu, *passes;
    train_task task;
    rate_kind rate;
    bool several_labels; // of a text: --problem-type multi_label_classification
    bool label_all, whole_words, replaces, no_shuffle, resume, skip_bad, load_best;
    double learning_rate, epochs, max_norm, warmup_ratio, dropout, mlm_probability, score_scale, smoothing,
        temperature, alpha;
    hub_lora lora;
    const char *adapter; // to go on with; NULL: none
    step_options step;   // with the rate of each layer
    int64_t batch, batch_tokens, accumulation, max_steps, warmup_steps, seed, patience, save_steps,
        save_limit, max_length, stride, threads;
} train_options;

// Fills the table, and sets `o` to the defaults.
void train_options_add(option_table *t, train_options *o);
// Behind options_parse: words are looked up, and what contradicts itself is a usage error. -1: all is well.
int train_options_check(const option_table *t, train_options *o, const arguments *rest);
// What a run must be resumed with: an object of strings by the options' names, of those that change its result. The caller ends it.
cJSON *train_options_json(const option_table *t);
data_form train_form(const train_options *o);

#endif
