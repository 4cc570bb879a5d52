#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "ir/memory.h"

#define TEXT_BYTES_MAX ((size_t)1 << 30)

static FILE *open_graph(const char *path, diag *d) {
    if (!strcmp(path, "-")) return stdin;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not hold us up
    struct stat s;
    bool is_file = fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
    FILE *f = is_file ? fdopen(fd, "rb") : NULL;
    if (f) return f;
    if (fd < 0 || is_file)
        diag_error(d, path, "can't be read: %s", strerror(errno));
    else
        diag_error(d, path, "is no file (`-` reads standard input)");
    if (fd >= 0) close(fd);
    return NULL;
}

// The whole of a file (or stdin, "-"); malloc'd.
static char *read_all(const char *path, size_t *size, diag *d) {
    FILE *f = open_graph(path, d);
    if (!f) return NULL;
    size_t capacity = 1 << 16, n = 0;
    char *text = memory_must(memory_alloc(capacity, 1));
    const char *why = NULL;
    while (!why && !feof(f)) {
        if (n == capacity) text = memory_must(memory_grow(text, capacity *= 2, 1));
        n += fread(text + n, 1, capacity - n, f);
        if (ferror(f))
            why = strerror(errno);
        else if (n >= TEXT_BYTES_MAX)
            why = "it is longer than 1 GiB";
    }
    if (f != stdin) fclose(f);
    *size = n;
    if (!why) return text;
    diag_error(d, path, "can't be read: %s", why);
    free(text);
    return NULL;
}

static void opt(const char *path, const char *passes, const char *print_after, const char *report, diag *d) {
    size_t size;
    char *text = read_all(path, &size, d);
    if (!text) return;
    arena *a = arena_new();
    graph *g = graph_parse(a, strcmp(path, "-") ? path : "<stdin>", text, size, d);
    pass_context c = {.diag = d, .print_after = print_after, .print_to = stderr, .verify = true};
    c.report = report ? stderr : NULL;
    if (g && passes_run(g, passes, &c)) {
        graph_print(g, NULL, stdout);
        flush_stdout(d);
    }
    arena_free(a);
    free(text);
}

int command_opt(int argc, char **argv) {
    const char *passes = NULL, *print_after = NULL, *report = NULL;
    bool list = false;
    option_table t = {.usage = "bertc opt FILE.ir [OPTION]...",
                      .summary =
                          "Reads an op graph as text (`-`: standard input), runs passes over it and prints "
                          "it. Without --passes: the\n"
                          "default pipeline. `bertc compile MODEL --emit ir -o -` prints such a graph.",
                      .example = "bertc opt encoder.ir --passes merge_qkv,fuse_epilogue"};
    options_add(&t, (option_row){"passes", 0, OPTION_TEXT, "LIST",
                                 "a,b,c: exactly these; -a,+b: the default without a, with b", &passes});
    options_add(&t, (option_row){"print-after", 0, OPTION_TEXT, "PASS",
                                 "print the IR after this pass (or `all`) to stderr", &print_after});
    options_add(&t, (option_row){"report", 0, OPTION_TEXT, "WHAT",
                                 "fusion: what fused and what did not, to stderr", &report});
    options_add(&t, (option_row){"list", 0, OPTION_FLAG, NULL, "list the passes in the order of the pipeline",
                                 &list});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (!list && rest.count != 1) return usage_error(&t, "needs one FILE");
    if (report && strcmp(report, "fusion")) return usage_error(&t, "--report: '%s' is not fusion", report);
    diag d;
    diag_init(&d);
    for (int i = 0; list && i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        printf("%-16s %s%s%s\n", p->name, p->summary, p->on_by_default ? "" : " (off by default)",
               p->per_variant ? " (once a variant)" : "");
    }
    if (!list) opt(rest.v[0], passes, print_after, report, &d);
    return finish(&d);
}
