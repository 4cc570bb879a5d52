// Queries and the documents that they should find. All documents of the file are one corpus, each text once, positive or negative;
// each query ranks them all by the likeness of embeddings, as sentence-transformers' InformationRetrievalEvaluator does.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/evaluate/evaluate.h"
#include "frontend/cli/evaluate/text_set.h"
#include "frontend/cli/run/crew.h"
#include "ir/memory.h"

typedef struct query {
    const char *group; // of the line that it came with first
    int count, room;
    int *positives; // documents, each once
} query;

typedef struct retrieval {
    evaluation *v;
    text_set texts, documents;
    query *queries; // one for each text
    int room;
    float *query_rows, *document_rows; // [count, width]
} retrieval;

// --- The file

static void add_positive(retrieval *r, query *q, int document) {
    for (int i = 0; i < q->count; i++)
        if (q->positives[i] == document) return;
    if (q->count == q->room) {
        int room = 2 * q->room + 4;
        int *grown = ARENA_ARRAY(r->v->arena, int, room);
        if (q->count) memcpy(grown, q->positives, (size_t)q->count * sizeof *grown);
        q->positives = grown;
        q->room = room;
    }
    q->positives[q->count++] = document;
}

static void add_example(retrieval *r, const data_example *e) {
    int at = text_set_add(&r->texts, e->text.text, e->text.size, e->line);
    if (at >= r->room) {
        int room = 2 * r->room + 256;
        query *grown = ARENA_ARRAY(r->v->arena, query, room);
        if (r->room) memcpy(grown, r->queries, (size_t)r->room * sizeof *grown);
        r->queries = grown;
        r->room = room;
    }
    query *q = &r->queries[at];
    if (!q->count) q->group = e->group ? arena_strdup(r->v->arena, e->group) : NULL;
    for (int i = 0; i < e->positive_count; i++)
        add_positive(r, q, text_set_add(&r->documents, e->positives[i].text, e->positives[i].size, e->line));
    for (int i = 0; i < e->negative_count; i++)
        text_set_add(&r->documents, e->negatives[i].text, e->negatives[i].size, e->line);
}

static void read_all(retrieval *r, const data_example *first, diag *d) {
    data_example e = *first;
    bool more = true;
    arena *a = arena_new();
    for (int64_t n = 1; more; n++) {
        const char *why = e.error            ? e.error
                          : e.positive_count ? NULL
                                             : "has a score, which the lines before it have not";
        if (why)
            data_report(r->v->source, &e, why, d);
        else
            add_example(r, &e);
        if (n % 1024 == 0) arena_free(a), a = arena_new();
        more = data_next(r->v->source, &e, a, d);
    }
    arena_free(a);
}

// --- Embeddings

typedef struct embedding_run {
    chunk work;
    crew *workers;
    bertc_text_options options;
    float *rows; // of the chunk's first row
    int width;
} embedding_run;

static bool take(void *user, row *r, const bertc_result *result, const char **why) {
    const embedding_run *run = user;
    if (result->embedding_size != run->width) return *why = "has an embedding of another width", false;
    memcpy(run->rows + (r - run->work.rows) * run->width, result->embedding,
           (size_t)run->width * sizeof(float));
    return true;
}

// Fills the chunk with the texts from `at` on; where the next one begins.
static int fill(embedding_run *run, const text_set *texts, int at) {
    int64_t most = crew_rows(run->workers);
    chunk *work = &run->work;
    chunk_clear(work);
    for (size_t bytes = 0; at < texts->count && work->count < most && bytes < CHUNK_BYTES; at++) {
        work->rows[work->count++] =
            (row){.line = texts->lines[at], .text = {.text = texts->v[at].text, .size = texts->v[at].size}};
        bytes += texts->v[at].size;
    }
    chunk_order(work);
    return at;
}

static bool embed_chunks(retrieval *r, embedding_run *run, const text_set *texts, float *rows, diag *d) {
    for (int at = 0, next; at < texts->count; at = next) {
        next = fill(run, texts, at);
        run->rows = rows + (size_t)at * (size_t)run->width;
        crew_start(run->workers, &run->work);
        crew_wait(run->workers);
        for (int i = 0; i < run->work.count; i++) {
            const data_example e = {.line = run->work.rows[i].line};
            if (run->work.rows[i].error)
                return data_report(r->v->source, &e, run->work.rows[i].error, d), false;
        }
    }
    return true;
}

// NULL: it failed. The caller frees them.
static float *embed(retrieval *r, const text_set *texts, bertc_role role, diag *d) {
    evaluation *v = r->v;
    embedding_run run = {.options = evaluate_text_options(v), .width = v->info.embedding_size};
    run.options.role = role;
    float *rows = memory_alloc((size_t)texts->count, (size_t)run.width * sizeof *rows);
    bool ok = (rows && chunk_open(&run.work)) ||
              diag_error(d, NULL, "out of memory for %d embeddings", texts->count);
    if (ok) run.workers = crew_open(v->model, evaluate_threads(v->options), &run.options, take, &run, d);
    ok = run.workers && embed_chunks(r, &run, texts, rows, d);
    crew_close(run.workers);
    chunk_close(&run.work);
    if (ok) return rows;
    free(rows);
    return NULL;
}

// --- Ranks

static void normalise(float *rows, int count, int width) {
    for (int i = 0; i < count; i++) {
        float *x = rows + (size_t)i * (size_t)width;
        double squares = 0;
        for (int k = 0; k < width; k++) squares += (double)x[k] * (double)x[k];
        double scale = squares > 0 ? 1 / sqrt(squares) : 0;
        for (int k = 0; k < width; k++) x[k] = (float)((double)x[k] * scale);
    }
}

static double likeness(bertc_similarity how, const float *x, const float *y, int width) {
    double dot = 0, squares = 0, sum = 0;
    if (how == BERTC_SIMILARITY_EUCLIDEAN || how == BERTC_SIMILARITY_MANHATTAN) {
        for (int k = 0; k < width; k++) {
            double apart = (double)x[k] - (double)y[k];
            squares += apart * apart;
            sum += fabs(apart);
        }
        return how == BERTC_SIMILARITY_MANHATTAN ? -sum : -sqrt(squares);
    }
    for (int k = 0; k < width; k++) dot += (double)x[k] * (double)y[k];
    return dot;
}

static int by_rank(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// A document's rank: those that are more like the query stand before it, and of equal ones those that came first.
static void rank_query(const retrieval *r, int at, double *scores, int64_t *ranks) {
    const query *q = &r->queries[at];
    int width = r->v->info.embedding_size, n = r->documents.count;
    const float *x = r->query_rows + (size_t)at * (size_t)width;
    for (int k = 0; k < n; k++)
        scores[k] = likeness((bertc_similarity)r->v->info.similarity, x,
                             r->document_rows + (size_t)k * (size_t)width, width);
    for (int i = 0; i < q->count; i++) {
        int own = q->positives[i];
        ranks[i] = 1;
        for (int k = 0; k < n; k++)
            ranks[i] += scores[k] > scores[own] || (scores[k] == scores[own] && k < own);
    }
    qsort(ranks, (size_t)q->count, sizeof *ranks, by_rank);
}

static bool count_query(retrieval *r, int at, const int64_t *ranks, diag *d) {
    evaluation *v = r->v;
    const query *q = &r->queries[at];
    rank_metrics_add(&v->tallies.all.ranks, ranks, q->count);
    v->tallies.all.count++;
    if (!v->options->group_by) return true;
    if (!q->group) return v->tallies.ungrouped++, true;
    tally *group = tallies_group(&v->tallies, q->group);
    if (!group)
        return diag_error(d, data_name(v->source), "has more than %d groups by %s", GROUPS_MAX,
                          v->options->group_by);
    rank_metrics_add(&group->ranks, ranks, q->count);
    group->count++;
    return true;
}

static bool rank_all(retrieval *r, diag *d) {
    double *scores = memory_alloc((size_t)r->documents.count, sizeof *scores);
    int64_t *ranks = memory_alloc((size_t)r->documents.count, sizeof *ranks);
    bool ok = (scores && ranks) || diag_error(d, NULL, "out of memory for %d documents", r->documents.count);
    if (ok && r->v->info.similarity == BERTC_SIMILARITY_COSINE) {
        normalise(r->query_rows, r->texts.count, r->v->info.embedding_size);
        normalise(r->document_rows, r->documents.count, r->v->info.embedding_size);
    }
    for (int i = 0; ok && i < r->texts.count; i++) {
        rank_query(r, i, scores, ranks);
        ok = count_query(r, i, ranks, d);
    }
    free(scores);
    free(ranks);
    return ok;
}

bool evaluate_ranked(evaluation *v, const data_example *first, diag *d) {
    retrieval r = {.v = v, .texts = {.arena = v->arena}, .documents = {.arena = v->arena}};
    read_all(&r, first, d);
    r.query_rows = embed(&r, &r.texts, BERTC_ROLE_QUERY, d);
    if (r.query_rows) r.document_rows = embed(&r, &r.documents, BERTC_ROLE_DOCUMENT, d);
    bool ok = r.query_rows && r.document_rows && rank_all(&r, d);
    free(r.query_rows);
    free(r.document_rows);
    return ok;
}
