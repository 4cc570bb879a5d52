#include "models/answers.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "main.h"

bertc_session *session_of(bertc_model *model, int threads) {
    bertc_error e;
    bertc_session *s = bertc_open(
        model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads}, &e);
    ck_assert_msg(s != NULL, "%s", e.message);
    return s;
}

void fixture_open(fixture *f, const char *folder, build_options o) {
    diag_init(&f->d);
    must_diag(opened_open(&f->model, folder, &o, &f->d), &f->d, folder);
    f->session = session_of(f->model.model, 1);
}

void fixture_close(fixture *f) {
    bertc_close(f->session);
    opened_close(&f->model);
    diag_free(&f->d);
}

cJSON *read_json(const char *path) {
    char *text = file_text(path, NULL);
    cJSON *json = cJSON_Parse(text);
    ck_assert_msg(json != NULL, "%s", path);
    free(text);
    return json;
}

cJSON *read_answers(const char *folder, const char *file) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return read_json(path);
}

const cJSON *member(const cJSON *o, const char *name) {
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(o, name);
    ck_assert_msg(m != NULL, "no %s", name);
    return m;
}

const char *string_of(const cJSON *o, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

bertc_text text_of(const char *text) {
    return (bertc_text){.text = text, .size = strlen(text)};
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *folder_in(const char *root, const char *name) {
    static char path[1200];
    snprintf(path, sizeof path, "%s%s", root, name);
    return path;
}

folder_list folders_find(const char *root, const char *begin, const char *file) {
    folder_list l = {.count = 0};
    char path[1200];
    DIR *dir = opendir(root);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s/%s", root, e->d_name, file);
        if (e->d_name[0] == '.' || strncmp(e->d_name, begin, strlen(begin)) != 0 || access(path, R_OK))
            continue;
        if (l.count == (int)(sizeof l.names / sizeof *l.names)) abort();
        l.names[l.count++] = strdup(e->d_name);
    }
    if (dir) closedir(dir);
    qsort(l.names, (size_t)l.count, sizeof *l.names, by_name);
    return l;
}

// --- The table. Each test is a process of its own, so what is noted is the test's.

static bool asked;
static double largest;

void table_begin(int argc, char **argv) {
    asked = argc > 1 && !strcmp(argv[1], "--table");
}

double table_note(double difference) {
    if (!(difference <= largest)) largest = difference;
    return difference;
}

void table_row(const char *kind, const char *name) {
    if (asked) printf("| %s | %s | %.1e |\n", kind, name, largest);
    fflush(stdout);
    largest = 0;
}

int table_status(Suite *s, folder_list *folders) {
    int status = suite_status(s);
    if (!folders->count) status = 1;
    for (int i = 0; i < folders->count; i++) free(folders->names[i]);
    return status;
}
