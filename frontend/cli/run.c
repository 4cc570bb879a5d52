#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "runtime/abi_task.h"

#define BATCH_TEXTS 64 // lines of standard input answered in one call

static void table_init(option_table *t, run_options *o) {
    *t = (option_table){.usage = "bertc run model.so|MODEL [TEXT]... [OPTION]...",
                        .summary = "Answers each TEXT (without any: each line of standard input, a tab "
                                   "before the second text) as the model's\n"
                                   "head does: label, entities, answer, words for [MASK], embedding. A "
                                   "checkpoint is compiled in memory first.",
                        .example = "bertc run sentiment.so \"This movie was amazing!\""};
    *o = (run_options){.threads = 1};
    options_add(t, (option_row){"pair", 0, OPTION_TEXT, "TEXT",
                                "the second text: context of a question, next sentence", &o->pair});
    options_add(t, (option_row){"json", 0, OPTION_FLAG, NULL, "one JSON object a text", &o->json});
    options_add(t,
                (option_row){"top-k", 0, OPTION_INT, "N",
                             "scores to give (default: the best label, 5 words for [MASK])", &o->top_k, 1});
    options_add(t, (option_row){"max-answer", 0, OPTION_INT, "N", "tokens of the longest answer (default 15)",
                                &o->max_answer, 1});
    options_add(t, (option_row){"truncate", 0, OPTION_OPTIONAL, "HOW",
                                "cut longer texts: longest (default), first or second", &o->truncate});
    options_add(t, (option_row){"threads", 'j', OPTION_INT, "N", "default 1", &o->threads, 1});
    options_add(t, (option_row){"tensors", 0, OPTION_TEXT, "FILE",
                                "input_ids, attention_mask, token_type_ids from a safetensors file",
                                &o->tensors});
    options_add(t, (option_row){"output", 'o', OPTION_TEXT, "FILE", "where --tensors writes its outputs",
                                &o->output});
    options_add(t, (option_row){"huge-pages", 0, OPTION_FLAG, NULL, "copy the weights into 2 MB pages first",
                                &o->huge_pages});
    build_options_add(t, &o->build);
}

// --- Answers, for people

static void print_part(const bertc_text *text, bool pair, uint32_t from, uint32_t to) {
    const char *of = pair ? text->pair : text->text;
    fwrite(of + from, 1, to - from, stdout);
}

static void print_scores(const bertc_result *r, int most) {
    for (int i = 0; i < r->score_count && i < most; i++) {
        printf("%s%s %.4f", i ? "  " : "", r->scores[i].label, (double)r->scores[i].score);
    }
}

static void print_masks(const bertc_result *r) {
    for (int i = 0; i < r->mask_count; i++) {
        const bertc_mask *m = &r->masks[i];
        for (int k = 0; k < m->score_count; k++)
            printf("%s%s %.4f", k ? "  " : "", m->scores[k].label, (double)m->scores[k].score);
        if (i + 1 < r->mask_count) putchar('\n');
    }
    if (!r->mask_count) printf("(no mask in the text)");
}

static void print_entities(const bertc_result *r, const bertc_text *text) {
    for (int i = 0; i < r->entity_count; i++) {
        const bertc_entity *e = &r->entities[i];
        printf("%s%s \"", i ? "  " : "", e->type);
        print_part(text, false, e->byte_start, e->byte_end);
        printf("\" %.4f [%" PRIu32 ",%" PRIu32 "]", (double)e->score, e->char_start, e->char_end);
    }
    if (!r->entity_count) printf("(no entities)");
}

static void print_answer(const bertc_result *r, const bertc_text *text) {
    if (!r->answer.found) {
        printf("(no answer)");
        return;
    }
    print_part(text, true, r->answer.byte_start, r->answer.byte_end);
    printf("  %.4f [%" PRIu32 ",%" PRIu32 "]", (double)r->answer.score, r->answer.char_start,
           r->answer.char_end);
}

static void print_result(const run_options *o, const bertc_result *r, const bertc_text *text, bool several) {
    switch ((bertc_task_kind)r->task) {
    case BERTC_TASK_CLASSIFY: print_scores(r, o->top_k ? (int)o->top_k : 1); break;
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: print_scores(r, r->score_count); break;
    case BERTC_TASK_ENTITIES: print_entities(r, text); break;
    case BERTC_TASK_ANSWER: print_answer(r, text); break;
    case BERTC_TASK_FILL_MASK: print_masks(r); break;
    case BERTC_TASK_NEXT_SENTENCE: printf("is next %.4f", (double)r->next_sentence); break;
    case BERTC_TASK_PRETRAINING:
        print_masks(r);
        if (r->next_sentence >= 0)
            printf("%sis next %.4f", r->mask_count ? "\n" : "  ", (double)r->next_sentence);
        break;
    case BERTC_TASK_EMBEDDING:
        for (int i = 0; i < r->embedding_size; i++) printf("%s%.7g", i ? " " : "", (double)r->embedding[i]);
        break;
    case BERTC_TASK_TENSORS: break;
    }
    if (several && r->task != BERTC_TASK_EMBEDDING) printf("\t%.*s", (int)text->size, text->text);
    putchar('\n');
}

static bool print_result_json(const bertc_result *r, const bertc_text *text, diag *d) {
    size_t n = bertc_result_json(r, text, NULL, 0);
    char *buffer = malloc(n + 1);
    if (!buffer) return diag_error(d, NULL, "out of memory: %zu bytes for an answer", n);
    bertc_result_json(r, text, buffer, n + 1);
    puts(buffer);
    free(buffer);
    return true;
}

// --- Texts

static bool answer(const run_options *o, bertc_session *s, const bertc_text *texts, size_t n, bool several,
                   diag *d) {
    bertc_result results[BATCH_TEXTS];
    bertc_error e;
    bertc_text_options to = {
        .truncation = o->truncation, .top_k = (int)o->top_k, .max_answer_tokens = (int)o->max_answer};
    if (!bertc_answer_texts(s, texts, n, &to, results, &e)) return runtime_failed(d, &e);
    for (size_t i = 0; i < n; i++) {
        if (!o->json)
            print_result(o, &results[i], &texts[i], several);
        else if (!print_result_json(&results[i], &texts[i], d))
            return false;
    }
    return true;
}

static bool answer_arguments(const run_options *o, bertc_session *s, const arguments *words, diag *d) {
    for (int i = 0; i < words->count; i += BATCH_TEXTS) {
        bertc_text texts[BATCH_TEXTS];
        int n = words->count - i < BATCH_TEXTS ? words->count - i : BATCH_TEXTS;
        for (int k = 0; k < n; k++) {
            const char *text = words->v[i + k];
            texts[k] = (bertc_text){text, strlen(text), o->pair, o->pair ? strlen(o->pair) : 0};
        }
        if (!answer(o, s, texts, (size_t)n, words->count > 1, d)) return false;
    }
    return true;
}

typedef struct line_batch {
    char *lines[BATCH_TEXTS];
    size_t capacity[BATCH_TEXTS];
    bertc_text texts[BATCH_TEXTS];
} line_batch;

static bertc_text text_of_line(const run_options *o, const char *line, size_t n) {
    const char *tab = o->pair ? NULL : memchr(line, '\t', n);
    if (tab) return (bertc_text){line, (size_t)(tab - line), tab + 1, n - (size_t)(tab - line) - 1};
    return (bertc_text){line, n, o->pair, o->pair ? strlen(o->pair) : 0};
}

static bool answer_lines(const run_options *o, bertc_session *s, diag *d) {
    line_batch b = {0};
    int64_t line = 0;
    bool ok = true, more = true;
    while (ok && more) {
        size_t n = 0;
        for (; n < BATCH_TEXTS; n++) {
            ssize_t got = getline(&b.lines[n], &b.capacity[n], stdin);
            more = got >= 0;
            if (!more) break;
            size_t size = (size_t)got;
            if (size && b.lines[n][size - 1] == '\n') size--;
            if (size && b.lines[n][size - 1] == '\r') size--;
            b.texts[n] = text_of_line(o, b.lines[n], size);
        }
        int errors = d->errors;
        ok = !n || answer(o, s, b.texts, n, true, d);
        if (d->errors > errors)
            diag_note(d, "standard input", "in lines %" PRId64 " to %" PRId64, line + 1, line + (int64_t)n);
        line += (int64_t)n;
    }
    if (ferror(stdin)) ok = diag_error(d, "standard input", "can't be read: %s", strerror(errno));
    for (size_t i = 0; i < BATCH_TEXTS; i++) free(b.lines[i]);
    return ok;
}

static bool run_texts(const run_options *o, const bertc_model *model, bertc_session *s,
                      const arguments *words, diag *d) {
    bertc_model_info info;
    bertc_model_describe(model, &info);
    if (info.task == BERTC_TASK_TENSORS) {
        return diag_error(
            d, NULL,
            "the model has no head that answers texts: use --tensors, or compile it with --head embedding");
    }
    return words->count ? answer_arguments(o, s, words, d) : answer_lines(o, s, d);
}

static void run(const run_options *o, const arguments *rest, diag *d) {
    opened model;
    bertc_session *s = NULL;
    bertc_error e;
    bertc_session_options so = {.threads = (int)o->threads, .huge_pages = o->huge_pages};
    bool ok = opened_open(&model, rest->v[0], &o->build, d);
    if (ok && !(s = bertc_open(model.model, &so, &e))) ok = runtime_failed(d, &e);
    arguments words = {rest->count - 1, rest->v + 1};
    if (ok && o->tensors) ok = run_tensors(model.model, s, o->tensors, o->output, d);
    if (ok && !o->tensors) ok = run_texts(o, model.model, s, &words, d);
    flush_stdout(d);
    if (s) bertc_close(s);
    opened_close(&model);
}

bool truncation_of(const char *word, bertc_truncation *out) {
    if (!word)
        *out = BERTC_TRUNCATE_NEVER;
    else if (!*word || !strcmp(word, "longest"))
        *out = BERTC_TRUNCATE_LONGEST_FIRST;
    else if (!strcmp(word, "first"))
        *out = BERTC_TRUNCATE_ONLY_FIRST;
    else if (!strcmp(word, "second"))
        *out = BERTC_TRUNCATE_ONLY_SECOND;
    else
        return false;
    return true;
}

int command_run(int argc, char **argv) {
    option_table t;
    run_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count < 1) return usage_error(&t, "needs an artefact or a checkpoint");
    if (!o.tensors != !o.output) return usage_error(&t, "--tensors and -o go together");
    if (o.tensors && rest.count > 1) return usage_error(&t, "takes texts or --tensors, not both");
    if (!truncation_of(o.truncate, &o.truncation))
        return usage_error(&t, "--truncate: '%s' is none of longest, first, second", o.truncate);
    diag d;
    diag_init(&d);
    run(&o, &rest, &d);
    return finish(&d);
}
