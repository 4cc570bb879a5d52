// `bertc run MODEL --similar QUERIES CORPUS`: the lines of a corpus of any size that are most like each
// query, by the model's measure of likeness, or the one that is asked for. Only the queries and their best lines are kept in memory.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/nul.h"
#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/run.h"
#include "ir/memory.h"

typedef struct hit {
    float score;
    int64_t line;
    char *text;
    size_t size;
} hit;

typedef struct query {
    char *text;
    size_t size;
    float *row; // its embedding; of length 1 for cosines; or its vectors, one after the other
    int rows;
    hit *best; // best first, at most search.top
    int count, room;
} query;

typedef struct search {
    query *queries;
    int count, capacity, top, width;
    bertc_similarity how;
    bool sparse; // a query's row holds its zeros too
    int64_t failed;
    int64_t lines; // of the corpus
} search;

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static char *copy_text(const bertc_text *t) {
    char *text = memory_alloc(t->size + 1, 1);
    if (!text) return NULL;
    memcpy(text, t->text, t->size);
    text[t->size] = 0;
    return text;
}

// --- Queries

static bool compares_vectors(bertc_similarity how) {
    return how == BERTC_SIMILARITY_MAXSIM || how == BERTC_SIMILARITY_MEAN_MAXSIM;
}

static bool take_vectors(row *r, const bertc_result *result) {
    size_t bytes = (size_t)result->vector_count * (size_t)result->vector_width * sizeof(float);
    r->embedding = memory_alloc(bytes ? bytes : 1, 1);
    r->rows = result->vector_count;
    if (r->embedding && bytes) memcpy(r->embedding, result->vectors, bytes);
    return r->embedding != NULL;
}

static double sparse_length(const bertc_result *result) {
    double squares = 0;
    for (int i = 0; i < result->sparse_count; i++)
        squares += (double)result->sparse[i].score * (double)result->sparse[i].score;
    return sqrt(squares);
}

static bool take_sparse(const search *s, row *r, const bertc_result *result) {
    double length = s->how == BERTC_SIMILARITY_COSINE ? sparse_length(result) : 1;
    r->embedding = memory_zero((size_t)s->width, sizeof(float));
    for (int i = 0; r->embedding && i < result->sparse_count; i++)
        r->embedding[result->sparse[i].id] = (float)((double)result->sparse[i].score / length);
    return r->embedding != NULL;
}

static bool take_query(void *user, row *r, const bertc_result *result, const char **why) {
    const search *s = user;
    (void)why;
    r->rows = 1;
    if (s->sparse) return take_sparse(s, r, result);
    if (compares_vectors(s->how)) return take_vectors(r, result);
    int n = result->embedding_size;
    double length =
        s->how == BERTC_SIMILARITY_COSINE ? sqrt(dot(result->embedding, result->embedding, n)) : 1;
    r->embedding = memory_alloc((size_t)n, sizeof(float));
    for (int i = 0; r->embedding && i < n; i++)
        r->embedding[i] = length > 0 ? (float)((double)result->embedding[i] / length) : 0;
    return r->embedding != NULL;
}

static bool add_query(search *s, const row *r) {
    if (s->count == s->capacity) {
        int more = s->capacity ? 2 * s->capacity : 16;
        query *grown = memory_grow(s->queries, (size_t)more, sizeof *grown);
        if (!grown) return false;
        s->queries = grown;
        s->capacity = more;
    }
    query *q = &s->queries[s->count];
    size_t bytes = (size_t)r->rows * (size_t)s->width * sizeof(float);
    *q = (query){.text = copy_text(&r->text),
                 .size = r->text.size,
                 .row = memory_alloc(bytes ? bytes : 1, 1),
                 .rows = r->rows};
    s->count++;
    if (!q->text || !q->row) return false;
    if (bytes) memcpy(q->row, r->embedding, bytes);
    return true;
}

static bool put_queries(void *user, const line_source *in, const chunk *c, diag *d) {
    search *s = user;
    for (int i = 0; i < c->count; i++) {
        const row *r = &c->rows[i];
        if (r->error)
            lines_report(in, r, ++s->failed, d);
        else if (!add_query(s, r))
            return diag_error(d, in->reader.name, "out of memory for the queries");
    }
    return true;
}

// --- The corpus

static double likeness(bertc_similarity how, const float *a, const float *b, int n) {
    double length, sum = 0;
    switch (how) {
    case BERTC_SIMILARITY_COSINE: length = sqrt(dot(b, b, n)); return length > 0 ? dot(a, b, n) / length : 0;
    case BERTC_SIMILARITY_DOT: return dot(a, b, n);
    case BERTC_SIMILARITY_EUCLIDEAN:
        for (int i = 0; i < n; i++) {
            double apart = (double)a[i] - (double)b[i];
            sum += apart * apart;
        }
        return -sqrt(sum);
    case BERTC_SIMILARITY_MANHATTAN:
        for (int i = 0; i < n; i++) sum += fabs((double)a[i] - (double)b[i]);
        return -sum;
    case BERTC_SIMILARITY_MAXSIM:
    case BERTC_SIMILARITY_MEAN_MAXSIM: break;
    }
    return 0;
}

// The distance: that of the weights which the line has, and of all others the query's own.
static double sparse_distance(const search *s, const float *asked, const bertc_result *result) {
    bool euclidean = s->how == BERTC_SIMILARITY_EUCLIDEAN;
    double sum = 0;
    for (int i = 0; i < s->width; i++) {
        double x = (double)asked[i];
        sum += euclidean ? x * x : fabs(x);
    }
    for (int i = 0; i < result->sparse_count; i++) {
        double x = (double)asked[result->sparse[i].id], apart = (double)result->sparse[i].score - x;
        sum += euclidean ? apart * apart - x * x : fabs(apart) - fabs(x);
    }
    sum = fmax(sum, 0);
    return euclidean ? -sqrt(sum) : -sum;
}

static double sparse_likeness(const search *s, const float *asked, const bertc_result *result) {
    bertc_similarity how = s->how;
    if (how != BERTC_SIMILARITY_DOT && how != BERTC_SIMILARITY_COSINE)
        return sparse_distance(s, asked, result);
    double sum = 0, length = how == BERTC_SIMILARITY_COSINE ? sparse_length(result) : 1;
    for (int i = 0; i < result->sparse_count; i++)
        sum += (double)asked[result->sparse[i].id] * (double)result->sparse[i].score;
    return length > 0 ? sum / length : 0;
}

static float likeness_of(const search *s, const query *q, const bertc_result *result) {
    if (s->sparse) return (float)sparse_likeness(s, q->row, result);
    if (!compares_vectors(s->how)) return (float)likeness(s->how, q->row, result->embedding, s->width);
    float sum = bertc_maxsim(q->row, (size_t)q->rows, result->vectors, (size_t)result->vector_count,
                             (size_t)s->width);
    return s->how == BERTC_SIMILARITY_MAXSIM || !q->rows ? sum : sum / (float)q->rows;
}

// How like each query a row is.
static bool take_line(void *user, row *r, const bertc_result *result, const char **why) {
    const search *s = user;
    (void)why;
    r->embedding = memory_alloc((size_t)s->count, sizeof(float));
    for (int q = 0; r->embedding && q < s->count; q++)
        r->embedding[q] = likeness_of(s, &s->queries[q], result);
    return r->embedding != NULL;
}

// Room for one more; --top-k may ask for more than the corpus has.
static bool more_room(query *q) {
    if (q->count < q->room) return true;
    int room = q->room ? q->room + q->room / 2 + 1 : 8;
    hit *grown = memory_grow(q->best, (size_t)room, sizeof *grown);
    if (!grown) return false;
    q->best = grown;
    q->room = room;
    return true;
}

// Equal ones stay in the corpus' order.
static bool add_match(search *s, query *q, const row *r, float score) {
    int at = q->count;
    while (at > 0 && q->best[at - 1].score < score) at--;
    if (at == s->top) return true;
    char *text = copy_text(&r->text);
    if (q->count == s->top) free(q->best[--q->count].text);
    if (!text || !more_room(q)) return free(text), false;
    memmove(&q->best[at + 1], &q->best[at], (size_t)(q->count - at) * sizeof *q->best);
    q->best[at] = (hit){score, r->line, text, r->text.size};
    q->count++;
    return true;
}

static bool put_lines(void *user, const line_source *in, const chunk *c, diag *d) {
    search *s = user;
    for (int i = 0; i < c->count; i++) {
        const row *r = &c->rows[i];
        s->lines++;
        if (r->error) lines_report(in, r, ++s->failed, d);
        for (int q = 0; !r->error && q < s->count; q++)
            if (!add_match(s, &s->queries[q], r, r->embedding[q]))
                return diag_error(d, in->reader.name, "out of memory for the best lines");
    }
    return true;
}

// --- The command

static void print_line(const char *text, size_t size) {
    fwrite(text, 1, size, stdout);
    putchar('\n');
}

static void print_query(const query *q, bool first) {
    if (!first) putchar('\n');
    print_line(q->text, q->size);
    for (int i = 0; i < q->count; i++) {
        printf("%8.4f  %lld\t", (double)q->best[i].score, (long long)q->best[i].line);
        print_line(q->best[i].text, q->best[i].size);
    }
}

static void print_query_json(const query *q) {
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "matches");
    cJSON_AddItemToObject(o, "query", memory_must(nul_string(q->text, q->size)));
    for (int i = 0; i < q->count; i++) {
        cJSON *m = cJSON_CreateObject();
        cJSON_AddNumberToObject(m, "score", (double)q->best[i].score);
        cJSON_AddNumberToObject(m, "line", (double)q->best[i].line);
        cJSON_AddItemToObject(m, "text", memory_must(nul_string(q->best[i].text, q->best[i].size)));
        cJSON_AddItemToArray(list, m);
    }
    print_json(o);
}

static void print_query_csv(const query *q, bool first) {
    if (first) fputs("query,line,score,text\r\n", stdout);
    for (int i = 0; i < q->count; i++) {
        csv_field(stdout, q->text, q->size);
        printf(",%lld,", (long long)q->best[i].line);
        csv_number(stdout, q->best[i].score);
        putchar(',');
        csv_field(stdout, q->best[i].text, q->best[i].size);
        fputs("\r\n", stdout);
    }
}

static bertc_similarity measure_of(const run_options *o, const bertc_model *model) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_similarity how = BERTC_SIMILARITY_COSINE;
    bertc_model_describe(model, &info, NULL);
    if (!o->similarity) return (bertc_similarity)info.similarity;
    hub_similarity_find(o->similarity, &how);
    return how;
}

// What the command line asks for is the queries' prompt.
static bertc_text_options with_role(const run_options *o, bool asks) {
    bertc_text_options options = run_text_options(o);
    options.top_k = 0;
    options.role = asks ? BERTC_ROLE_QUERY : BERTC_ROLE_DOCUMENT;
    if (!asks) options.prompt = options.prompt_name = NULL;
    return options;
}

static bool stream(const run_options *o, bertc_model *model, const char *path, crew_take take, chunk_put put,
                   search *s, diag *d) {
    bertc_text_options options = with_role(o, path == o->similar);
    line_source in = {0};
    crew *workers = NULL;
    bool ok = lines_open(&in, path, o->pair, d);
    if (ok)
        workers = crew_open(model, o->threads ? (int)o->threads : bertc_cpu_count(), &options, take, s, d);
    ok = workers && crew_stream(workers, &in, put, s, d);
    crew_close(workers);
    lines_close(&in);
    return ok;
}

static void search_free(search *s) {
    for (int q = 0; q < s->count; q++) {
        query *x = &s->queries[q];
        for (int i = 0; i < x->count; i++) free(x->best[i].text);
        free(x->text);
        free(x->row);
        free(x->best);
    }
    free(s->queries);
}

// Of models that give a vector per token, MaxSim or the mean of it; of others neither.
static bool check_measure(search *s, bertc_model *model, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    bool vectors = compares_vectors(s->how);
    if (vectors) s->width = (int)info.vector_width;
    return (vectors ? info.vector_width > 0 : !info.vector_width || info.embedding_size) ||
           diag_error(d, "--similarity", "the model gives %s: %s",
                      info.vector_width ? "a vector per token" : "no vector per token",
                      info.vector_width ? "MaxSim and MeanMaxSim compare them"
                                        : "cosine, dot, euclidean and manhattan compare its embeddings");
}

bool run_similar(const run_options *o, bertc_model *model, const char *corpus, diag *d) {
    search s = {
        .top = o->top_k ? (int)o->top_k : 5, .width = embedding_width(o, model), .how = measure_of(o, model)};
    if (sparse_alone(model)) s.sparse = true, s.width = (int)sparse_alone(model);
    if (s.sparse && !compares_sparse(s.how, d)) return false;
    if (!check_measure(&s, model, d)) return false;
    if (!s.width)
        return diag_error(d, NULL,
                          "--similar compares embeddings, and the model gives none (--head embedding)");
    bool ok = stream(o, model, o->similar, take_query, put_queries, &s, d);
    if (ok && !s.count)
        ok = diag_error(d, strcmp(o->similar, "-") ? o->similar : "standard input", "has no query");
    ok = ok && stream(o, model, corpus, take_line, put_lines, &s, d);
    if (ok && !s.lines)
        ok = diag_error(d, strcmp(corpus, "-") ? corpus : "standard input",
                        "is empty: it has no line to find");
    for (int q = 0; ok && q < s.count; q++) {
        if (o->said == FORMAT_CSV)
            print_query_csv(&s.queries[q], q == 0);
        else if (o->json)
            print_query_json(&s.queries[q]);
        else
            print_query(&s.queries[q], q == 0);
    }
    search_free(&s);
    return flush_stdout(d) && ok;
}
