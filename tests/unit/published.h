// Folders of tests/models/published: a config.json as it stands on the hub, but for its sizes, and the names
// and shapes of its tensors, which get random numbers; and other spellings of the conformance cases.
#ifndef BERTC_TESTS_PUBLISHED_H
#define BERTC_TESTS_PUBLISHED_H

#include "folder.h"

#define PUBLISHED BERTC_TESTS "/models/published/"

// --- Folders as published

static uint32_t state;
static long long words; // the vocabulary's size, where it is to be another

static inline float drawn(void) { // in -0.25 .. 0.25
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 33554432.0f - 0.25f;
}

// A line of tensors.txt: type, name, shape.
static inline bool read_tensor(FILE *f, arena *a, safetensors_item *t) {
    char line[256], dtype[8], name[160];
    int at = 0, more;
    long long n, count = 1;
    if (!fgets(line, sizeof(line), f)) return false;
    ck_assert_int_eq(sscanf(line, "%7s %159s%n", dtype, name, &at), 2);
    *t = (safetensors_item){.name = arena_strdup(a, name), .dtype = arena_strdup(a, dtype)};
    for (; sscanf(line + at, "%lld%n", &n, &more) == 1; at += more) {
        if (strstr(name, "word_embeddings") && !t->rank && words) n = words;
        t->shape[t->rank++] = n;
        count *= n;
    }
    bool whole = !strcmp(dtype, "I64");
    t->bytes = (size_t)count * (whole ? 8 : 4);
    float *data = arena_alloc(a, t->bytes);
    for (long long i = 0; i < count && !whole; i++) data[i] = drawn();
    t->data = data;
    return true;
}

static inline void write_weights(const char *name) {
    char path[512];
    snprintf(path, sizeof(path), PUBLISHED "%s/tensors.txt", name);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    arena *a = arena_new();
    safetensors_item *items = ARENA_ARRAY(a, safetensors_item, 512);
    int n = 0;
    state = 1;
    while (read_tensor(f, a, &items[n])) ck_assert_int_lt(++n, 512);
    fclose(f);
    diag d;
    diag_init(&d);
    ck_assert(safetensors_write(in_folder("model.safetensors"), n, items, &d));
    diag_free(&d);
    arena_free(a);
}

// config.json with each pair's first text replaced by its second.
static inline void write_config(const char *path, const char *const changes[][2]) {
    char *text = case_text(path);
    for (int i = 0; changes && changes[i][0]; i++) {
        char *next = replaced(text, changes[i][0], changes[i][1]);
        free(text);
        text = next;
    }
    write_text("config.json", text);
    free(text);
}

static inline void write_published(const char *name, const char *const changes[][2]) {
    char path[128];
    snprintf(path, sizeof(path), "../published/%s/config.json", name);
    write_config(path, changes);
    write_weights(name);
}

// --- The same weights, said otherwise

// What evaluated() gives of a case, and of a folder with the same weights.
static inline void expect_same(const char *of) {
    opened x = open_model((hub_options){.model = case_home(of)}), y = open_model((hub_options){0});
    if (!y.ok) diag_print(&y.d, stderr);
    ck_assert(x.ok && y.ok);
    tensor want = evaluated(&x), got = evaluated(&y);
    ck_assert_int_eq(tensor_count(&want), tensor_count(&got));
    ck_assert_mem_eq(want.data, got.data, sizeof(float) * (size_t)tensor_count(&want));
    close_model(&x);
    close_model(&y);
}

static inline void config_of(const char *of, const char *const changes[][2]) {
    char path[96];
    snprintf(path, sizeof(path), "%s/config.json", of);
    write_config(path, changes);
}

#endif
