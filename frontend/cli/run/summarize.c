// `bertc run ST --summarize N FILE`: the N sentences of a text that say most of it, in the text's order. Each sentence is
// embedded; a sentence is central as far as it is like all of them, and one that is like a sentence which is taken already
// says little that is new (maximal marginal relevance).
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/nul.h"
#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/run.h"
#include "frontend/cli/run/sentences.h"
#include "ir/memory.h"

#define MOST_BYTES ((size_t)1 << 30)
#define NOVELTY    0.3

void summarize_options_add(option_table *t, run_options *o) {
    options_add(
        t, (option_row){"summarize", 0, OPTION_INT, "N",
                        "the N sentences of the file given as TEXT (-: standard input) that say most of it, "
                        "by a model of embeddings",
                        &o->summarize, 1});
    options_add(t,
                (option_row){"novelty", 0, OPTION_TEXT, "X",
                             "of --summarize: from 0 to 1, what counts that a sentence is unlike those taken "
                             "(default 0.3)",
                             &o->novelty});
}

// False: it is no such number.
static bool novelty_of(const run_options *o, double *out) {
    *out = NOVELTY;
    if (!o->novelty) return true;
    char *end;
    *out = strtod(o->novelty, &end);
    return end != o->novelty && !*end && *out >= 0 && *out <= 1;
}

int summarize_options_check(const option_table *t, const run_options *o, int texts) {
    double novelty;
    if (o->novelty && !o->summarize) return usage_error(t, "--novelty goes with --summarize");
    if (!o->summarize) return -1;
    if (texts != 1) return usage_error(t, "--summarize N takes one file");
    if (o->pair) return usage_error(t, "--summarize takes no --pair");
    if (!novelty_of(o, &novelty))
        return usage_error(t, "--novelty: '%s' is no number from 0 to 1", o->novelty);
    return -1;
}

typedef struct summary {
    char *text;
    size_t size;
    sentence *sentences;
    size_t count, width;
    float *rows;     // [count,width], each of length 1, or zeros
    double *central; // [count]
    double *nearest; // [count]: the largest likeness to a sentence that is taken
    bool *taken;
} summary;

// --- The text

static bool read_all(const char *path, summary *s, diag *d) {
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    const char *name = f == stdin ? "standard input" : path;
    size_t room = 0;
    if (!f) return diag_error(d, path, "can't be opened: %s", strerror(errno));
    for (size_t n = 1; n;) {
        if (s->size == room) {
            room = room ? 2 * room : 64 << 10;
            bool fits = room <= MOST_BYTES;
            char *grown = fits ? memory_grow(s->text, room, 1) : NULL;
            if (!grown) {
                if (f != stdin) fclose(f);
                return fits ? diag_error(d, name, "out of memory")
                            : diag_error(d, name, "is too long for a summary: it may have %zu MB",
                                         MOST_BYTES >> 20);
            }
            s->text = grown;
        }
        n = fread(s->text + s->size, 1, room - s->size, f);
        s->size += n;
    }
    int error = errno;
    bool failed = ferror(f);
    if (f != stdin) fclose(f);
    return !failed || diag_error(d, name, "can't be read: %s", strerror(error));
}

// --- Embeddings

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static bool take_row(void *user, row *r, const bertc_result *result, const char **why) {
    summary *s = user;
    (void)why;
    float *out = s->rows + (size_t)r->line * s->width;
    double length = sqrt(dot(result->embedding, result->embedding, s->width));
    for (size_t i = 0; i < s->width; i++)
        out[i] = length > 0 ? (float)((double)result->embedding[i] / length) : 0;
    return true;
}

// Rows of a chunk: sentences from `from` on, which point into the text.
static size_t fill(chunk *c, const summary *s, size_t from) {
    size_t n = s->count - from < CHUNK_ROWS ? s->count - from : CHUNK_ROWS;
    for (size_t i = 0; i < n; i++) {
        const sentence *x = &s->sentences[from + i];
        c->rows[i] = (row){.line = (int64_t)(from + i),
                           .text = {.text = s->text + x->start, .size = x->end - x->start}};
        c->order[i] = (int)i;
    }
    c->count = c->good = (int)n;
    return n;
}

static bool check_rows(const chunk *c, const summary *s, diag *d) {
    for (int i = 0; i < c->count; i++)
        if (c->rows[i].error)
            return diag_error(d, NULL, "the sentence at character %" PRId64 ": %s",
                              s->sentences[c->rows[i].line].char_start, c->rows[i].error);
    return true;
}

static bool embed(const run_options *o, bertc_model *model, summary *s, diag *d) {
    bertc_text_options options = run_text_options(o);
    chunk c = {0};
    if (!o->long_texts) options.truncation = BERTC_TRUNCATE_LONGEST_FIRST;
    crew *workers =
        crew_open(model, o->threads ? (int)o->threads : bertc_cpu_count(), &options, take_row, s, d);
    bool ok = workers && (chunk_open(&c) || diag_error(d, NULL, "out of memory"));
    for (size_t at = 0; ok && at < s->count;) {
        at += fill(&c, s, at);
        crew_start(workers, &c);
        crew_wait(workers);
        ok = check_rows(&c, s, d);
    }
    chunk_close(&c);
    crew_close(workers);
    return ok;
}

// --- Which sentences

// The mean of the cosines to all sentences: the product with the mean of all rows.
static bool find_central(summary *s, diag *d) {
    float *mean = memory_zero(s->width, sizeof *mean);
    double *sum = memory_zero(s->width, sizeof *sum);
    bool ok = mean && sum;
    for (size_t i = 0; ok && i < s->count; i++)
        for (size_t k = 0; k < s->width; k++) sum[k] += (double)s->rows[i * s->width + k];
    for (size_t k = 0; ok && k < s->width; k++) mean[k] = (float)(sum[k] / (double)s->count);
    for (size_t i = 0; ok && i < s->count; i++) s->central[i] = dot(s->rows + i * s->width, mean, s->width);
    free(mean);
    free(sum);
    return ok || diag_error(d, NULL, "out of memory");
}

static void choose(summary *s, size_t n, double novelty) {
    for (size_t taken = 0; taken < n && taken < s->count; taken++) {
        size_t best = s->count;
        double most = 0;
        for (size_t i = 0; i < s->count; i++) {
            double worth = (1 - novelty) * s->central[i] - novelty * s->nearest[i];
            if (s->taken[i] || (best < s->count && worth <= most)) continue;
            best = i;
            most = worth;
        }
        s->taken[best] = true;
        for (size_t i = 0; i < s->count; i++) {
            double like = dot(s->rows + i * s->width, s->rows + best * s->width, s->width);
            if (!taken || like > s->nearest[i]) s->nearest[i] = like;
        }
    }
}

// --- The command

static void print_summary(const summary *s) {
    for (size_t i = 0; i < s->count; i++) {
        const sentence *x = &s->sentences[i];
        if (!s->taken[i]) continue;
        for (size_t k = x->start; k < x->end; k++)
            putchar(strchr("\r\n\v\f", s->text[k]) && s->text[k] ? ' ' : s->text[k]);
        putchar('\n');
    }
}

// False: no memory. `list` then lacks it.
static bool add_sentence(cJSON *list, const summary *s, size_t i) {
    const sentence *x = &s->sentences[i];
    cJSON *one = cJSON_CreateObject(), *text = nul_string(s->text + x->start, x->end - x->start);
    bool named = one && text && cJSON_AddItemToObject(one, "text", text);
    if (!named) cJSON_Delete(text);
    if (named && cJSON_AddNumberToObject(one, "start", (double)x->char_start) &&
        cJSON_AddNumberToObject(one, "end", (double)x->char_end) &&
        cJSON_AddNumberToObject(one, "score", s->central[i]) && cJSON_AddItemToArray(list, one))
        return true;
    cJSON_Delete(one);
    return false;
}

static bool print_summary_json(const summary *s, diag *d) {
    cJSON *o = cJSON_CreateObject(), *list = o ? cJSON_AddArrayToObject(o, "sentences") : NULL;
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < s->count; i++)
        if (s->taken[i]) ok = add_sentence(list, s, i);
    char *text = ok ? cJSON_PrintUnformatted(o) : NULL;
    ok = text != NULL;
    if (ok) puts(text);
    cJSON_free(text);
    cJSON_Delete(o);
    return ok || diag_error(d, NULL, "out of memory for the summary");
}

static bool summarize(const run_options *o, bertc_model *model, summary *s, diag *d) {
    double novelty;
    novelty_of(o, &novelty);
    s->rows = memory_alloc(s->count, s->width * sizeof *s->rows);
    s->central = memory_zero(s->count, sizeof *s->central);
    s->nearest = memory_zero(s->count, sizeof *s->nearest);
    s->taken = memory_zero(s->count, sizeof *s->taken);
    if (!s->rows || !s->central || !s->nearest || !s->taken)
        return diag_error(d, NULL, "out of memory for %zu sentences", s->count);
    if (!embed(o, model, s, d) || !find_central(s, d)) return false;
    choose(s, (size_t)o->summarize, novelty);
    return true;
}

bool run_summarize(const run_options *o, bertc_model *model, const char *path, diag *d) {
    summary s = {.width = (size_t)embedding_width(o, model)};
    bool ok =
        s.width ||
        diag_error(d, NULL, "--summarize compares embeddings, and the model gives none (--head embedding)");
    ok = ok && read_all(path, &s, d);
    if (ok && !sentences_find(s.text, s.size, &s.sentences, &s.count))
        ok = diag_error(d, NULL, "out of memory");
    if (ok && s.count) ok = summarize(o, model, &s, d);
    if (ok && o->json)
        ok = print_summary_json(&s, d);
    else if (ok)
        print_summary(&s);
    free(s.text);
    free(s.sentences);
    free(s.rows);
    free(s.central);
    free(s.nearest);
    free(s.taken);
    return flush_stdout(d) && ok;
}
