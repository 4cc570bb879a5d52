// Tokenizers for tests: from JSON text or from files, and what they make of a text as a line that can be
// compared.
#ifndef TOKENIZER_CASE_H
#define TOKENIZER_CASE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/hub/hub.h"
#include "runtime/bertc.h"

typedef struct tokenizer_case {
    arena *a;
    diag d;
    const void *table;
    size_t bytes;
    bertc_tokenizer_handle *handle;
    char line[4096];
} tokenizer_case;

// From a path; the first diagnostic in `line` where it fails.
static inline bool case_open(tokenizer_case *c, const char *path) {
    bertc_error error;
    *c = (tokenizer_case){.a = arena_new()};
    diag_init(&c->d);
    bool ok = hub_tokenizer(path, c->a, &c->table, &c->bytes, &c->d);
    ck_assert_int_eq(ok, !diag_failed(&c->d));
    if (!ok) {
        snprintf(c->line, sizeof c->line, "%s", c->d.items[0].text);
        return false;
    }
    c->handle = bertc_tokenizer_open(c->table, c->bytes, 256, &error);
    ck_assert_msg(c->handle != NULL, "%s", error.message);
    return true;
}

static inline void case_close(tokenizer_case *c) {
    bertc_tokenizer_close(c->handle);
    diag_free(&c->d);
    arena_free(c->a);
}

static inline void case_write(const char *folder, const char *name, const char *text, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, size, f), size);
    fclose(f);
}

// From the text of a tokenizer.json (or, where it begins otherwise, of a vocab.txt).
static inline bool case_open_text(tokenizer_case *c, const char *text, const char *config) {
    char folder[] = "/tmp/bertc-tokenizer-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    const char *names[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json"};
    case_write(folder, names[*text != '{'], text, strlen(text));
    if (config) case_write(folder, names[2], config, strlen(config));
    bool ok = case_open(c, folder);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return ok;
}

static inline const bertc_token *case_encode(tokenizer_case *c, const bertc_text *text, size_t *count) {
    const bertc_token *tokens;
    bertc_error error;
    ck_assert_msg(bertc_tokenizer_encode(c->handle, text, 0, BERTC_TRUNCATE_NEVER, &tokens, count, &error),
                  "%s", error.message);
    return tokens;
}

// "[CLS] un:0-2 ##a:2-3 [SEP]": each token with its characters; byte offsets too where `bytes`, types where
// `types`.
static inline const char *case_line(tokenizer_case *c, const bertc_token *tokens, size_t count, bool bytes,
                                    bool types) {
    size_t n = 0;
    c->line[0] = 0;
    for (size_t i = 0; i < count && n + 64 < sizeof c->line; i++) {
        const bertc_token *t = &tokens[i];
        n += (size_t)snprintf(c->line + n, sizeof c->line - n, "%s%s", i ? " " : "",
                              bertc_tokenizer_text(c->handle, t->id));
        if (t->text >= 0)
            n += (size_t)snprintf(c->line + n, sizeof c->line - n, ":%u-%u", t->char_start, t->char_end);
        if (t->text >= 0 && bytes)
            n += (size_t)snprintf(c->line + n, sizeof c->line - n, "(%u-%u)", t->byte_start, t->byte_end);
        if (types) n += (size_t)snprintf(c->line + n, sizeof c->line - n, "/%d", t->type);
    }
    return c->line;
}

static inline const char *case_tokens(tokenizer_case *c, const char *text, size_t size) {
    size_t count;
    const bertc_token *tokens = case_encode(c, &(bertc_text){text, size, NULL, 0}, &count);
    return case_line(c, tokens, count, false, false);
}

// `text` gives the tokens of `line`.
static inline void case_expect(const char *file, const char *text, size_t size, const char *line) {
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, file, NULL), "%s", c.line);
    ck_assert_str_eq(case_tokens(&c, text, size), line);
    case_close(&c);
}

// The tokenizer.json, with that config, is refused in a line that holds `cause`.
static inline void case_refuse(const char *file, const char *config, const char *cause) {
    tokenizer_case c;
    ck_assert_msg(!case_open_text(&c, file, config), "accepted: %s", file);
    ck_assert_msg(strstr(c.line, cause) != NULL, "`%s` lacks `%s`", c.line, cause);
    case_close(&c);
}

#endif
