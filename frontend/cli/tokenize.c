#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/lines.h"
#include "frontend/cli/run/run.h"
#include "frontend/hub/files/text.h"

// A tokenizer of an artefact (through a session), or alone.
typedef struct token_source {
    arena *arena;
    bertc_model *model;
    bertc_session *session;
    bertc_tokenizer_handle *handle;
    bertc_truncation truncation;
    int64_t max_tokens;
} token_source;

// A checkpoint, or a tokenizer's file; else an artefact.
static bool reads_files(const char *path) {
    return is_checkpoint(path) || hub_ends_with(path, ".txt");
}

static bool token_source_open(token_source *x, const char *path, const char *tokenizer, diag *d) {
    bertc_error e;
    x->arena = arena_new();
    if (!reads_files(path)) {
        if (!may_be_artefact(path, d)) return false;
        x->model = bertc_load(path, &e);
        if (x->model) x->session = bertc_open(x->model, NULL, &e);
        return x->session || runtime_failed(d, &e);
    }
    const void *table;
    size_t bytes;
    if (!hub_tokenizer(tokenizer ? tokenizer : path, x->arena, &table, &bytes, d)) return false;
    x->handle = bertc_tokenizer_open(table, bytes, 0, &e);
    return x->handle || runtime_failed(d, &e);
}

static void token_source_close(token_source *x) {
    if (x->handle) bertc_tokenizer_close(x->handle);
    if (x->session) bertc_close(x->session);
    if (x->model) bertc_unload(x->model);
    if (x->arena) arena_free(x->arena);
}

static bool encode(token_source *x, const bertc_text *text, const bertc_token **tokens, size_t *n, diag *d) {
    bertc_error e;
    bool ok = x->handle ? bertc_tokenizer_encode(x->handle, text, x->max_tokens, x->truncation, tokens, n, &e)
                        : bertc_tokenize(x->session, text, x->max_tokens, x->truncation, tokens, n, &e);
    return ok || runtime_failed(d, &e);
}

static const char *token_text(const token_source *x, int32_t id) {
    const char *s = x->handle ? bertc_tokenizer_text(x->handle, id) : bertc_token_text(x->model, id);
    return s ? s : "";
}

static void print_tokens_json(const bertc_token *t, size_t n) {
    printf("{\"ids\":[");
    for (size_t i = 0; i < n; i++) printf("%s%" PRId32, i ? "," : "", t[i].id);
    printf("],\"types\":[");
    for (size_t i = 0; i < n; i++) printf("%s%" PRId32, i ? "," : "", t[i].type);
    printf("],\"offsets\":[");
    for (size_t i = 0; i < n; i++)
        printf("%s[%" PRIu32 ",%" PRIu32 "]", i ? "," : "", t[i].char_start, t[i].char_end);
    printf("],\"words\":[");
    for (size_t i = 0; i < n; i++) {
        if (t[i].word < 0)
            printf("%snull", i ? "," : "");
        else
            printf("%s%" PRId32, i ? "," : "", t[i].word);
    }
    printf("]}\n");
}

static void print_tokens(const token_source *x, const bertc_token *t, size_t n) {
    printf("%-20s %8s %5s  %s\n", "token", "id", "type", "characters");
    for (size_t i = 0; i < n; i++) {
        printf("%-20s %8" PRId32 " %5" PRId32 "  ", token_text(x, t[i].id), t[i].id, t[i].type);
        if (t[i].text < 0)
            printf("-\n");
        else
            printf("%" PRIu32 "-%" PRIu32 "\n", t[i].char_start, t[i].char_end);
    }
}

static bool show(token_source *x, const bertc_text *text, bool json, diag *d) {
    const bertc_token *tokens;
    size_t n;
    if (!encode(x, text, &tokens, &n, d)) return false;
    if (json)
        print_tokens_json(tokens, n);
    else
        print_tokens(x, tokens, n);
    return true;
}

// Up to the first line that is broken. What is shown is written before more is waited for.
static bool show_lines(token_source *x, const char *pair, bool json, diag *d) {
    line_source in;
    row r;
    bool ok = lines_open(&in, "-", pair, d);
    in.format = json ? LINES_JSON : LINES_WHOLE;
    while (ok && lines_next(&in, &r, d)) {
        if (r.error) lines_report(&in, &r, 1, d);
        ok = !r.error && show(x, &r.text, json, d) && (lines_ready(&in) || flush_stdout(d));
        row_free(&r);
    }
    ok = ok && !in.failed;
    lines_close(&in);
    return ok;
}

int command_tokenize(int argc, char **argv) {
    token_source x = {0};
    const char *pair = NULL, *truncate = NULL, *tokenizer = NULL;
    bool json = false;
    option_table t = {.usage = "bertc tokenize model.so|MODEL|tokenizer.json|vocab.txt [TEXT]... [OPTION]...",
                      .summary = "Tokens, ids, types and offsets of each TEXT; without any, of each line of "
                                 "standard input (with --json\n"
                                 "each line is JSON as of `bertc run --input`: a string, or an object with "
                                 "`text` or `words`, and perhaps `pair`).",
                      .example = "bertc tokenize sentiment.so \"unaffable\""};
    options_add(&t, (option_row){"pair", 0, OPTION_TEXT, "TEXT", "the second text", &pair});
    options_add(&t,
                (option_row){"json", 0, OPTION_FLAG, NULL,
                             "ids, types, offsets and the words that tokens are of, as JSON, a line a text",
                             &json});
    options_add(&t, (option_row){"max-tokens", 0, OPTION_INT, "N", "with --truncate: cut to so many tokens",
                                 &x.max_tokens, 1});
    options_add(&t, (option_row){"truncate", 0, OPTION_OPTIONAL, "HOW", "longest (default), first or second",
                                 &truncate});
    options_add(&t, (option_row){"tokenizer", 0, OPTION_TEXT, "FILE",
                                 "of a checkpoint: another tokenizer.json or vocab.txt", &tokenizer});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count < 1) return usage_error(&t, "needs an artefact, a folder or a tokenizer file");
    if (tokenizer && !reads_files(rest.v[0]))
        return usage_error(&t, "--tokenizer has no effect on %s, which holds its own", rest.v[0]);
    if (!truncation_of(truncate, &x.truncation))
        return usage_error(&t, "--truncate: '%s' is none of longest, first, second", truncate);
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    bool ok = token_source_open(&x, rest.v[0], tokenizer, &d);
    for (int i = 1; ok && i < rest.count; i++) {
        bertc_text text = {rest.v[i], strlen(rest.v[i]), pair, pair ? strlen(pair) : 0};
        ok = show(&x, &text, json, &d);
    }
    if (ok && rest.count == 1) show_lines(&x, pair, json, &d);
    flush_stdout(&d);
    token_source_close(&x);
    return finish(&d);
}
