// links: ir
// What the repository holds stays small: the files that git tracks are under 40 MB together. Beyond that the
// message names what is large.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "main.h"

#define ROOT  BERTC_TESTS "/.."
#define LIMIT INT64_C(40000000)
#define LARGE 5

typedef struct item {
    char name[256];
    int64_t bytes;
} item;
typedef struct tree {
    int64_t bytes;
    int files;
    item largest[LARGE], folders[64]; // folders: two levels deep, "tests/models"
    int folder_count;
} tree;

static int by_bytes(const void *a, const void *b) {
    int64_t x = ((const item *)a)->bytes, y = ((const item *)b)->bytes;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void add_to_folder(tree *t, const char *path, int64_t bytes) {
    const char *first = strchr(path, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    const char *end = second ? second : first;
    char name[256];
    snprintf(name, sizeof name, "%.*s", end ? (int)(end - path) : 1, end ? path : ".");
    int i = 0;
    while (i < t->folder_count && strcmp(t->folders[i].name, name)) i++;
    if (i == (int)(sizeof t->folders / sizeof *t->folders)) return;
    if (i == t->folder_count) t->folders[t->folder_count++] = (item){.bytes = 0};
    strcpy(t->folders[i].name, name);
    t->folders[i].bytes += bytes;
}

static void add(tree *t, const char *path) {
    char full[4096];
    struct stat s;
    snprintf(full, sizeof full, ROOT "/%s", path);
    if (lstat(full, &s)) return; // deleted, and not yet committed
    t->bytes += s.st_size;
    t->files++;
    add_to_folder(t, path, s.st_size);
    item *least = &t->largest[LARGE - 1];
    if (s.st_size <= least->bytes) return;
    snprintf(least->name, sizeof least->name, "%s", path);
    least->bytes = s.st_size;
    qsort(t->largest, LARGE, sizeof *t->largest, by_bytes);
}

// What git tracks; false where this is no checkout, or there is no git.
static bool read_tree(tree *t) {
    *t = (tree){0};
    FILE *f = popen("git -C '" ROOT "' ls-files -z 2>/dev/null", "r");
    char *path = NULL;
    size_t room = 0;
    while (f && getdelim(&path, &room, 0, f) > 0) add(t, path);
    free(path);
    return f && !pclose(f) && t->files > 0;
}

// NULL, or what is wrong: by file and folder, the largest first.
static const char *complaint(tree *t, int64_t limit) {
    static char text[4096];
    if (t->bytes < limit) return NULL;
    size_t n =
        (size_t)snprintf(text, sizeof text, "%d files of %.1f MB, the limit is %.1f MB. Large:", t->files,
                         (double)t->bytes / 1e6, (double)limit / 1e6);
    qsort(t->folders, (size_t)t->folder_count, sizeof *t->folders, by_bytes);
    for (int i = 0; i < LARGE; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " %s %.1f,", t->largest[i].name,
                              (double)t->largest[i].bytes / 1e6);
    for (int i = 0; i < 3 && i < t->folder_count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %s %.1f", i ? "," : " in folders",
                              t->folders[i].name, (double)t->folders[i].bytes / 1e6);
    return text;
}

START_TEST(tracked_files_are_small) {
    tree t;
    if (!read_tree(&t)) SKIP("tools", "no git, or no checkout");
    printf("%d tracked files, %.1f MB\n", t.files, (double)t.bytes / 1e6);
    const char *wrong = complaint(&t, LIMIT);
    ck_assert_msg(!wrong, "%s", wrong);
}
END_TEST

START_TEST(complaint_names_what_is_large) {
    tree t;
    if (!read_tree(&t)) SKIP("tools", "no git, or no checkout");
    const char *wrong = complaint(&t, 1000000);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strstr(wrong, "examples/models/mini-sst2/model.safetensors 10.9,") != NULL, "%s", wrong);
    ck_assert_msg(strstr(wrong, "in folders tests/models ") != NULL, "%s", wrong);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");
    tcase_add_test(t, tracked_files_are_small);
    tcase_add_test(t, complaint_names_what_is_large);
    suite_add_tcase(s, t);
    return suite_status(s);
}
