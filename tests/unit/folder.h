// A temporary model folder: files written as text, or linked from the conformance cases; and hub_open on it.
#ifndef BERTC_TESTS_FOLDER_H
#define BERTC_TESTS_FOLDER_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case_path.h"
#include "frontend/hub/hub.h"
#include "main.h"

#define CASES BERTC_TESTS "/models/cases/"

static char folder[64];

static void folder_setup(void) {
    strcpy(folder, "/tmp/bertc-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void folder_teardown(void) {
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static inline const char *in_folder(const char *name) {
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static inline void write_text(const char *name, const char *text) {
    FILE *f = fopen(in_folder(name), "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static inline void make_folder(const char *name) {
    ck_assert_int_eq(mkdir(in_folder(name), 0777), 0);
}

static inline void link_case(const char *file, const char *name) {
    const char *from = case_path(file, NULL);
    ck_assert_msg(from != NULL, "%s is not there", file);
    ck_assert_int_eq(symlink(from, in_folder(name)), 0);
}

// The text of a file of the cases; freed by the caller.
static inline char *case_text(const char *file) {
    const char *path = case_path(file, NULL);
    FILE *f = path ? fopen(path, "r") : NULL;
    ck_assert_ptr_nonnull(f);
    char *text = calloc(1, 1 << 16);
    ck_assert_uint_lt(fread(text, 1, (1 << 16) - 1, f), (1 << 16) - 1);
    fclose(f);
    return text;
}

// `text` with the first `old` replaced; freed by the caller.
static inline char *replaced(const char *text, const char *old, const char *with) {
    const char *at = strstr(text, old);
    ck_assert_msg(at, "\"%s\" is not there", old);
    char *out = malloc(strlen(text) + strlen(with) + 1);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, with, at + strlen(old));
    return out;
}

// One opening, with what it said.
typedef struct opened {
    arena *a;
    diag d;
    hub_model m;
    bool ok;
} opened;

static inline opened open_model(hub_options o) {
    opened x = {.a = arena_new()};
    diag_init(&x.d);
    if (!o.model) o.model = folder;
    x.ok = hub_open(&o, x.a, &x.m, &x.d);
    ck_assert_int_eq(x.ok, !diag_failed(&x.d));
    if (x.ok) ck_assert(graph_verify(x.m.graph, "hub", &x.d));
    return x;
}

static inline void close_model(opened *x) {
    if (x->ok) hub_close(&x->m);
    diag_free(&x->d);
    arena_free(x->a);
}

static inline bool says(const opened *x, const char *cause) {
    for (int i = 0; i < x->d.count; i++) {
        if (strstr(x->d.items[i].text, cause)) return true;
    }
    return false;
}

// Opening fails with `errors` problems, one of which says `cause`.
static inline void expect_failure(hub_options o, const char *cause, int errors) {
    opened x = open_model(o);
    if (!says(&x, cause)) diag_print(&x.d, stderr);
    ck_assert_msg(!x.ok && says(&x, cause), "nothing says \"%s\"", cause);
    ck_assert_int_eq(x.d.errors, errors);
    close_model(&x);
}

// The folder's weights, or a case's, each tensor put through `change`; false leaves it out.
typedef bool (*change)(safetensors_item *t, arena *a);

static inline void change_weights(const char *path, change f) {
    diag d;
    diag_init(&d);
    arena *a = arena_new();
    safetensors *s = safetensors_open(path, &d);
    ck_assert_ptr_nonnull(s);
    safetensors_item *items = ARENA_ARRAY(a, safetensors_item, safetensors_count(s));
    int n = 0;
    for (int i = 0; i < safetensors_count(s); i++) {
        safetensors_item *t = &items[n];
        const int64_t *shape;
        t->name = safetensors_name(s, i);
        ck_assert(safetensors_entry(s, t->name, &t->dtype, &t->rank, &shape, &t->data, &t->bytes));
        for (int k = 0; k < t->rank; k++) t->shape[k] = shape[k];
        n += f(t, a);
    }
    ck_assert(safetensors_write(in_folder("model.safetensors"), n, items, &d));
    safetensors_close(s);
    arena_free(a);
    diag_free(&d);
}

static inline void copy_weights(const char *from, change f) {
    change_weights(case_path(from, "model.safetensors"), f);
}

static inline void link_base(void) {
    link_case("bert-base-model/config.json", "config.json");
    link_case("bert-base-model/model.safetensors", "model.safetensors");
}

// Evaluates on two short texts, of 5 and 3 tokens; all outputs' values.
static inline const tensor *all_evaluated(opened *x) {
    static const int32_t pair[] = {0, 0, 0, 1, 1, 0, 0, 0}, one[8];
    int32_t ids[] = {2, 50, 60, 70, 3, 2, 9, 3};
    const int32_t *types = x->m.type_vocab_size > 1 ? pair : one;
    for (int i = 0; i < 8; i++) ids[i] %= (int32_t)x->m.vocab_size;
    static const int32_t positions[] = {0, 1, 2, 3, 4, 0, 1, 2}, bounds[] = {0, 5, 8};
    static const int32_t columns[] = {0, 1, 2, 3, 4, 0, 1, 2};
    static const int32_t shown[] = {1, 1, 1, 1, 1, 1, 1, 1}, global[] = {1, 0, 0, 0, 0, 1, 0, 0};
    static const int32_t rows[] = {1, 3, 6}, row_bounds[] = {0, 2, 3};
    const eval_input inputs[] = {
        {"ids", {ELEM_I32, 1, {8}, ids}},
        {"types", {ELEM_I32, 1, {8}, (void *)(uintptr_t)types}},
        {"positions", {ELEM_I32, 1, {8}, (void *)(uintptr_t)positions}},
        {"bounds", {ELEM_I32, 1, {3}, (void *)(uintptr_t)bounds}},
        {"columns", {ELEM_I32, 1, {8}, (void *)(uintptr_t)columns}},
        {"mask", {ELEM_I32, 1, {8}, (void *)(uintptr_t)shown}},
        {"global", {ELEM_I32, 1, {8}, (void *)(uintptr_t)global}},
        {"rows", {ELEM_I32, 1, {3}, (void *)(uintptr_t)rows}},
        {"row_bounds", {ELEM_I32, 1, {3}, (void *)(uintptr_t)row_bounds}},
    };
    eval_options e = {.source = &x->m.source, .input_count = 9, .inputs = inputs, .length = 5};
    tensor *results = ARENA_ARRAY(x->a, tensor, x->m.graph->output_count);
    if (!graph_eval(x->m.graph, &e, x->a, results, &x->d)) diag_print(&x->d, stderr);
    ck_assert(!diag_failed(&x->d));
    return results;
}

static inline tensor evaluated(opened *x) {
    return all_evaluated(x)[0];
}

static inline const char *output_name(const opened *x, int i) {
    return i < x->m.graph->output_count ? x->m.graph->outputs[i].name : "none";
}

static inline int run_suite(const char *name, void (*add)(TCase *c)) {
    Suite *suite = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, folder_setup, folder_teardown);
    add(c);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}

#endif
