// `bertc run MODEL --labels "sport,politics"`: texts are scored for labels that the command line gives, by a model of
// natural language inference.
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/run.h"
#include "ir/memory.h"

void zero_shot_options_add(option_table *t, run_options *o) {
    options_add(t, (option_row){"labels", 0, OPTION_TEXT, "A,B,...",
                                "score texts for these labels, by a model of entailment and contradiction",
                                &o->labels});
    options_add(t, (option_row){"multi-label", 0, OPTION_FLAG, NULL,
                                "each of --labels by itself: several may hold, or none", &o->multi_label});
    options_add(t, (option_row){"hypothesis", 0, OPTION_TEXT, "TEXT",
                                "the sentence for one of --labels, which stands for {} (default: \"This "
                                "example is {}.\")",
                                &o->hypothesis});
}

int zero_shot_options_check(const option_table *t, const run_options *o) {
    if (!o->labels && (o->multi_label || o->hypothesis))
        return usage_error(t, "--%s goes with --labels", o->hypothesis ? "hypothesis" : "multi-label");
    if (!o->labels) return -1;
    if (o->tensors || o->similar || o->rank || o->summarize || o->attention.count || o->explain)
        return usage_error(t, "--labels goes with texts that get an answer");
    if (o->pair) return usage_error(t, "--labels and --pair: the second text is the label's sentence");
    if (o->read.long_texts && strncmp(o->read.long_texts, "truncate", strlen("truncate")) != 0)
        return usage_error(t, "--labels cuts texts that are too long: --long can only say truncate");
    return -1;
}

// Bytes of the white space that text begins with, as Python's str.strip sees it; 0: it begins with none.
static size_t space_at(const char *text) {
    static const char *const spaces[] = {" ",
                                         "\t",
                                         "\n",
                                         "\v",
                                         "\f",
                                         "\r",
                                         "\x1c",
                                         "\x1d",
                                         "\x1e",
                                         "\x1f",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x81",
                                         "\xe2\x80\x82",
                                         "\xe2\x80\x83",
                                         "\xe2\x80\x84",
                                         "\xe2\x80\x85",
                                         "\xe2\x80\x86",
                                         "\xe2\x80\x87",
                                         "\xe2\x80\x88",
                                         "\xe2\x80\x89",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xa9",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80"};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (!strncmp(text, spaces[i], strlen(spaces[i]))) return strlen(spaces[i]);
    return 0;
}

// Where the text ends without the white space at its end.
static char *strip(char *text) {
    char *end = text;
    for (char *c = text; *c;) {
        size_t space = space_at(c);
        c += space ? space : 1;
        if (!space) end = c;
    }
    return end;
}

// The labels between the commas, without white space at their ends; empty ones are left out.
static int split_labels(char *text, const char **out) {
    int count = 0;
    for (char *next; text; text = next) {
        if ((next = strchr(text, ','))) *next++ = 0;
        for (size_t n; (n = space_at(text));) text += n;
        *strip(text) = 0;
        if (*text) out[count++] = text;
    }
    return count;
}

bool zero_shot_begin(run_options *o, const bertc_model *model, diag *d) {
    if (!o->labels) return true;
    size_t most = 1, size = strlen(o->labels) + 1;
    for (const char *c = o->labels; *c; c++) most += *c == ',';
    const char **labels = memory_alloc(1, most * sizeof *labels + size);
    if (!labels) return diag_error(d, "--labels", "out of memory");
    char *text = (char *)(labels + most);
    memcpy(text, o->labels, size);
    o->zero_shot = (bertc_zero_shot_options){BERTC_SIZED(bertc_zero_shot_options),
                                             .label_count = split_labels(text, labels), .labels = labels,
                                             .hypothesis = o->hypothesis, .multi_label = o->multi_label};
    if (!o->zero_shot.label_count) return diag_error(d, "--labels", "\"%.100s\" names no label", o->labels);
    const char *last = NULL;
    int count = 0;
    for (; bertc_label(model, count); count++) last = bertc_label(model, count);
    if (count > 1 && bertc_entailment_label(model) < 0)
        diag_note(d, "--labels",
                  "no label of the model begins with \"entail\": its last one, \"%.64s\", is taken "
                  "for the entailment",
                  last);
    return true;
}

void zero_shot_end(run_options *o) {
    free((void *)(uintptr_t)o->zero_shot.labels);
    o->zero_shot.labels = NULL;
}

bool run_answer(const void *options, bertc_session *s, const bertc_text *texts, size_t count,
                const bertc_text_options *to, bertc_result *results, bertc_error *error) {
    const run_options *o = options;
    if (!o->labels) return bertc_answer_texts(s, texts, count, to, results, error);
    return bertc_zero_shot(s, texts, count, &o->zero_shot, to, results, error);
}
