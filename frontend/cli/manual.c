#include "frontend/cli/manual.h"

#include <stdio.h>
#include <string.h>

void manual_text(const char *text) {
    bool starts = true;
    for (; *text; text++) {
        if (starts && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        starts = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

// "run" of "bertc run MODEL TEXT...": *n letters.
static const char *command_of(const option_table *t, size_t *n) {
    const char *space = strchr(t->usage, ' '), *word = space ? space + 1 : t->usage;
    *n = strcspn(word, " ");
    return word;
}

static void print_row(const option_row *r) {
    printf(".TP\n");
    if (r->letter) printf("\\fB\\-%c\\fR, ", r->letter);
    fputs("\\fB", stdout);
    manual_text("--");
    manual_text(r->name);
    fputs("\\fR", stdout);
    if (r->argument) {
        fputs(r->kind == OPTION_OPTIONAL ? "[=\\fI" : " \\fI", stdout);
        manual_text(r->argument);
        fputs(r->kind == OPTION_OPTIONAL ? "\\fR]" : "\\fR", stdout);
    }
    putchar('\n');
    manual_text(r->help);
    putchar('\n');
}

// The first sentence of what the command does.
static void print_name(const option_table *t, const char *command, size_t n) {
    size_t end = strcspn(t->summary, ".");
    printf(".SH NAME\nbertc\\-%.*s \\- ", (int)n, command);
    for (size_t i = 0; i < end; i++) putchar(t->summary[i] == '\n' ? ' ' : t->summary[i]);
    putchar('\n');
}

void manual_page(const option_table *t) {
    size_t n;
    const char *command = command_of(t, &n), *group = NULL;
    printf(".TH BERTC\\-");
    for (size_t i = 0; i < n; i++)
        putchar(command[i] >= 'a' && command[i] <= 'z' ? command[i] - 'a' + 'A' : command[i]);
    printf(" 1\n");
    print_name(t, command, n);
    printf(".SH SYNOPSIS\n");
    manual_text(t->usage);
    printf("\n.SH DESCRIPTION\n");
    manual_text(t->summary);
    printf("\n.SH OPTIONS\n");
    for (int i = 0; i < t->count; i++) {
        const option_row *r = &t->rows[i];
        if (r->group && r->group != group) {
            printf(".SS ");
            manual_text(r->group);
            putchar('\n');
        }
        group = r->group;
        print_row(r);
    }
    if (t->example) {
        printf(".SH EXAMPLE\n.nf\n");
        manual_text(t->example);
        printf("\n.fi\n");
    }
    printf(".SH SEE ALSO\n.BR bertc (1)\n");
}

static bool is_path(const option_row *r) {
    static const char *const names[] = {"FILE", "DIR", "QUERIES", "VECTORS", "FOLDER", "PATH", "DOCUMENTS"};
    for (size_t i = 0; r->argument && i < sizeof names / sizeof *names; i++)
        if (!strcmp(r->argument, names[i])) return true;
    return false;
}

void manual_words(const option_table *t) {
    size_t n;
    const char *command = command_of(t, &n);
    printf("    %.*s)\n        options='--help", (int)n, command);
    for (int i = 0; i < t->count; i++) printf(" --%s", t->rows[i].name);
    printf("'\n        values='");
    for (int i = 0; i < t->count; i++) {
        const option_row *r = &t->rows[i];
        bool takes = r->kind != OPTION_FLAG && r->kind != OPTION_OPTIONAL;
        if (takes && !is_path(r)) printf(" --%s", r->name);
        if (takes && !is_path(r) && r->letter) printf(" -%c", r->letter);
    }
    printf(" '\n        ;;\n");
}
