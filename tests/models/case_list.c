#include "models/case_list.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"

#define HERE BERTC_TESTS "/models/cases"

const char *const case_files[CASE_FILES] = {"io.safetensors",    "masks.safetensors", "positions.safetensors",
                                            "tasks.safetensors", "bbox.safetensors",  "global.safetensors"};

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

case_list case_list_find(const char *begin) {
    case_list l = {.count = 0};
    DIR *dir = opendir(HERE);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || l.count == CASES_MAX) continue;
        if (!begin || !strncmp(begin, e->d_name, strlen(begin))) l.names[l.count++] = strdup(e->d_name);
    }
    if (dir) closedir(dir);
    qsort(l.names, (size_t)l.count, sizeof(*l.names), by_name);
    return l;
}

void case_list_free(case_list *l) {
    for (int i = 0; i < l->count; i++) free(l->names[i]);
    l->count = 0;
}

int case_main(const char *suite, int argc, char **argv, case_list *cases, const TTest *one, int each,
              const TTest *table) {
    bool as_table = table && argc > 1 && !strcmp(argv[1], "--table");
    *cases = case_list_find(argc > 1 && !as_table ? argv[1] : getenv("BERTC_CASE"));
    Suite *s = suite_create(suite);
    TCase *t = tcase_create("cases");
    tcase_set_timeout(t, as_table ? 1200 : 120);
    if (as_table)
        tcase_add_test(t, table);
    else
        tcase_add_loop_test(t, one, 0, cases->count * each);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    if (!cases->count) status = 1;
    case_list_free(cases);
    return status;
}
