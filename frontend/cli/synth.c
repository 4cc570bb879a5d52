#include <stdio.h>

#include "frontend/cli/cli.h"

int command_synth(int argc, char **argv) {
    synth_options o = {0};
    int64_t seed = 1;
    option_table t = {.usage = "bertc synth SHAPE -o FOLDER [OPTION]...",
                      .summary =
                          "Writes a checkpoint of a known shape with random weights, for benchmarks. SHAPE "
                          "is bert-tiny, bert-mini,\n"
                          "bert-small, bert-medium, bert-base, bert-large, minilm-l6, or a config.json.",
                      .example = "bertc synth bert-mini -o mini/"};
    options_add(&t,
                (option_row){"output", 'o', OPTION_TEXT, "FOLDER", "made where it is missing", &o.output});
    options_add(&t, (option_row){"seed", 0, OPTION_INT, "N", "default 1", &seed, 0, INT64_MAX});
    options_add(&t, (option_row){"dtype", 0, OPTION_TEXT, "TYPE", "F32 (default), F16 or BF16", &o.dtype});
    options_add(&t, (option_row){"head", 0, OPTION_TEXT, "HEAD",
                                 "model (default), sequence-classification, ...", &o.head});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one SHAPE");
    if (!o.output) return usage_error(&t, "needs -o FOLDER");
    o.shape = rest.v[0];
    o.seed = (uint64_t)seed;
    diag d;
    diag_init(&d);
    progress_line line;
    o.progress = progress_line_open(&line);
    hub_synth(&o, &d);
    progress_line_clear(&line);
    return finish(&d);
}
