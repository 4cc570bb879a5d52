// libbertc: each call that fails says why, leaks nothing, and can be made again.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/bertc_train.h"
#include "tests/faults/faults.h"
#include "tests/faults/harness.h"

#define TEXTS      3
#define LONG_BYTES 6000

// Prints an error as the command does, so that both are looked at alike.
static int failed(const bertc_error *e) {
    fault_stop();
    fprintf(stderr, "bertc: error: %s\n", e->message);
    return 1;
}

static int wrong(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 3;
}

static bertc_model *load_named(const char *fixtures, const char *name, bertc_error *e) {
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", fixtures, name);
    return bertc_load(path, e);
}

static bertc_model *load(const char *fixtures, bertc_error *e) {
    return load_named(fixtures, "labels.so", e);
}

static int run_load(const char *fixtures) {
    bertc_error e = {""};
    fault_start();
    bertc_model *m = load(fixtures, &e);
    int status = m ? 0 : failed(&e);
    fault_stop();
    if (!m && !(m = load(fixtures, &e))) return wrong("a second call fails too");
    bertc_unload(m);
    return status;
}

static int open_session(const char *fixtures, const char *name, int threads, bool huge) {
    bertc_error e = {""};
    bertc_model *m = load_named(fixtures, name, &e);
    bertc_session_options o = {BERTC_SIZED(bertc_session_options), .threads = threads, .huge_pages = huge};
    if (!m) return wrong(e.message);
    fault_start();
    bertc_session *s = bertc_open(m, &o, &e);
    int status = s ? 0 : failed(&e);
    fault_stop();
    if (!s && !(s = bertc_open(m, &o, &e))) return wrong("a second call fails too");
    bertc_close(s);
    bertc_unload(m);
    return status;
}

static int run_open(const char *fixtures) {
    return open_session(fixtures, "labels.so", 1, true);
}

static int run_open_threads(const char *fixtures) {
    return open_session(fixtures, "labels.so", 3, false);
}

// States of its own, and a table of parameters in the model.
static int run_open_states(const char *fixtures) {
    return open_session(fixtures, "step.so", 1, false);
}

// Opens, and saves what it has; the file of before, or a whole one, is there afterwards.
static int run_trainer(const char *fixtures) {
    bertc_error e = {""};
    char path[2 * PATH_MAX];
    bertc_model *m = load_named(fixtures, "trains.so", &e);
    snprintf(path, sizeof path, "%s/saved.safetensors", fixtures);
    if (!m) return wrong(e.message);
    fault_start();
    bertc_trainer *t = bertc_trainer_open(m, NULL, &e);
    bool saved = t && bertc_trainer_save(t, path, BERTC_TENSOR_OPTIMIZER, &e) &&
                 bertc_trainer_load(t, path, BERTC_TENSOR_OPTIMIZER, &e);
    int status = saved ? 0 : failed(&e);
    fault_stop();
    if (!t && !(t = bertc_trainer_open(m, NULL, &e))) return wrong("a second call fails too");
    if (!saved && !bertc_trainer_save(t, path, BERTC_TENSOR_OPTIMIZER, &e))
        return wrong("it can't be saved again");
    bertc_trainer_close(t);
    bertc_unload(m);
    return status;
}

static int run_load_states(const char *fixtures) {
    bertc_error e = {""};
    fault_start();
    bertc_model *m = load_named(fixtures, "step.so", &e);
    int status = m ? 0 : failed(&e);
    fault_stop();
    if (!m && !(m = load_named(fixtures, "step.so", &e))) return wrong("a second call fails too");
    bertc_unload(m);
    return status;
}

// --- Texts longer than the session was opened for: its buffers grow

static char *long_text(void) {
    char *text = malloc(LONG_BYTES + 1);
    if (!text) return NULL;
    for (int i = 0; i < LONG_BYTES; i++) text[i] = "this movie was a dull one, e\xcc\x81 "[i % 31];
    text[LONG_BYTES] = 0;
    return text;
}

// The labels and scores of all texts, in one string of JSON; false with an error.
static bool answer(bertc_session *s, const bertc_text *texts, const bertc_text_options *o, char *json,
                   size_t size, bertc_error *e) {
    bertc_result results[TEXTS] = {BERTC_RESULT_INIT};
    if (!bertc_answer_texts(s, texts, TEXTS, o, results, e)) return false;
    for (int i = 0; i < TEXTS; i++) {
        size_t n = bertc_result_json(&results[i], &texts[i], json, size);
        if (n >= size) return false;
        json += n;
        size -= n;
    }
    return true;
}

static int answer_texts(const char *fixtures, const bertc_text_options *o) {
    bertc_error e = {""};
    char first[4096] = "", again[4096] = "", *text = long_text();
    bertc_text texts[TEXTS] = {
        {.text = "good", .size = 4}, {.text = text, .size = LONG_BYTES}, {.text = "bad", .size = 3}};
    bertc_model *m = load(fixtures, &e);
    bertc_session *s =
        m ? bertc_open(m, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .max_text_bytes = 64},
                       &e)
          : NULL;
    if (!text || !s) return wrong(e.message);
    fault_start();
    bool ok = answer(s, texts, o, first, sizeof first, &e);
    int status = ok ? 0 : failed(&e);
    fault_stop();
    if (!answer(s, texts, o, again, sizeof again, &e)) return wrong("a second call fails too");
    if (ok && strcmp(first, again)) return wrong("a second call has another answer");
    puts(again); // which the harness holds against that of a run without faults
    bertc_close(s);
    bertc_unload(m);
    free(text);
    return status;
}

static int run_windows(const char *fixtures) {
    return answer_texts(fixtures,
                        &(bertc_text_options){BERTC_SIZED(bertc_text_options), .windows = true, .stride = 4});
}

static int run_truncated(const char *fixtures) {
    return answer_texts(fixtures, &(bertc_text_options){BERTC_SIZED(bertc_text_options),
                                                        .truncation = BERTC_TRUNCATE_LONGEST_FIRST});
}

const scenario library_scenarios[] = {
    {.name = "bertc_load", .in_process = run_load, .points = 40},
    {.name = "bertc_open", .in_process = run_open, .points = 60},
    {.name = "bertc_open, three threads", .in_process = run_open_threads, .points = 30},
    {.name = "bertc_load, states", .in_process = run_load_states, .points = 40},
    {.name = "bertc_open, states", .in_process = run_open_states, .points = 60},
    {.name = "bertc_trainer", .in_process = run_trainer, .points = 60},
    {.name = "bertc_answer_texts in windows", .in_process = run_windows, .points = 40},
    {.name = "bertc_answer_texts cut", .in_process = run_truncated, .points = 40},
};
const int library_scenario_count = sizeof library_scenarios / sizeof *library_scenarios;
