// Runs a fuzz target over files and folders of files: what libFuzzer's driver does with a corpus, without
// libFuzzer.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// 1 where the file was run, 0 where it can't be read.
static int replay(const char *path) {
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t size = 0, got;
    if (!in) return 0;
    do {
        bytes = realloc(bytes, size + 65536);
        if (!bytes) abort();
        got = fread(bytes + size, 1, 65536, in);
        size += got;
    } while (got == 65536);
    fclose(in);
    uint8_t *exact = malloc(size + !size); // so that a read beyond the end is seen
    if (!exact) abort();
    if (size) memcpy(exact, bytes, size);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (!folder) count += replay(argv[i]);
        for (struct dirent *e; folder && (e = readdir(folder));) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.') count += replay(path);
        }
        if (folder) closedir(folder);
    }
    printf("%d inputs\n", count);
    return count == 0;
}
