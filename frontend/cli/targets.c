#include <stdio.h>

#include "frontend/cli/cli.h"

int command_targets(int argc, char **argv) {
    option_table t = {.usage = "bertc targets", .summary = "Lists what --mcpu and --target take."};
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count) return usage_error(&t, "takes no argument");
    diag d;
    diag_init(&d);
    target_list(stdout);
    flush_stdout(&d);
    return finish(&d);
}
