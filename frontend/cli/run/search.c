// `bertc run MODEL --search VECTORS QUERY...`: the stored vectors that are most like each query's. The texts that they are
// of are not needed: hits are rows of the file, counted from 0.
#include "frontend/cli/search/scan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/run.h"
#include "ir/memory.h"

// --- What fits

// Numbers of the model's own vectors, and their kind: of a model with several answers (BGE-M3) the kind
// that the file holds. False: it gives none.
static bool kind_of_model(const run_options *o, const bertc_model *model, const stored *from, stored *own) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    const stored_kind order[] = {from->kind, STORED_SPARSE, STORED_DENSE, STORED_SEVERAL};
    for (int i = 0; i < 4; i++) {
        own->kind = order[i];
        own->width = order[i] == STORED_SPARSE  ? info.sparse_width
                     : order[i] == STORED_DENSE ? embedding_width(o, model)
                                                : info.vector_width;
        if (own->width > 0) return true;
    }
    return false;
}

static bool check_kind(const run_options *o, const bertc_model *model, const stored *from, diag *d) {
    stored own = {.rows = 0};
    char has[80], gives[80];
    if (!kind_of_model(o, model, from, &own))
        return diag_error(d, "--search", "compares vectors, and the model gives none (--head embedding)");
    if (own.kind == from->kind && own.width == from->width) return true;
    return diag_error(d, from->path, "holds %s, and the model gives %s",
                      stored_describe(from, has, sizeof has), stored_describe(&own, gives, sizeof gives));
}

// Where nothing is asked for, as the model says; of a model with several answers that is about its embedding, and its
// vectors of tokens are compared by MaxSim, its weights by their products.
static bertc_similarity measure_of(const run_options *o, const bertc_model *model, const stored *from) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_similarity how = BERTC_SIMILARITY_COSINE;
    bertc_model_describe(model, &info, NULL);
    if (o->similarity)
        hub_similarity_find(o->similarity, &how);
    else if (from->kind == STORED_SEVERAL && info.task == BERTC_TASK_SEVERAL)
        how = BERTC_SIMILARITY_MAXSIM;
    else if (from->kind == STORED_SPARSE && info.task == BERTC_TASK_SEVERAL)
        how = BERTC_SIMILARITY_DOT;
    else
        how = (bertc_similarity)info.similarity;
    return how;
}

static bool check_measure(const stored *from, bertc_similarity how, diag *d) {
    bool maxsim = how == BERTC_SIMILARITY_MAXSIM || how == BERTC_SIMILARITY_MEAN_MAXSIM;
    switch (from->kind) {
    case STORED_DENSE:
        return !maxsim || diag_error(d, "--similarity",
                                     "MaxSim compares vectors of tokens: %s holds one a text", from->path);
    case STORED_SPARSE: return compares_sparse(how, d);
    case STORED_SEVERAL: break;
    }
    return maxsim || diag_error(d, "--similarity", "vectors of tokens are compared by MaxSim or MeanMaxSim");
}

// --- Queries

static float *copied(const float *x, size_t n) {
    float *out = memory_alloc(n ? n : 1, sizeof *out);
    if (out && n) memcpy(out, x, n * sizeof *x);
    return out;
}

static float *sparse_row(const bertc_result *r, int64_t width) {
    float *row = memory_zero((size_t)width, sizeof *row);
    for (int i = 0; row && i < r->sparse_count; i++) row[r->sparse[i].id] = r->sparse[i].score;
    return row;
}

// The query's numbers as the scan reads them; NULL: no memory.
static float *numbers_of(const bertc_result *r, const stored *from, bertc_similarity how) {
    if (from->kind == STORED_SEVERAL)
        return copied(r->vectors, (size_t)r->vector_count * (size_t)r->vector_width);
    bool sparse = from->kind == STORED_SPARSE;
    float *row = sparse ? sparse_row(r, from->width) : copied(r->embedding, (size_t)r->embedding_size);
    double square = 0;
    for (int64_t i = 0; row && i < from->width; i++) square += (double)row[i] * (double)row[i];
    for (int64_t i = 0; row && how == BERTC_SIMILARITY_COSINE && square > 0 && i < from->width; i++)
        row[i] = (float)((double)row[i] / sqrt(square));
    return row;
}

static bool encode(const run_options *o, bertc_session *session, const arguments *words, scan *s, diag *d) {
    bertc_text_options options = run_text_options(o);
    if (!o->as) options.role = BERTC_ROLE_QUERY;
    options.top_k = 0;
    for (int i = 0; i < words->count; i++) {
        const bertc_text text = {.text = words->v[i], .size = strlen(words->v[i])};
        bertc_result r = BERTC_RESULT_INIT;
        bertc_error e;
        scan_query *q = &s->queries[i];
        if (!bertc_answer_texts(session, &text, 1, &options, &r, &e)) return runtime_failed(d, &e);
        q->numbers = numbers_of(&r, s->from, s->how);
        q->rows = s->from->kind == STORED_SEVERAL ? r.vector_count : 1;
        for (int k = 0; s->from->kind == STORED_SPARSE && k < r.sparse_count; k++) {
            double x = (double)r.sparse[k].score;
            q->whole += s->how == BERTC_SIMILARITY_EUCLIDEAN ? x * x : fabs(x);
        }
        q->best = memory_alloc((size_t)s->top, sizeof *q->best);
        if (!q->numbers || !q->best) return diag_error(d, NULL, "out of memory for the queries");
    }
    return true;
}

// --- Printing

static void print_hits(const scan *s, const arguments *words, int i) {
    if (i) putchar('\n');
    puts(words->v[i]);
    for (int64_t k = 0; k < s->queries[i].count; k++)
        printf("%8.4f  %" PRId64 "\n", (double)s->queries[i].best[k].score, s->queries[i].best[k].index);
}

// A line a hit; of several queries it says which.
static void print_hits_json(const scan *s, int i) {
    for (int64_t k = 0; k < s->queries[i].count; k++) {
        cJSON *o = cJSON_CreateObject();
        if (s->query_count > 1) cJSON_AddNumberToObject(o, "query", i);
        cJSON_AddNumberToObject(o, "index", (double)s->queries[i].best[k].index);
        cJSON_AddNumberToObject(o, "score", (double)s->queries[i].best[k].score);
        print_json(o);
    }
}

// The numbers of the query and of the row, both from 0.
static void print_hits_csv(const scan *s, int i) {
    if (!i) fputs("query,index,score\r\n", stdout);
    for (int64_t k = 0; k < s->queries[i].count; k++) {
        printf("%d,%" PRId64 ",", i, s->queries[i].best[k].index);
        csv_number(stdout, s->queries[i].best[k].score);
        fputs("\r\n", stdout);
    }
}

static bool search(const run_options *o, bertc_model *model, const arguments *words, scan *s, diag *d) {
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = s->threads,
                                .huge_pages = o->huge_pages};
    bertc_error e;
    bertc_session *session = bertc_open(model, &so, &e);
    if (!session) return runtime_failed(d, &e);
    bool ok = encode(o, session, words, s, d);
    bertc_close(session);
    ok = ok && scan_run(s, d);
    for (int i = 0; ok && i < words->count; i++) {
        if (o->said == FORMAT_CSV)
            print_hits_csv(s, i);
        else if (o->json)
            print_hits_json(s, i);
        else
            print_hits(s, words, i);
    }
    return ok;
}

bool run_search(const run_options *o, bertc_model *model, const arguments *words, diag *d) {
    stored from;
    bool ok = stored_open(&from, o->search, d) && check_kind(o, model, &from, d);
    bertc_similarity how = measure_of(o, model, &from);
    ok = ok && check_measure(&from, how, d);
    int64_t top = o->top_k ? o->top_k : 5;
    scan s = {.from = &from,
              .how = how,
              .mean = how == BERTC_SIMILARITY_MEAN_MAXSIM,
              .top = top < from.rows ? top
                     : from.rows > 0 ? from.rows
                                     : 1,
              .threads = o->threads ? (int)o->threads : bertc_cpu_count(),
              .query_count = words->count};
    s.queries = ok ? memory_zero((size_t)words->count, sizeof *s.queries) : NULL;
    if (ok && !s.queries) ok = diag_error(d, NULL, "out of memory for the queries");
    ok = ok && search(o, model, words, &s, d);
    for (int i = 0; s.queries && i < words->count; i++) {
        free((void *)(uintptr_t)s.queries[i].numbers);
        free(s.queries[i].best);
    }
    free(s.queries);
    stored_close(&from);
    return flush_stdout(d) && ok;
}
