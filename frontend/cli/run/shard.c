#include "frontend/cli/run/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/launch.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"
#include "runtime/abi_checksum.h"
#include "runtime/json_text.h"

#define BLOCK_BYTES (1 << 20)
#define SHARDS_MAX  99999

// --- Which one

void shard_options_add(option_table *t, run_options *o) {
    t->group = "many machines";
    options_add(
        t, (option_row){"shard", 0, OPTION_TEXT, "I/N",
                        "answer part I (from 0) of N of --input alone, to a part of --output with a manifest "
                        "beside it (default: as mpirun, srun, a Slurm array or a Kubernetes job says)",
                        &o->shard});
    options_add(t,
                (option_row){"shards", 0, OPTION_INT, "N",
                             "how many there are, where the environment gives the index alone (Kubernetes)",
                             &o->shards, 1});
    options_add(t, (option_row){"merge", 0, OPTION_FLAG, NULL,
                                "check the parts of --output (or those of the manifests given) and join them",
                                &o->merge});
}

// Of a Slurm array, in which each task may itself be many processes.
static shard_place place_of_array(void) {
    int64_t id = launch_number("SLURM_ARRAY_TASK_ID"), count = launch_number("SLURM_ARRAY_TASK_COUNT"),
            least = launch_number("SLURM_ARRAY_TASK_MIN"), step = launch_number("SLURM_ARRAY_TASK_STEP");
    if (id < 0 || count < 1) return (shard_place){0, 1, NULL};
    return (shard_place){(id - (least < 0 ? 0 : least)) / (step < 1 ? 1 : step), count,
                         "SLURM_ARRAY_TASK_COUNT"};
}

static shard_place place_of_environment(int64_t shards) {
    launch l = launch_mpi();
    if (!l.count) l = launch_srun();
    if (!l.count) l = (launch){0, 1, NULL};
    shard_place array = place_of_array();
    int64_t index = launch_number("JOB_COMPLETION_INDEX");
    if (l.count * array.count > 1)
        return (shard_place){array.index * l.count + l.rank, array.count * l.count,
                             l.count > 1 ? l.by : array.by};
    if (index >= 0 && shards) return (shard_place){index, shards, "JOB_COMPLETION_INDEX"};
    return (shard_place){0};
}

static bool parse_place(const char *text, shard_place *out) {
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9') return false;
    out->index = strtoll(text, &end, 10);
    if (*end != '/' || end[1] < '0' || end[1] > '9') return false;
    out->count = strtoll(end + 1, &end, 10);
    return !errno && !*end;
}

int shard_options_check(const option_table *t, run_options *o, const arguments *rest, shard_place *out) {
    *out = (shard_place){0};
    if (o->merge && (o->shard || o->shards || o->input)) return usage_error(t, "--merge goes with -o alone");
    if (o->merge && !o->output) return usage_error(t, "--merge needs -o: what the parts become");
    if (o->merge) return -1;
    if (o->shard && o->shards)
        return usage_error(t, "--shard says how many there are: --shards is one too many");
    if ((o->shard || o->shards) && (!o->input || !o->output))
        return usage_error(t, "--shard goes with --input and --output");
    if (rest->count < 1 || !o->input) return -1;
    if (o->shard) {
        out->by = "--shard";
        if (!parse_place(o->shard, out)) return usage_error(t, "--shard: '%s' is not I/N, as 0/4", o->shard);
    } else {
        *out = place_of_environment(o->shards);
        if (o->shards && !out->count)
            return usage_error(
                t, "--shards: the environment has no index (JOB_COMPLETION_INDEX): give --shard I/%lld",
                (long long)o->shards);
        if (o->shards && out->count != o->shards)
            return usage_error(t, "--shards is %lld, and %s says %lld", (long long)o->shards, out->by,
                               (long long)out->count);
        if (!o->output) *out = (shard_place){0};
    }
    if (out->count && (out->index < 0 || out->index >= out->count))
        return usage_error(t, "%s: shard %lld of %lld: they are counted from 0 to %lld", out->by,
                           (long long)out->index, (long long)out->count, (long long)out->count - 1);
    if (out->count > SHARDS_MAX)
        return usage_error(t, "%s: %lld shards are more than %d", out->by, (long long)out->count, SHARDS_MAX);
    if (out->count == 1) *out = (shard_place){0};
    return -1;
}

// --- Its name

char *shard_path(const char *output, int64_t index, int64_t count, const char *ending) {
    static const char *const endings[] = {".sparse.npz", ".npz", ".npy", ".jsonl", ".ndjson",
                                          ".json",       ".csv", ".tsv", ".txt"};
    const char *own = "";
    for (size_t i = 0; i < sizeof endings / sizeof *endings && !*own; i++)
        if (hub_ends_with(output, endings[i])) own = endings[i];
    size_t stem = strlen(output) - strlen(own), room = strlen(output) + 80;
    char *path = memory_must(memory_alloc(room, 1));
    snprintf(path, room, "%.*s.%05" PRId64 "-of-%05" PRId64 "%s", (int)stem, output, index, count,
             ending ? ending : own);
    return path;
}

// --- Its lines

// Looks for the ends of lines in the next bytes.
static void take_block(shard *s, const char *block, int64_t n, int64_t at) {
    int64_t from = s->whole.bytes * s->index / s->whole.count,
            end = s->whole.bytes * (s->index + 1) / s->whole.count;
    for (const char *p = block, *feed; (feed = memchr(p, '\n', (size_t)(block + n - p))); p = feed + 1) {
        int64_t next = at + (feed + 1 - block);
        s->whole.lines++;
        if (s->begins < 0 && next >= from) s->begins = next, s->first = s->whole.lines;
        if (s->ends < 0 && next >= end) s->ends = next, s->lines = s->whole.lines;
    }
}

// The shard's lines are those that begin in its part of the bytes.
static bool find_lines(shard *s, int fd, const char *path, diag *d) {
    char *block = memory_must(memory_alloc(BLOCK_BYTES, 1));
    bertc_checksum sum = bertc_checksum_begin();
    int64_t at = 0;
    ssize_t n;
    char last = '\n';
    s->begins = s->index ? -1 : 0;
    s->ends = -1;
    while ((n = read(fd, block, BLOCK_BYTES)) > 0) {
        bertc_checksum_add(&sum, block, (size_t)n);
        take_block(s, block, n, at);
        at += n;
        last = block[n - 1];
    }
    free(block);
    if (n < 0) return diag_error(d, path, "can't be read: %s", strerror(errno));
    if (at != s->whole.bytes) return diag_error(d, path, "changes while it is read");
    s->whole.lines += last != '\n';
    if (s->begins < 0) s->begins = at, s->first = s->whole.lines;
    if (s->ends < 0 || s->index + 1 == s->whole.count) s->ends = at, s->lines = s->whole.lines;
    s->lines -= s->first;
    s->whole.hash = bertc_checksum_end(&sum);
    return true;
}

static bool read_input(shard *s, const char *path, diag *d) {
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (!strcmp(path, "-"))
        return diag_error(d, "--input -", "shards are parts of a file, not of standard input");
    if (fd < 0) return diag_error(d, path, "can't be read: %s", strerror(errno));
    s->whole.bytes = size;
    bool ok = size >= 0 && lseek(fd, 0, SEEK_SET) == 0
                  ? find_lines(s, fd, path, d)
                  : diag_error(d, path, "is no file that shards can be parts of");
    close(fd);
    return ok;
}

// --- What it is a part of

// Options that change no answer.
static bool is_free(const char *name) {
    static const char *const names[] = {"input", "output", "resume", "threads", "huge-pages",
                                        "shard", "shards", "merge",  "report",  "json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

static const char *value_of(const option_row *r, arena *a) {
    const char *text = "";
    char number[JSON_NUMBER_ROOM];
    switch (r->kind) {
    case OPTION_FLAG: return *(const bool *)r->out ? "yes" : NULL;
    case OPTION_TEXT:
    case OPTION_OPTIONAL: return *(const char *const *)r->out;
    case OPTION_INT: return arena_printf(a, "%" PRId64, *(const int64_t *)r->out);
    case OPTION_NUMBER: json_print_double(*(const double *)r->out, number); return arena_strdup(a, number);
    case OPTION_INTS: {
        const int_list *l = r->out;
        for (int i = 0; i < l->count; i++)
            text = arena_printf(a, "%s%s%" PRId64, text, i ? "," : "", l->v[i]);
        return l->count ? text : NULL;
    }
    case OPTION_TEXTS: {
        const text_list *l = r->out;
        for (int i = 0; i < l->count; i++) text = arena_printf(a, "%s%s%s", text, i ? "," : "", l->v[i]);
        return l->count ? text : NULL;
    }
    }
    return NULL;
}

static cJSON *options_of(const option_table *t) {
    arena *a = arena_new();
    cJSON *o = cJSON_CreateObject();
    for (int i = 0; i < t->count; i++) {
        const char *text = is_free(t->rows[i].name) ? NULL : value_of(&t->rows[i], a);
        if (text) cJSON_AddStringToObject(o, arena_printf(a, "--%s", t->rows[i].name), text);
    }
    arena_free(a);
    return o;
}

// Of what the artefact says of itself, but for the machines that it is for.
static uint64_t model_print(const bertc_model *model) {
    const char *text = bertc_model_json(model);
    cJSON *o = cJSON_Parse(text ? text : "{}");
    cJSON_DeleteItemFromObjectCaseSensitive(o, "variants");
    cJSON_DeleteItemFromObjectCaseSensitive(o, "kernels");
    char *rest = json_line(o);
    uint64_t hash = bertc_checksum_of(rest, strlen(rest));
    free(rest);
    cJSON_Delete(o);
    return hash;
}

bool shard_open(shard *s, const run_options *o, const option_table *t, const shard_place *where,
                const bertc_model *model, diag *d) {
    *s = (shard){.whole = {.count = where->count}, .index = where->index};
    if (!read_input(s, o->input, d)) return false;
    s->whole.options = options_of(t);
    s->whole.model = model_print(model);
    s->part = shard_path(o->output, where->index, where->count, NULL);
    s->manifest = shard_path(o->output, where->index, where->count, ".manifest.json");
    const char *slash = strrchr(s->part, '/');
    s->name = memory_must(memory_strdup(slash ? slash + 1 : s->part));
    diag_note(d, where->by,
              "this is shard %" PRId64 " of %" PRId64 " (%" PRId64 " of %" PRId64 " lines, from line %" PRId64
              " on), to %s",
              s->index, s->whole.count, s->lines, s->whole.lines, s->first + 1, s->part);
    return true;
}

void shard_close(shard *s) {
    cJSON_Delete(s->whole.options);
    free(s->part);
    free(s->manifest);
    free(s->name);
    *s = (shard){0};
}

const char *whole_difference(const shard_whole *a, const shard_whole *b) {
    if (a->hash != b->hash || a->bytes != b->bytes || a->lines != b->lines) return "another input";
    if (a->count != b->count) return "another number of shards";
    if (a->model != b->model) return "another model";
    return cJSON_Compare(a->options, b->options, true) ? NULL : "other options";
}

bool shard_done(const shard *s) {
    diag quiet;
    manifest m;
    diag_init(&quiet);
    bool done = manifest_read(&m, s->manifest, &quiet) && !whole_difference(&m.whole, &s->whole) &&
                m.index == s->index && m.first == s->first && m.lines == s->lines &&
                manifest_holds(&m, &quiet);
    manifest_close(&m);
    diag_free(&quiet);
    return done;
}
