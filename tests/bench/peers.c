#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

// Whether `python -c "import a, b"` works.
static bool imports(const char *python, const char *modules) {
    char program[128];
    snprintf(program, sizeof(program), "import %s", modules);
    const char *argv[] = {python, "-c", program, NULL};
    diag unheard;
    diag_init(&unheard);
    bool ok = run_command(argv, "/dev/null", NULL, &unheard);
    diag_free(&unheard);
    return ok;
}

// The one asked for, or the first of the usual ones that can write graphs.
static const char *find_python(const bench_options *o, const char *modules) {
    const char *usual[] = {o->python ? o->python : "python3", o->python ? NULL : "/usr/bin/python3"};
    for (int i = 0; i < 2 && usual[i]; i++) {
        if (imports(usual[i], modules)) return usual[i];
    }
    return NULL;
}

// libonnxruntime.so: the file itself, or under a folder, as the npm package onnxruntime-node lays it.
static bool find_library(bench_options *o) {
    static const char *const patterns[] = {"", "/libonnxruntime.so*",
                                           "/onnxruntime-node/bin/napi-v*/linux/x64/libonnxruntime.so*"};
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        char pattern[PATH_BYTES];
        if (snprintf(pattern, sizeof(pattern), "%s%s", o->ort, patterns[i]) >= (int)sizeof(pattern))
            return false;
        glob_t found = {0};
        bool ok = glob(pattern, 0, NULL, &found) == 0 && strstr(found.gl_pathv[0], ".so");
        if (ok) snprintf(o->ort_library, sizeof(o->ort_library), "%s", found.gl_pathv[0]);
        globfree(&found);
        if (ok) return true;
    }
    return false;
}

static bool find_ort(bench_options *o) {
    o->ort_library[0] = 0;
    const char *python = find_python(o, "onnx, numpy");
    if (!python) return false;
    o->python_onnx = python;
    if (strcmp(o->ort, "python") && find_library(o)) return true;
    return imports(python, "onnxruntime");
}

static bool names(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (!strncmp(at, word, n) && (at[n] == ',' || !at[n])) return true;
    }
    return false;
}

bool peers_find(bench_options *o, diag *d) {
    static const struct {
        const char *word, *needs;
        unsigned bit;
    } peers[] = {{"ort", "libonnxruntime.so (--ort) or onnxruntime for Python, and onnx and numpy for Python",
                  PEER_ORT},
                 {"eager", "torch 2 or newer for Python", PEER_EAGER},
                 {"inductor", "torch 2 or newer for Python", PEER_INDUCTOR}};
    bool all = !o->peers;
    const char *torch = NULL;
    if (!all && !strcmp(o->peers, "none")) return true;
    if (all || names(o->peers, "eager") || names(o->peers, "inductor"))
        torch = find_python(o, "torch._inductor, numpy");
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        if (!all && !names(o->peers, peers[i].word)) continue;
        bool found = peers[i].bit == PEER_ORT ? find_ort(o) : torch != NULL;
        if (found && peers[i].bit != PEER_ORT) o->python_torch = torch;
        if (found) o->found |= peers[i].bit;
        if (!found && !all) diag_error(d, peers[i].word, "is not here: needs %s", peers[i].needs);
        if (!found && all) diag_note(d, peers[i].word, "is not here: needs %s", peers[i].needs);
    }
    return !diag_failed(d);
}
