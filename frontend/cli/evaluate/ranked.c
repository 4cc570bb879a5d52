// Each query ranks all documents of the file by their likeness to it, as sentence-transformers' InformationRetrievalEvaluator and
// SparseInformationRetrievalEvaluator do.
#include <stdlib.h>

#include "frontend/cli/evaluate/queries.h"
#include "frontend/cli/run/crew.h"
#include "ir/memory.h"

typedef struct retrieval {
    query_set set;
    compared *asked, *documents; // of each query, of each document
} retrieval;

// --- What texts are compared by

typedef struct embedding_run {
    const compared_rule *rule;
    chunk work;
    crew *workers;
    bertc_text_options options;
    compared *first; // of the chunk's first row
} embedding_run;

static bool take(void *user, row *r, const bertc_result *result, const char **why) {
    const embedding_run *run = user;
    (void)why;
    return compared_take(&run->first[r - run->work.rows], run->rule, result);
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

static bool embed_chunks(const evaluation *v, embedding_run *run, const text_set *texts, compared *out,
                         diag *d) {
    for (int at = 0, next; at < texts->count; at = next) {
        run->first = out + at;
        next = fill(run, texts, at);
        crew_start(run->workers, &run->work);
        crew_wait(run->workers);
        for (int i = 0; i < run->work.count; i++) {
            const data_example e = {.line = run->work.rows[i].line};
            if (run->work.rows[i].error) return data_report(v->source, &e, run->work.rows[i].error, d), false;
        }
    }
    return true;
}

// What was taken is in *out even where it fails: `texts->count` of them, or NULL.
static bool embed(evaluation *v, const text_set *texts, bertc_role role, compared **out, diag *d) {
    embedding_run run = {.rule = &v->compare, .options = evaluate_text_options(v)};
    run.options.role = role;
    *out = memory_zero((size_t)texts->count + 1, sizeof **out);
    bool ok =
        (*out && chunk_open(&run.work)) || diag_error(d, NULL, "out of memory for %d texts", texts->count);
    if (ok) run.workers = crew_open(v->model, evaluate_threads(v->options), &run.options, take, &run, d);
    ok = run.workers && embed_chunks(v, &run, texts, *out, d);
    crew_close(run.workers);
    chunk_close(&run.work);
    return ok;
}

static void give_back(compared *v, int count) {
    for (int i = 0; v && i < count; i++) compared_free(&v[i]);
    free(v);
}

// --- Ranks

// A document's rank: those that are more like the query stand before it, and of equal ones those that came first.
static void rank_query(const retrieval *r, int at, double *scores, int64_t *ranks) {
    const document_list *own = &r->set.queries[at].positives;
    int n = r->set.documents.count;
    for (int k = 0; k < n; k++)
        scores[k] = compared_likeness(&r->set.v->compare, &r->asked[at], &r->documents[k]);
    for (int i = 0; i < own->count; i++) {
        int document = own->v[i];
        ranks[i] = 1;
        for (int k = 0; k < n; k++)
            ranks[i] += scores[k] > scores[document] || (scores[k] == scores[document] && k < document);
    }
}

static bool rank_all(retrieval *r, diag *d) {
    size_t n = (size_t)r->set.documents.count;
    double *scores = memory_alloc(n, sizeof *scores);
    int64_t *ranks = memory_alloc(n, sizeof *ranks);
    bool ok = (scores && ranks) || diag_error(d, NULL, "out of memory for %zu documents", n);
    for (int i = 0; ok && i < r->set.texts.count; i++) {
        rank_query(r, i, scores, ranks);
        ok = queries_count(&r->set, i, ranks, d);
    }
    free(scores);
    free(ranks);
    return ok;
}

bool evaluate_ranked(evaluation *v, const data_example *first, diag *d) {
    retrieval r = {0};
    queries_read(&r.set, v, first, d);
    bool ok = embed(v, &r.set.texts, BERTC_ROLE_QUERY, &r.asked, d) &&
              embed(v, &r.set.documents, BERTC_ROLE_DOCUMENT, &r.documents, d) && rank_all(&r, d);
    give_back(r.asked, r.set.texts.count);
    give_back(r.documents, r.set.documents.count);
    return ok;
}
