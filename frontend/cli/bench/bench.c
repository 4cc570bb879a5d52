#include "frontend/cli/bench/bench.h"
#include "frontend/cli/calibrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_LENGTH 128

static void print_measured(const bench_options *o, const workload *w, int64_t seq, int64_t threads,
                           const measured *m) {
    double rate = m->flops / m->seconds * 1e-9, traffic = m->weights / m->seconds * 1e-9;
    if (o->out->form != FORMAT_TEXT) {
        cJSON *j = cJSON_CreateObject();
        cJSON_AddNumberToObject(j, "batch", (double)w->batch);
        cJSON_AddNumberToObject(j, "seq", (double)seq);
        cJSON_AddNumberToObject(j, "tokens", (double)w->tokens);
        cJSON_AddNumberToObject(j, "threads", (double)threads);
        json_figure(j, "milliseconds", m->seconds * 1e3);
        json_figure(j, "fastest_milliseconds", m->fastest * 1e3);
        json_figure(j, "gflops", rate);
        json_figure(j, "peak_gflops", m->peak);
        json_figure(j, "percent_of_peak", 100 * rate / m->peak);
        cJSON_AddNumberToObject(j, "weight_bytes", m->weights);
        json_figure(j, "weight_gigabytes_per_second", traffic);
        json_figure(j, "read_gigabytes_per_second", m->read);
        json_figure(j, "percent_of_read", share_of(traffic, m->read));
        json_figure(j, "anonymous_megabytes", m->anonymous * 1e-6);
        form_row(o->out, j);
        return;
    }
    printf("%6" PRId64 " %6" PRId64 " %8" PRId64
           " %10.3f %10.3f %10.1f %10.1f %7.1f%% %11.1f %8.2f %7.2f %7.1f%% %8.0f\n",
           w->batch, seq, threads, m->seconds * 1e3, m->fastest * 1e3, rate, m->peak, 100 * rate / m->peak,
           (double)w->tokens / m->seconds, traffic, m->read, share_of(traffic, m->read), m->anonymous * 1e-6);
}

static bool bench_length(const bench_options *o, bertc_model *model, int64_t seq, diag *d) {
    workload w;
    bool ok = workload_make(&w, o, model, seq, d);
    for (int i = 0; ok && i < o->threads.count; i++) {
        measured m = {0};
        int threads = (int)o->threads.v[i];
        char timed[96];
        bench_options own = *o;
        snprintf(timed, sizeof timed, "batch %" PRId64 ", seq %" PRId64 ", threads %d", w.batch, w.length,
                 threads);
        own.timed = timed;
        ok = bench_measure(&own, model, &w, threads, &m, d);
        progress_line_clear(o->line);
        if (ok) print_measured(o, &w, w.length, threads, &m);
        fflush(stdout);
        if (ok && o->profile) ok = bench_profile(o, model, &w, threads, &m, d);
    }
    workload_free(&w);
    return ok;
}

static bool bench(const bench_options *o, const char *path, diag *d) {
    opened model;
    bool ok = opened_open(&model, path, &o->build, d);
    if (ok && o->out->form == FORMAT_TEXT) {
        printf("%6s %6s %8s %10s %10s %10s %10s %8s %11s %8s %7s %8s %8s\n", "batch", "seq", "threads", "ms",
               "fastest", "GFLOP/s", "peak", "% peak", "tokens/s", "GB/s", "read", "% read", "MB");
    }
    int_list lengths = o->build.lengths;
    if (ok && !lengths.count) { // of an artefact: no longer than it was compiled for
        bertc_model_info info = BERTC_MODEL_INFO_INIT;
        bertc_model_describe(model.model, &info, NULL);
        lengths = (int_list){1, {info.max_length < DEFAULT_LENGTH ? info.max_length : DEFAULT_LENGTH}};
    }
    for (int i = 0; ok && i < lengths.count; i++) ok = bench_length(o, model.model, lengths.v[i], d);
    opened_close(&model);
    return ok;
}

int command_bench(int argc, char **argv) {
    form_choice form = {0};
    bench_options o = {.threads = {1, {1}}, .rounds = 30, .out = &form};
    option_table t = {.usage = "bertc bench model.so|MODEL [OPTION]...",
                      .summary =
                          "Times calls on random ids, or steps of --train, and prints medians. % of peak is "
                          "the share of the float32 "
                          "multiply-adds that the same\n"
                          "threads reach between the rounds; GB/s is the rate at which weights were read, "
                          "with its share of what a loop that\n"
                          "only reads reaches.",
                      .example = "bertc bench mini/ --seq 128 --threads 1,2"};
    options_add(&t, (option_row){"threads", 'j', OPTION_INTS, "LIST",
                                 "numbers of threads, one row for each (default 1)", &o.threads, 1});
    options_add(&t, (option_row){"rounds", 0, OPTION_INT, "N", "default 30", &o.rounds, 1});
    options_add(&t, (option_row){"lengths", 0, OPTION_INTS, "LIST",
                                 "time one batch of texts of these lengths", &o.texts, 1});
    options_add(&t,
                (option_row){"profile", 0, OPTION_FLAG, NULL,
                             "print a row per phase; equal phases of all layers are added up", &o.profile});
    options_add(
        &t,
        (option_row){"ablate", 0, OPTION_OPTIONAL, "PASSES",
                     "for a checkpoint: switch off each pass in turn, or each of these, and time what it was "
                     "worth; `fusions`: all of them at once",
                     &o.ablate});
    options_add(&t, (option_row){"huge-pages", 0, OPTION_FLAG, NULL, "copy the weights into 2 MB pages first",
                                 &o.huge_pages});
    form_options_add(&t, &form, "one JSON object per row", true);
    build_options_add(&t, &o.build, "native");
    t.group = "of --train: the step that is timed";
    step_options_add(&t, &o.step);
    options_add(&t, (option_row){"dropout", 0, OPTION_NUMBER, "P",
                                 "the share that is dropped wherever the model drops any (default 0)",
                                 &o.build.hub.train.dropout, .ceiling = 0.999999});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one artefact or checkpoint");
    status = form_options_check(&t, &form, true, o.profile ? "--profile" : o.ablate ? "--ablate" : NULL);
    if (status >= 0) return status;
    optimizer_options optimizer = step_optimizer(&o.step);
    if (o.build.hub.train.task)
        o.build.optimizer = &optimizer, o.build.memory = o.step.memory;
    else if (step_options_given(&o.step) || o.build.hub.train.dropout > 0)
        return usage_error(&t, "options of a step go with --train");
    if (o.ablate && !is_checkpoint(rest.v[0])) return usage_error(&t, "--ablate needs a checkpoint");
    status = build_options_check(&t, &o.build, rest.v[0], true);
    if (status >= 0) return status;
    if (o.texts.count) {
        int64_t longest = 0;
        for (int i = 0; i < o.texts.count; i++) longest = o.texts.v[i] > longest ? o.texts.v[i] : longest;
        o.build.lengths = (int_list){1, {longest}};
        o.build.batch = o.texts.count;
    }
    if (!o.build.lengths.count && is_checkpoint(rest.v[0]) && !o.build.graph)
        o.build.lengths = (int_list){1, {DEFAULT_LENGTH}};
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    progress_line line;
    o.progress = progress_line_open(&line);
    o.line = &line;
    arena *a = arena_new();
    bool ok = calibrate_options(&o.build, rest.v[0], a, &d);
    if (ok && o.ablate)
        bench_ablate(&o, rest.v[0], &d);
    else if (ok)
        bench(&o, rest.v[0], &d);
    progress_line_clear(&line);
    form_end(&form);
    arena_free(a);
    flush_stdout(&d);
    return finish(&d);
}
