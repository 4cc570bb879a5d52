#include "frontend/cli/train/intact.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/file_hash.h"
#include "frontend/cli/train/checkpoint.h"
#include "frontend/hub/files/file.h"
#include "ir/memory.h"

#define DEPTH_MOST 4 // of folders: sentence-transformers' modules have one of their own

static int is_visible(const struct dirent *e) {
    return e->d_name[0] != '.' && strcmp(e->d_name, "README.md");
}

static bool hash_text(const char *path, char text[32], diag *d) {
    uint64_t hash;
    int64_t bytes;
    if (!file_hash(path, &hash, &bytes, d)) return false;
    snprintf(text, 32, "xxh64:%016" PRIx64, hash);
    return true;
}

static bool add_folder(cJSON *files, const char *folder, const char *prefix, int depth, diag *d);

static bool add_one(cJSON *files, const char *folder, const char *prefix, const char *name, int depth,
                    diag *d) {
    checkpoint_path path = checkpoint_file(folder, name);
    char hash[32];
    arena *a = arena_new();
    const char *key = arena_printf(a, "%s%s", prefix, name);
    bool ok = true;
    if (hub_is_folder(path.text))
        ok = !depth || add_folder(files, path.text, arena_printf(a, "%s/", key), depth - 1, d);
    else if ((ok = hash_text(path.text, hash, d)))
        cJSON_AddStringToObject(files, key, hash);
    arena_free(a);
    return ok;
}

static bool add_folder(cJSON *files, const char *folder, const char *prefix, int depth, diag *d) {
    struct dirent **entries;
    int n = scandir(folder, &entries, is_visible, alphasort);
    if (n < 0) return diag_error(d, folder, "can't be read: %s", strerror(errno));
    bool ok = true;
    for (int i = 0; i < n; i++) {
        ok = ok && add_one(files, folder, prefix, entries[i]->d_name, depth, d);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

cJSON *intact_files(const char *folder, diag *d) {
    cJSON *files = cJSON_CreateObject();
    if (add_folder(files, folder, "", DEPTH_MOST, d)) return files;
    cJSON_Delete(files);
    return NULL;
}

bool intact_check(const char *folder, const cJSON *files, diag *d) {
    const cJSON *file;
    cJSON_ArrayForEach(file, files) {
        const char *want = cJSON_GetStringValue(file);
        checkpoint_path path = checkpoint_file(folder, file->string);
        char hash[32];
        if (!want || !hub_name_stays_inside(file->string, false))
            return diag_error(d, path.text, "state.json has no hash for it");
        if (!hub_is_file(path.text)) return diag_error(d, path.text, "is missing, and state.json lists it");
        if (!hash_text(path.text, hash, d)) return false;
        if (strcmp(hash, want))
            return diag_error(d, path.text,
                              "was changed since the checkpoint was written: its hash is %s, and state.json "
                              "has %s",
                              hash, want);
    }
    return true;
}
