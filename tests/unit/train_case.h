// What tests of `bertc train`'s data share: a folder, an arena, the bundled model's tokenizer.
#ifndef BERTC_TESTS_UNIT_TRAIN_CASE_H
#define BERTC_TESTS_UNIT_TRAIN_CASE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/train/batch.h"
#include "frontend/hub/hub.h"

static char folder[64];
static arena *memory;
static bertc_tokenizer_handle *tokenizer;
static diag d;

static inline void setup(void) {
    strcpy(folder, "/tmp/bertc-train-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    memory = arena_new();
    diag_init(&d);
    const void *table;
    size_t bytes;
    bertc_error e;
    ck_assert(hub_tokenizer(BERTC_TESTS "/../examples/models/mini-sst2", memory, &table, &bytes, &d));
    tokenizer = bertc_tokenizer_open(table, bytes, 0, &e);
    ck_assert_ptr_nonnull(tokenizer);
}

static inline void teardown(void) {
    char command[96];
    bertc_tokenizer_close(tokenizer);
    arena_free(memory);
    diag_free(&d);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static inline const char *file(const char *name, const char *text) {
    char *path = arena_printf(memory, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static inline data_labels *labels_of(const char *a, const char *b, const char *c) {
    data_labels *l = data_labels_new(memory);
    data_labels_add(l, a);
    data_labels_add(l, b);
    if (c) data_labels_add(l, c);
    return l;
}

static inline feature_rule rule_of(train_task task, data_form form, const data_labels *labels, int64_t most) {
    return (feature_rule){
        .task = task, .form = form, .tokenizer = tokenizer, .labels = labels, .max_tokens = most};
}

static inline bool opens(train_set *s, const feature_rule *rule, const char *path, data_labels *learn,
                         bool skip) {
    return set_open(s, &(set_options){.path = path, .skip_bad = skip}, rule, learn, &d);
}

static inline feature feature_at(train_set *s, int64_t i) {
    feature f;
    ck_assert_msg(set_read(s, i, &f, memory, &d), "%s", d.count ? d.items[0].text : "");
    return f;
}

// The tokens as text, with blanks between them.
static inline const char *tokens_of(const int32_t *ids, int64_t n) {
    const char *text = "";
    for (int64_t i = 0; i < n; i++)
        text = arena_printf(memory, "%s%s%s", text, i ? " " : "", bertc_tokenizer_text(tokenizer, ids[i]));
    return text;
}

static inline void said(const char *what) {
    for (int i = 0; i < d.count; i++)
        if (strstr(d.items[i].text, what)) return;
    ck_abort_msg("nobody said '%s' but '%s'", what, d.count ? d.items[0].text : "");
}

#endif
