#include "frontend/cli/train/judge.h"

#include <math.h>
#include <string.h>

void judge_open(judge *j, train_set *s, bool mixed, arena *a) {
    const feature_rule *rule = s->rule;
    *j = (judge){.set = s, .rule = rule, .arena = a, .mixed = mixed};
    switch (rule->form) {
    case DATA_LABEL: label_metrics_open(&j->labels, data_labels_count(rule->labels), a); break;
    case DATA_LABELS: multi_label_open(&j->marks, data_labels_count(rule->labels), a); break;
    case DATA_NUMBER:
    case DATA_EMBED: number_metrics_open(&j->values, a); break;
    case DATA_TAGS: span_metrics_open(&j->spans, false, a); break;
    case DATA_ANSWER: j->answers = ARENA_ARRAY(a, found_answer, s->count); break;
    case DATA_TEXT:
    case DATA_SCORED:
    case DATA_RANKED: break;
    }
}

bool judge_reads(const judge *j, const char *output) {
    switch (j->rule->task) {
    case TRAIN_CLASSIFY:
    case TRAIN_TAG:
    case TRAIN_REGRESS: return !strcmp(output, "logits");
    case TRAIN_EMBED: return !strcmp(output, "embedding");
    case TRAIN_ANSWER: return !strcmp(output, "start_logits") || !strcmp(output, "end_logits");
    case TRAIN_PRETRAIN: return !strcmp(output, "seq_relationship_logits") || !strcmp(output, "sop_logits");
    case TRAIN_MLM: return j->mixed && !strcmp(output, "logits");
    }
    return false;
}

static void add_classes(judge *j, const train_batch *b, const float *logits) {
    for (int64_t i = 0; i < b->texts; i++)
        label_metrics_add_logits(&j->labels, b->text_labels[i], logits + i * j->labels.labels);
}

static void add_marks(judge *j, const train_batch *b, const float *logits, arena *a) {
    int64_t n = j->marks.labels;
    float *probabilities = ARENA_ARRAY(a, float, n);
    for (int64_t i = 0; i < b->texts; i++) {
        for (int64_t k = 0; k < n; k++) probabilities[k] = 1 / (1 + expf(-logits[i * n + k]));
        multi_label_add(&j->marks, b->values + i * n, probabilities, 0.5);
    }
}

static void add_numbers(judge *j, const train_batch *b, const float *found) {
    j->values.columns = b->width;
    for (int64_t i = 0; i < b->texts * b->width; i++)
        number_metrics_add(&j->values, (double)b->values[i], (double)found[i]);
}

static int32_t largest(const float *v, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

// Each word's tag is that of its first token.
static void add_tags(judge *j, const train_batch *b, const float *logits, arena *a) {
    int labels = data_labels_count(j->rule->labels);
    const char **gold = ARENA_ARRAY(a, const char *, b->tokens),
               **found = ARENA_ARRAY(a, const char *, b->tokens);
    for (int64_t t = 0; t < b->texts; t++) {
        int n = 0;
        for (int64_t i = b->bounds[t]; i < b->bounds[t + 1]; i++) {
            bool first = b->words[i] >= 0 && (i == b->bounds[t] || b->words[i] != b->words[i - 1]);
            if (!first || b->token_labels[i] == FEATURE_IGNORED) continue;
            gold[n] = data_labels_name(j->rule->labels, b->token_labels[i]);
            found[n++] = data_labels_name(j->rule->labels, largest(logits + i * labels, labels));
        }
        span_metrics_add(&j->spans, gold, found, n);
    }
}

static double cosine(const float *x, const float *y, int64_t n) {
    double dot = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < n; i++) {
        dot += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xx > 0 && yy > 0 ? dot / sqrt(xx * yy) : 0;
}

static void add_pairs(judge *j, const train_batch *b, const float *rows, int64_t width) {
    for (int64_t i = 0; b->values && i < b->texts; i++)
        if (b->partners[i] >= 0)
            number_metrics_add(&j->values, (double)b->values[i],
                               cosine(rows + i * width, rows + b->partners[i] * width, width));
}

static void add_answers(judge *j, const train_batch *b, const float *starts, const float *ends) {
    for (int64_t i = 0; i < b->examples; i++) {
        int64_t at = b->bounds[i];
        j->answers[b->entries[i]] =
            answer_find(starts + at, ends + at, b->byte_starts[i], b->byte_ends[i], b->bounds[i + 1] - at);
    }
}

// Does the second text follow the first one? Two logits for each pair.
static void add_order(judge *j, const train_batch *b, const float *logits) {
    double sum = 0;
    for (int64_t i = 0; i < b->texts; i++) {
        int label = b->text_labels[i];
        double margin = (double)logits[2 * i + 1 - label] - (double)logits[2 * i + label];
        sum += margin > 0 ? margin + log1p(exp(-margin)) : log1p(exp(margin));
        j->pairs_right += largest(logits + 2 * i, 2) == label;
    }
    j->pairs += b->texts;
    j->pair_losses += sum;
    j->masks += b->labels;
    j->pairs_in_loss += (double)b->labels * sum / (double)b->texts;
}

// The loss is the sum of two means: the first is what a perplexity is made of.
static void list_order(const judge *j, double loss, metric_list *out) {
    double words = loss - (j->masks ? j->pairs_in_loss / (double)j->masks : 0);
    metric_add(out, "mlm_loss", words);
    metric_add(out, "perplexity", exp(words));
    metric_add(out, "next_loss", j->pairs ? j->pair_losses / (double)j->pairs : NAN);
    metric_add(out, "next_accuracy", j->pairs ? (double)j->pairs_right / (double)j->pairs : NAN);
}

// The masked tokens, by the labels alone.
static void add_masks(judge *j, const train_batch *b, const float *logits, int64_t vocabulary) {
    for (int64_t i = 0; i < b->tokens; i++) {
        const float *row = logits + i * vocabulary;
        double most = (double)row[0], sum = 0;
        if (b->token_labels[i] == FEATURE_IGNORED) continue;
        for (int64_t k = 1; k < vocabulary; k++) most = fmax(most, (double)row[k]);
        for (int64_t k = 0; k < vocabulary; k++) sum += exp((double)row[k] - most);
        j->mask_losses += most + log(sum) - (double)row[b->token_labels[i]];
        j->masks++;
    }
}

static const bertc_tensor *output_of(int count, const bertc_tensor *outputs, const char *name) {
    for (int i = 0; i < count; i++)
        if (outputs[i].data && !strcmp(outputs[i].name, name)) return &outputs[i];
    return NULL;
}

void judge_add(judge *j, const train_batch *b, int count, const bertc_tensor *outputs) {
    const bertc_tensor *logits = output_of(count, outputs, "logits"),
                       *rows = output_of(count, outputs, "embedding"),
                       *starts = output_of(count, outputs, "start_logits"),
                       *ends = output_of(count, outputs, "end_logits"),
                       *told = output_of(count, outputs, "seq_relationship_logits");
    if (!told) told = output_of(count, outputs, "sop_logits");
    arena *a = arena_new();
    switch (j->rule->form) {
    case DATA_LABEL: add_classes(j, b, logits->data); break;
    case DATA_LABELS: add_marks(j, b, logits->data, a); break;
    case DATA_NUMBER: add_numbers(j, b, logits->data); break;
    case DATA_TAGS: add_tags(j, b, logits->data, a); break;
    case DATA_EMBED: add_pairs(j, b, rows->data, rows->shape[rows->rank - 1]); break;
    case DATA_ANSWER: add_answers(j, b, starts->data, ends->data); break;
    case DATA_TEXT:
        if (told) add_order(j, b, told->data);
        if (j->mixed) add_masks(j, b, logits->data, logits->shape[logits->rank - 1]);
        break;
    case DATA_SCORED:
    case DATA_RANKED: break;
    }
    arena_free(a);
}

bool judge_end(judge *j, diag *d) {
    return !j->answers || answers_judge(&j->texts, j->set, j->answers, j->arena, d);
}

void judge_list(const judge *j, double loss, metric_list *out) {
    switch (j->rule->form) {
    case DATA_LABEL: label_metrics_list(&j->labels, out); break;
    case DATA_LABELS: multi_label_list(&j->marks, out); break;
    case DATA_NUMBER: number_metrics_list(&j->values, true, out); break;
    case DATA_TAGS: span_metrics_list(&j->spans, out); break;
    case DATA_EMBED:
        if (j->values.count) number_metrics_list(&j->values, false, out);
        break;
    case DATA_TEXT:
        if (j->rule->task == TRAIN_PRETRAIN)
            list_order(j, loss, out);
        else
            metric_add(out, "perplexity", exp(j->mixed ? j->mask_losses / (double)j->masks : loss));
        break;
    case DATA_ANSWER: answer_metrics_list(&j->texts, out); break;
    case DATA_SCORED:
    case DATA_RANKED: break;
    }
}
