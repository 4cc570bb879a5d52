#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/columns.h"
#include "frontend/cli/run/lines.h"
#include "frontend/cli/run/run.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/files/text.h"

// A tokenizer of an artefact (through a session), or alone. As a role's texts it is always a session's: what they are given
// beside their own tokens is the model's.
typedef struct token_source {
    arena *arena;
    opened model;
    bertc_session *session;
    bertc_tokenizer_handle *handle;
    bertc_text_options options;
} token_source;

// A checkpoint, or a tokenizer's file; else an artefact.
static bool reads_files(const char *path) {
    return is_checkpoint(path) || hub_ends_with(path, ".txt");
}

static bool token_source_open(token_source *x, const char *path, const char *tokenizer, diag *d) {
    bertc_error e;
    x->arena = arena_new();
    if (x->options.role || !reads_files(path)) {
        if (!opened_open(&x->model, path, &(build_options){.batch = 1, .hub.tokenizer = tokenizer}, d))
            return false;
        x->session = bertc_open(x->model.model, NULL, &e);
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
    opened_close(&x->model);
    if (x->arena) arena_free(x->arena);
}

static bool encode(token_source *x, const bertc_text *text, const bertc_token **tokens, size_t *n,
                   bertc_error *e) {
    if (x->options.role) return bertc_text_tokens(x->session, text, &x->options, tokens, n, e);
    return x->handle ? bertc_tokenizer_encode_with(x->handle, text, &x->options, tokens, n, e)
                     : bertc_tokenize_with(x->session, text, &x->options, tokens, n, e);
}

static const char *token_text(const token_source *x, int32_t id) {
    const char *s = x->handle ? bertc_tokenizer_text(x->handle, id) : bertc_token_text(x->model.model, id);
    return s ? s : "";
}

static bool print_tokens_json(const bertc_token *t, size_t n, bertc_error *e) {
    out o = {0};
    out_text(&o, "{\"ids\": [");
    for (size_t i = 0; i < n; i++) out_format(&o, "%s%" PRId32, i ? ", " : "", t[i].id);
    out_text(&o, "], \"types\": [");
    for (size_t i = 0; i < n; i++) out_format(&o, "%s%" PRId32, i ? ", " : "", t[i].type);
    out_text(&o, "], \"offsets\": [");
    for (size_t i = 0; i < n; i++)
        out_format(&o, "%s[%" PRIu32 ", %" PRIu32 "]", i ? ", " : "", t[i].char_start, t[i].char_end);
    out_text(&o, "], \"words\": [");
    for (size_t i = 0; i < n; i++) {
        out_text(&o, i ? ", " : "");
        if (t[i].word < 0)
            out_text(&o, "null");
        else
            out_format(&o, "%" PRId32, t[i].word);
    }
    out_text(&o, "]}\n");
    fwrite(o.text, 1, o.size, stdout);
    bool ok = !o.bad;
    if (!ok) snprintf(e->message, sizeof e->message, "out of memory for the tokens");
    out_free(&o);
    return ok;
}

static void print_tokens(const token_source *x, const bertc_token *t, size_t n) {
    printf("%-20s %8s %5s  %s\n", "token", "id", "type", "characters");
    for (size_t i = 0; i < n; i++) {
        columns_left(stdout, token_text(x, t[i].id), 20);
        printf(" %8" PRId32 " %5" PRId32 "  ", t[i].id, t[i].type);
        if (t[i].text < 0)
            printf("-\n");
        else
            printf("%" PRIu32 "-%" PRIu32 "\n", t[i].char_start, t[i].char_end);
    }
}

// A row per token. Special tokens stand nowhere in the text, and belong to no word.
static void print_tokens_csv(const token_source *x, const bertc_token *t, size_t n, int64_t line) {
    for (size_t i = 0; i < n; i++) {
        const char *token = token_text(x, t[i].id);
        printf("%" PRId64 ",", line);
        csv_field(stdout, token, strlen(token));
        printf(",%" PRId32 ",%" PRId32 ",", t[i].id, t[i].type);
        if (t[i].text >= 0) printf("%" PRIu32 ",%" PRIu32, t[i].char_start, t[i].char_end);
        fputs(t[i].text >= 0 ? "," : ",,", stdout);
        if (t[i].word >= 0) printf("%" PRId32, t[i].word);
        fputs(",\r\n", stdout);
    }
}

// The text number `line`.
static bool show(token_source *x, const bertc_text *text, int64_t line, answer_format form, bertc_error *e) {
    const bertc_token *tokens;
    size_t n;
    if (!encode(x, text, &tokens, &n, e)) return false;
    if (form == FORMAT_JSONL) return print_tokens_json(tokens, n, e);
    if (form == FORMAT_CSV)
        print_tokens_csv(x, tokens, n, line);
    else
        print_tokens(x, tokens, n);
    return true;
}

static void print_error(const char *why, int64_t line, answer_format form) {
    if (form == FORMAT_CSV) {
        printf("%" PRId64 ",,,,,,,", line);
        csv_field(stdout, why, strlen(why));
        fputs("\r\n", stdout);
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "error", why);
    print_json(o);
}

// A line without tokens is named, and the next one is read. What is shown is written before more is waited
// for.
static bool show_lines(token_source *x, const char *pair, answer_format form, diag *d) {
    line_source in;
    row r;
    bertc_error e;
    int64_t failed = 0;
    bool ok = lines_open(&in, "-", pair, d);
    in.format = form == FORMAT_JSONL ? LINES_JSON : LINES_WHOLE;
    while (ok && lines_next(&in, &r, d)) {
        if (!r.error && !show(x, &r.text, r.line, form, &e)) row_fail(&r, e.message);
        if (r.error) lines_report(&in, &r, ++failed, d);
        if (r.error && form != FORMAT_TEXT) print_error(r.error, r.line, form);
        ok = lines_ready(&in) || flush_stdout(d);
        row_free(&r);
    }
    ok = ok && !in.reader.failed;
    lines_close(&in);
    return ok;
}

static bool show_arguments(token_source *x, const arguments *words, const char *pair, answer_format form,
                           diag *d) {
    bertc_error e;
    for (int i = 1; i < words->count; i++) {
        bertc_text text = {words->v[i], strlen(words->v[i]), pair, pair ? strlen(pair) : 0};
        if (!show(x, &text, i, form, &e)) return runtime_failed(d, &e);
    }
    return true;
}

int command_tokenize(int argc, char **argv) {
    token_source x = {.options = BERTC_TEXT_OPTIONS_INIT};
    const char *pair = NULL, *truncate = NULL, *tokenizer = NULL, *as = NULL;
    bertc_role role;
    form_choice form = {0};
    option_table t = {.usage = "bertc tokenize model.so|MODEL|tokenizer.json|vocab.txt [TEXT]... [OPTION]...",
                      .summary =
                          "Prints the tokens of each TEXT with their ids, types and offsets. Without a "
                          "TEXT it reads each line of standard\n"
                          "input; with --json each line is a JSON string, or an object with `text` or "
                          "`words`, and perhaps `pair`.",
                      .example = "bertc tokenize sentiment.so \"unaffable\""};
    options_add(&t, (option_row){"pair", 0, OPTION_TEXT, "TEXT", "the second text", &pair});
    form_options_add(
        &t, &form,
        "print JSON, one line per text: ids, types, offsets, and the word that each token is a part of",
        true);
    options_add(&t, (option_row){"max-tokens", 0, OPTION_INT, "N", "with --truncate: keep at most N tokens",
                                 &x.options.max_tokens, 1});
    options_add(&t, (option_row){"truncate", 0, OPTION_OPTIONAL, "HOW",
                                 "which text of a pair is cut: longest (default), first or second. -left or "
                                 "-right, alone or added: the end that is cut",
                                 &truncate});
    options_add(
        &t, (option_row){"plain-text", 0, OPTION_FLAG, NULL,
                         "read [SEP], </s> and their like in a text as plain text, never as special tokens",
                         &x.options.plain_text});
    options_add(
        &t, (option_row){
                "as", 0, OPTION_TEXT, "ROLE",
                "treat the texts as `query` or `document`: with the prompt, marker and length that the model "
                "has for these, and with the tokens that fill up a query (a checkpoint is compiled first)",
                &as});
    options_add(&t,
                (option_row){"tokenizer", 0, OPTION_TEXT, "FILE",
                             "for a checkpoint: use this tokenizer.json or vocab.txt instead", &tokenizer});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count < 1) return usage_error(&t, "needs an artefact, a folder or a tokenizer file");
    if (tokenizer && !reads_files(rest.v[0]))
        return usage_error(&t, "--tokenizer has no effect on %s, which holds its own", rest.v[0]);
    if (!truncation_of(truncate, &x.options.truncation, &x.options.truncation_side))
        return usage_error(&t, "--truncate: '%s' is none of longest, first, second (and -left or -right)",
                           truncate);
    if (!role_of(as, &role)) return usage_error(&t, "--as: '%s' is none of query, document", as);
    if (role && (hub_ends_with(rest.v[0], ".txt") || hub_ends_with(rest.v[0], "tokenizer.json")))
        return usage_error(&t, "--as: %s is a tokenizer alone, and what texts are to a model is the model's",
                           rest.v[0]);
    x.options.role = role;
    status = form_options_check(&t, &form, true, NULL);
    if (status >= 0) return status;
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    bool ok = token_source_open(&x, rest.v[0], tokenizer, &d);
    if (ok && form.form == FORMAT_CSV) fputs("line,token,id,type,start,end,word,error\r\n", stdout);
    ok = ok && show_arguments(&x, &rest, pair, form.form, &d);
    if (ok && rest.count == 1) show_lines(&x, pair, form.form, &d);
    flush_stdout(&d);
    token_source_close(&x);
    return finish(&d);
}
