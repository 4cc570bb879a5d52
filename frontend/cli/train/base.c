#include "frontend/cli/train/base.h"

#include <string.h>
#include <unistd.h>

#include "frontend/cli/train/checkpoint.h"
#include "frontend/hub/files/json.h"

// Has the folder a head for that task, whose labels the data must have?
static bool has_labels(const bertc_task *t, const train_options *o) {
    if (!t || !t->label_count) return false;
    if (o->task == TRAIN_TAG) return t->kind == BERTC_TASK_ENTITIES;
    return o->task == TRAIN_CLASSIFY &&
           t->kind == (o->several_labels ? BERTC_TASK_MULTI_LABEL : BERTC_TASK_CLASSIFY);
}

static void read_labels(train_base *b, const train_options *o, const teacher *known) {
    const bertc_task *t = b->model.task;
    bool labelled = o->task == TRAIN_CLASSIFY || o->task == TRAIN_TAG;
    b->labels = labelled ? data_labels_new(b->arena) : NULL;
    b->learns = labelled && (o->replaces || !has_labels(t, o));
    if (b->learns && known) {
        teacher_labels(known, b->labels);
        b->named = true;
        b->learns = false;
    }
    if (!labelled || b->learns || b->named) return;
    b->named = o->adapter != NULL; // of the base model's own head there may be others
    const char *base = (const char *)t;
    const uint64_t *names = (const uint64_t *)(base + t->labels);
    for (uint32_t i = 0; i < t->label_count; i++) data_labels_add(b->labels, base + names[i]);
}

static bool open_tokenizer(train_base *b, diag *d) {
    bertc_error e;
    if (!b->model.tokenizer)
        return diag_error(d, NULL,
                          "has no tokenizer: texts need a tokenizer.json or vocab.txt in the folder");
    b->tokenizer = bertc_tokenizer_open(b->model.tokenizer, b->model.tokenizer_bytes, 0, &e);
    return b->tokenizer || runtime_failed(d, &e);
}

// Tokens of the longest text: as asked, else as Transformers' examples have it, where the model has so many positions.
static bool settle_length(train_base *b, const train_options *o, diag *d) {
    int64_t usual = o->task == TRAIN_ANSWER ? 384 : 128, most = b->model.position_count;
    if (o->max_length > most)
        return diag_error(d, "--max-seq-length", "%lld is too long: the model has %lld positions",
                          (long long)o->max_length, (long long)most);
    b->rule.max_tokens = o->max_length ? o->max_length : usual < most ? usual : most;
    return true;
}

static bool settle_masks(train_base *b, const train_options *o, diag *d) {
    const bertc_tokenizer *table = b->model.tokenizer;
    bertc_error e;
    b->mask = (mask_rule){.seed = (uint64_t)o->seed,
                          .share = o->mlm_probability,
                          .whole_words = o->whole_words,
                          .mask_id = table->mask_id,
                          .vocabulary = (int32_t)b->model.vocab_size};
    b->rule.mask_id = b->mask.mask_id;
    b->rule.vocabulary = b->mask.vocabulary;
    if (b->mask.mask_id < 0) return diag_error(d, NULL, "has a tokenizer without a mask token");
    if (o->task != TRAIN_PRETRAIN) return true;
    if (!pair_template_of(b->tokenizer, &b->pairs, &e)) return runtime_failed(d, &e);
    b->rule.pair_room = b->rule.max_tokens - pair_template_tokens(&b->pairs);
    return b->rule.pair_room > 1 || diag_error(d, "--max-seq-length", "leaves no room for a pair of texts");
}

bool base_open(train_base *b, const train_options *o, const teacher *known, diag *d) {
    *b = (train_base){.arena = arena_new()};
    hub_options from = {.model = o->model, .adapters = &o->adapter, .adapter_count = o->adapter != NULL};
    b->open = hub_open(&from, b->arena, &b->model, d);
    if (!b->open || !open_tokenizer(b, d) || !settle_length(b, o, d)) return false;
    read_labels(b, o, known);
    b->rule.task = o->task;
    b->rule.form = train_form(o);
    b->rule.tokenizer = b->tokenizer;
    b->rule.labels = b->learns ? NULL : b->labels;
    b->rule.stride = o->stride;
    b->rule.label_all = o->label_all;
    b->rule.score_scale = o->score_scale;
    return (o->task != TRAIN_MLM && o->task != TRAIN_PRETRAIN) || settle_masks(b, o, d);
}

bool base_settle(train_base *b, const char *data, diag *d) {
    const char *why;
    if (!b->learns) return true;
    if (!data_labels_settle(b->labels, &why)) return diag_error(d, data, "%s", why);
    if (data_labels_remark(b->labels)) diag_note(d, data, "%s", data_labels_remark(b->labels));
    b->rule.labels = b->labels;
    if (b->rule.form != DATA_LABEL || data_labels_count(b->labels) > 1) return true;
    return diag_error(d, data, "all its examples have the label %s: classify needs a second one",
                      data_printable(data_labels_name(b->labels, 0), b->arena));
}

void base_close(train_base *b) {
    if (b->tokenizer) bertc_tokenizer_close(b->tokenizer);
    if (b->open) hub_close(&b->model);
    if (b->arena) arena_free(b->arena);
    *b = (train_base){0};
}
