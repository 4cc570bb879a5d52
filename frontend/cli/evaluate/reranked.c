// A cross-encoder scores each query's own documents, those of its lines, as pairs with it, as sentence-transformers'
// CrossEncoderRerankingEvaluator does.
#include <math.h>
#include <stdlib.h>

#include "frontend/cli/evaluate/queries.h"
#include "frontend/cli/run/crew.h"
#include "ir/memory.h"

typedef struct reranking {
    query_set set;
    chunk work;
    crew *workers;
    bertc_text_options options;
    float *scores; // of all pairs, query after query: its positives, its negatives that are none of these
    int64_t at;    // the chunk's first pair
} reranking;

static bool take(void *user, row *r, const bertc_result *result, const char **why) {
    const reranking *run = user;
    if (result->score_count != 1) return *why = "has no score", false;
    run->scores[run->at + (r - run->work.rows)] = result->scores[0].score;
    return true;
}

// A place in the list of all pairs.
typedef struct pair_place {
    int query, document; // of the query's positives, then of its negatives
} pair_place;

// The next pair's document; -1: there is none.
static int next_pair(const query_set *q, pair_place *at) {
    for (; at->query < q->texts.count; *at = (pair_place){at->query + 1, 0}) {
        const query *own = &q->queries[at->query];
        while (at->document < own->positives.count + own->negatives.count) {
            int i = at->document++, n = own->positives.count;
            if (i < n) return own->positives.v[i];
            if (!document_listed(&own->positives, own->negatives.v[i - n])) return own->negatives.v[i - n];
        }
    }
    return -1;
}

static int64_t count_pairs(const query_set *q) {
    pair_place at = {0};
    int64_t n = 0;
    while (next_pair(q, &at) >= 0) n++;
    return n;
}

// Fills the chunk with the pairs from *at on.
static void fill(reranking *r, pair_place *at) {
    const query_set *q = &r->set;
    chunk *work = &r->work;
    int64_t most = crew_rows(r->workers);
    chunk_clear(work);
    for (size_t bytes = 0; work->count < most && bytes < CHUNK_BYTES;) {
        int document = next_pair(q, at);
        if (document < 0) break;
        const data_text *asked = &q->texts.v[at->query], *other = &q->documents.v[document];
        work->rows[work->count++] = (row){
            .line = q->texts.lines[at->query],
            .text = {
                .text = asked->text, .size = asked->size, .pair = other->text, .pair_size = other->size}};
        bytes += asked->size + other->size;
    }
    chunk_order(work);
}

static bool score_all(reranking *r, diag *d) {
    pair_place at = {0};
    for (fill(r, &at); r->work.count; r->at += r->work.count, fill(r, &at)) {
        crew_start(r->workers, &r->work);
        crew_wait(r->workers);
        for (int i = 0; i < r->work.count; i++) {
            const data_example e = {.line = r->work.rows[i].line};
            if (r->work.rows[i].error)
                return data_report(r->set.v->source, &e, r->work.rows[i].error, d), false;
        }
    }
    return true;
}

// Of equal scores the other documents stand first: a model that gives one score to all has found nothing.
static void rank_query(const float *scores, int positives, int count, int64_t *ranks) {
    for (int i = 0; i < positives; i++) {
        ranks[i] = 1;
        for (int k = 0; k < count; k++)
            ranks[i] += scores[k] > scores[i] || (scores[k] == scores[i] && (k >= positives || k < i));
    }
}

static bool rank_all(reranking *r, diag *d) {
    int64_t *ranks = memory_alloc((size_t)r->set.documents.count, sizeof *ranks);
    bool ok = ranks || diag_error(d, NULL, "out of memory for %d documents", r->set.documents.count);
    const float *scores = r->scores;
    for (int i = 0; ok && i < r->set.texts.count; i++) {
        const query *own = &r->set.queries[i];
        int count = own->positives.count;
        for (int k = 0; k < own->negatives.count; k++)
            count += !document_listed(&own->positives, own->negatives.v[k]);
        rank_query(scores, own->positives.count, count, ranks);
        ok = queries_count(&r->set, i, ranks, d);
        scores += count;
    }
    free(ranks);
    return ok;
}

bool evaluate_reranked(evaluation *v, const data_example *first, diag *d) {
    reranking r = {.options = evaluate_text_options(v)};
    queries_read(&r.set, v, first, d);
    r.options.raw_scores = true; // far from 0 probabilities of different logits are equal
    int64_t pairs = count_pairs(&r.set);
    r.scores = memory_alloc((size_t)pairs + 1, sizeof *r.scores);
    bool ok = (r.scores && chunk_open(&r.work)) ||
              diag_error(d, NULL, "out of memory for %lld pairs", (long long)pairs);
    if (ok) r.workers = crew_open(v->model, evaluate_threads(v->options), &r.options, take, &r, d);
    ok = r.workers && score_all(&r, d) && rank_all(&r, d);
    crew_close(r.workers);
    chunk_close(&r.work);
    free(r.scores);
    return ok;
}
