#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/manual.h"
#include "frontend/cli/process.h"
#include "ir/memory.h"

static const struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"compile", "a checkpoint to a shared object (or assembly, LLVM IR, op-graph IR)", command_compile},
    {"run", "texts to answers, or token ids to tensors", command_run},
    {"serve", "answers over HTTP, with a page to try models", command_serve},
    {"evaluate", "how good a model's answers are, on a data set with labels", command_evaluate},
    {"tokenize", "text to tokens, ids and offsets", command_tokenize},
    {"train", "a checkpoint and examples to a trained checkpoint", command_train},
    {"bench", "latency, GFLOP/s and share of the measured peak", command_bench},
    {"inspect", "what is inside an artefact or a checkpoint", command_inspect},
    {"opt", "op-graph IR in, passes, op-graph IR out", command_opt},
    {"verify", "compiled code against the reference evaluator, layer by layer", command_verify},
    {"synth", "a checkpoint of a known shape with random weights", command_synth},
    {"targets", "CPUs and triples that --mcpu and --target take", command_targets},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out) {
    fprintf(out, "usage: bertc COMMAND [OPTION]... [ARGUMENT]...\n\n"
                 "Compiles BERT encoders to native code that needs no framework.\n\n");
    for (size_t i = 0; i < COMMANDS; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nbertc help COMMAND (or bertc COMMAND --help) says more; bertc --version says which one "
                 "this is.\n");
}

// --- The manual: what the build installs (cmake/Manual.cmake)

static void print_page(void) {
    printf(".TH BERTC 1\n.SH NAME\nbertc \\- compiles BERT encoders to native code that needs no framework\n"
           ".SH SYNOPSIS\nbertc COMMAND [OPTION]... [ARGUMENT]...\n.SH COMMANDS\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        printf(".TP\n\\fB%s\\fR\n", commands[i].name);
        manual_text(commands[i].summary);
        printf("; see\n.BR bertc\\-%s (1)\n", commands[i].name);
    }
    printf(".SH OPTIONS\n.TP\n\\fB\\-\\-version\\fR\nsays which bertc this is\n");
}

static int print_completion(void) {
    printf("# bash completion for bertc\n_bertc() {\n    local current=${COMP_WORDS[COMP_CWORD]} "
           "before=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local command=${COMP_WORDS[1]} options= values=\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        COMPREPLY=($(compgen -W 'help --help --version");
    for (size_t i = 0; i < COMMANDS; i++) printf(" %s", commands[i].name);
    printf("' -- \"$current\"))\n        return\n    fi\n    case $command in\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char word[] = "--help=bash";
        char *words[] = {(char *)(uintptr_t)commands[i].name, word, NULL};
        int status = commands[i].run(2, words);
        if (status != EXIT_OK) return status;
    }
    printf("    esac\n    case $values in *\" $before \"*) return ;; esac\n    case $current in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n    esac\n}\ncomplete -o filenames -F "
           "_bertc bertc\n");
    return EXIT_OK;
}

// cJSON's makers return NULL when memory runs out, and what they were to add would be missing.
static void *json_memory(size_t size) {
    return memory_must(memory_alloc(size, 1));
}

// May the word stand for the command: a slip of a letter, or its first letters?
static bool is_near(const char *word, const char *command) {
    size_t n = strlen(word);
    return word_edits(word, n, command) > 0 || (n > 1 && !strncmp(command, word, n));
}

static int no_such_command(const char *word) {
    int left = 0;
    for (size_t i = 0; i < COMMANDS; i++) left += is_near(word, commands[i].name);
    fprintf(stderr, "bertc: no command '%s'%s", word, left ? ", did you mean " : "");
    for (size_t i = 0; i < COMMANDS; i++)
        if (is_near(word, commands[i].name))
            fprintf(stderr, "%s%s", commands[i].name, !--left ? "?" : left == 1 ? " or " : ", ");
    fprintf(stderr, " (bertc --help)\n");
    return EXIT_USAGE;
}

static int run_named(int argc, char **argv) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(argv[0], commands[i].name)) return commands[i].run(argc, argv);
    return no_such_command(argv[0]);
}

// "help run" is "run --help".
static int help_of(int count, char **words) {
    char option[] = "--help";
    if (count == 1) return run_named(2, (char *[]){words[0], option, NULL});
    if (!count) return print_usage(stdout), EXIT_OK;
    fprintf(stderr, "bertc help: takes one command, not %d (bertc --help)\n", count);
    return EXIT_USAGE;
}

static int run_command(int argc, char **argv) {
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "help")) return help_of(argc - 2, argv + 2);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_usage(stdout);
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--help=man")) {
        print_page();
        return EXIT_OK;
    }
    if (!strcmp(argv[1], "--help=bash")) return print_completion();
    if (!strcmp(argv[1], "--version")) {
        printf("bertc %s\n", bertc_version());
        return EXIT_OK;
    }
    return run_named(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    process_open_standard();
    process_watch_files();
    cJSON_InitHooks(&(cJSON_Hooks){json_memory, free});
    int status = run_command(argc, argv);
    diag d;
    diag_init(&d);
    flush_stdout(&d);
    int written = finish(&d);
    return status ? status : written;
}
