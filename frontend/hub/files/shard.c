#include "frontend/hub/files/shard.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/files/text.h"

bool shard_name(const char *path, int *number, int *count) {
    const char *slash = strrchr(path, '/'), *of = strstr(slash ? slash : path, "-of-");
    char end[16];
    if (!of || of - path < 6 || of[-6] != '-') return false;
    return sscanf(of - 5, "%5d-of-%5d%15s", number, count, end) == 3 && *count > 1 &&
           (!strcmp(end, ".safetensors") || !strcmp(end, ".bin"));
}

static const char *index_of(const char *path) {
    return hub_ends_with(path, ".bin") ? "pytorch_model.bin.index.json" : "model.safetensors.index.json";
}

bool shard_alone(const char *path, arena *a, diag *d) {
    int number = 0, count = 0;
    shard_name(path, &number, &count);
    const char *folder = hub_path_folder(a, path);
    if (hub_is_file(hub_path(a, folder, index_of(path))))
        return diag_error(d, path, "is part %d of %d of a checkpoint: give the folder %s instead", number,
                          count, folder);
    return diag_error(d, path, "is part %d of %d of a checkpoint, and the index %s beside it is missing",
                      number, count, index_of(path));
}

bool shard_none_in(const char *folder, arena *a, diag *d) {
    DIR *dir = opendir(folder);
    const char *first = NULL;
    int number, count;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (shard_name(e->d_name, &number, &count) && (!first || strcmp(e->d_name, first) < 0))
            first = arena_strdup(a, e->d_name);
    if (dir) closedir(dir);
    if (!first) return true;
    shard_name(first, &number, &count);
    return diag_error(
        d, folder,
        "holds %s, part %d of %d of a checkpoint, and the index %s is missing: get it too, and all "
        "parts that it names",
        first, number, count, index_of(first));
}
