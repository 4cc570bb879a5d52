// A file's lines in shards, each answered by a process of its own, on any machine. A shard writes its part of the answers, and beside it
// a manifest that says what it is a part of; `bertc run --merge` checks the manifests and joins the parts.
#ifndef BERTC_CLI_SHARD_H
#define BERTC_CLI_SHARD_H

#include "frontend/cli/run/run.h"

// What parts of one run have in common.
typedef struct shard_whole {
    int64_t count; // shards
    int64_t bytes, lines;
    uint64_t hash;  // of the input
    uint64_t model; // what it is made of
    cJSON *options; // that change answers; owned
} shard_whole;

typedef struct shard {
    shard_whole whole;
    int64_t index;                // from 0
    int64_t first, lines;         // lines before it, and of it
    int64_t begins, ends;         // bytes of the input
    char *part, *manifest, *name; // paths; name: the part's without its folder. Owned
} shard;

// One of how many this process is, by --shard or by what started it; *count 0: the file is answered whole. *by: what says so. -1, or the
// exit status of a usage error.
typedef struct shard_place {
    int64_t index, count;
    const char *by;
} shard_place;
void shard_options_add(option_table *t, run_options *o);
int shard_options_check(const option_table *t, run_options *o, const arguments *rest, shard_place *out);

// Reads the input once: its hash, and where the shard's lines are. shard_close in both cases.
bool shard_open(shard *s, const run_options *o, const option_table *t, const shard_place *where,
                const bertc_model *model, diag *d);
void shard_close(shard *s);
// "answers.00002-of-00008.jsonl" of "answers.jsonl", or with another ending. The caller's.
char *shard_path(const char *output, int64_t index, int64_t count, const char *ending);
// What differs: "another input"; NULL: nothing does.
const char *whole_difference(const shard_whole *a, const shard_whole *b);
// Is its part there, whole, as its manifest says?
bool shard_done(const shard *s);

// --- manifest.c

typedef struct manifest {
    char *path; // of the manifest; owned
    char *part; // of the part; owned
    shard_whole whole;
    int64_t index, first, lines, failed;
    int64_t part_bytes;
    uint64_t part_hash;
} manifest;

// Beside a part that is whole. `failed`: its lines that have no answer.
bool manifest_write(const shard *s, int64_t failed, diag *d);
// manifest_close in both cases.
bool manifest_read(manifest *m, const char *path, diag *d);
void manifest_close(manifest *m);
// Does the part have the manifest's hash?
bool manifest_holds(const manifest *m, diag *d);

// --- merge.c

// Joins parts to o->output: those of the manifests named, or else those beside it.
bool run_merge(const run_options *o, const arguments *manifests, diag *d);

// --- join.c

// The parts' bytes, arrays or rows, one behind the other. They are checked already. `said`: the form that --format asks for.
bool join_parts(const char *output, answer_format said, const manifest *parts, int count, diag *d);

#endif
