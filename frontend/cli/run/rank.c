// `bertc run RERANKER --rank QUERY FILE`: the documents of a file, a line each, by the score that a cross-encoder gives
// them for the query. Only the best --top-k of them are kept in memory.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/run.h"
#include "ir/memory.h"

void rank_options_add(option_table *t, run_options *o) {
    options_add(t,
                (option_row){"rank", 0, OPTION_TEXT, "QUERY",
                             "rank the lines of the file given as TEXT (-: standard input) by the score that "
                             "a cross-encoder gives each with QUERY: the --top-k best (default: all)",
                             &o->rank});
}

int rank_options_check(const option_table *t, const run_options *o, int texts) {
    if (!o->rank) return -1;
    if (texts != 1) return usage_error(t, "--rank QUERY takes one file of documents");
    if (o->pair) return usage_error(t, "--rank and --pair: the second texts are the documents");
    return -1;
}

typedef struct document {
    float score;
    int64_t index;
    char *text;
    size_t size;
} document;

typedef struct ranking {
    const char *query;
    document *best; // in no order, until it is trimmed
    size_t count, room, top;
    bool texts; // are kept
    int64_t failed, lines;
} ranking;

// --- Scores

static bool answer_pairs(const void *user, bertc_session *s, const bertc_text *texts, size_t count,
                         const bertc_text_options *options, bertc_result *results, bertc_error *error) {
    const ranking *r = user;
    bertc_text *pairs = memory_alloc(count ? count : 1, sizeof *pairs);
    if (!pairs) return snprintf(error->message, sizeof error->message, "out of memory"), false;
    for (size_t i = 0; i < count; i++)
        pairs[i] = (bertc_text){r->query, strlen(r->query), texts[i].text, texts[i].size};
    bool ok = bertc_answer_texts(s, pairs, count, options, results, error);
    free(pairs);
    return ok;
}

static bool take_score(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    r->embedding = memory_alloc(1, sizeof(float));
    if (r->embedding) *r->embedding = result->scores[0].score;
    return r->embedding != NULL;
}

static int better(const void *a, const void *b) {
    const document *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

// Leaves the best, in order.
static void trim(ranking *r) {
    if (r->count) qsort(r->best, r->count, sizeof *r->best, better);
    while (r->top && r->count > r->top) free(r->best[--r->count].text);
}

static bool add_document(ranking *r, const row *line) {
    if (r->top && r->count >= 2 * r->top && r->count == r->room) trim(r);
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 64;
        document *grown = memory_grow(r->best, room, sizeof *grown);
        if (!grown) return false;
        r->best = grown;
        r->room = room;
    }
    document *at = &r->best[r->count];
    *at = (document){.score = *line->embedding, .index = line->line - 1};
    if (r->texts) {
        at->text = memory_alloc(line->text.size + 1, 1);
        if (!at->text) return false;
        memcpy(at->text, line->text.text, line->text.size);
        at->size = line->text.size;
    }
    r->count++;
    return true;
}

static bool put_documents(void *user, const line_source *in, const chunk *c, diag *d) {
    ranking *r = user;
    for (int i = 0; i < c->count; i++) {
        const row *line = &c->rows[i];
        r->lines++;
        if (line->error)
            lines_report(in, line, ++r->failed, d);
        else if (!add_document(r, line))
            return diag_error(d, in->reader.name, "out of memory for the documents");
    }
    return true;
}

// --- The command

static bool check_model(const bertc_model *model, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    bool scores = info.task == BERTC_TASK_CLASSIFY || info.task == BERTC_TASK_MULTI_LABEL ||
                  info.task == BERTC_TASK_REGRESSION;
    if (scores && info.label_count == 1) return true;
    return diag_error(d, "--rank", "needs a cross-encoder, a model with one score for a pair; this one %s",
                      scores ? "has several labels" : "scores no texts");
}

static void print_ranking(const ranking *r, bool csv) {
    if (csv) fputs("index,score,text\r\n", stdout);
    for (size_t i = 0; i < r->count; i++) {
        const document *x = &r->best[i];
        if (!r->texts) {
            cJSON *o = cJSON_CreateObject();
            cJSON_AddNumberToObject(o, "index", (double)x->index);
            cJSON_AddNumberToObject(o, "score", (double)x->score);
            print_json(o);
            continue;
        }
        if (csv) {
            printf("%" PRId64 ",", x->index);
            csv_number(stdout, x->score);
            putchar(',');
            csv_field(stdout, x->text, x->size);
            fputs("\r\n", stdout);
            continue;
        }
        printf("%.4f\t%" PRId64 "\t", (double)x->score, x->index);
        fwrite(x->text, 1, x->size, stdout);
        putchar('\n');
    }
}

bool run_rank(const run_options *o, bertc_model *model, const char *documents, diag *d) {
    ranking r = {.query = o->rank, .top = (size_t)o->top_k, .texts = !o->json};
    bertc_text_options options = run_text_options(o);
    line_source in = {0};
    crew *workers = NULL;
    options.top_k = 0;
    bool ok = check_model(model, d) && lines_open(&in, documents, NULL, d);
    in.single = true;
    if (ok)
        workers =
            crew_open(model, o->threads ? (int)o->threads : bertc_cpu_count(), &options, take_score, &r, d);
    if (workers) crew_answer_by(workers, answer_pairs, &r);
    ok = workers && crew_stream(workers, &in, put_documents, &r, d);
    crew_close(workers);
    trim(&r);
    if (ok) print_ranking(&r, o->said == FORMAT_CSV);
    if (ok && r.failed)
        ok = diag_error(d, in.reader.name, "%" PRId64 " of %" PRId64 " lines have no score", r.failed,
                        r.lines);
    lines_close(&in);
    for (size_t i = 0; i < r.count; i++) free(r.best[i].text);
    free(r.best);
    return flush_stdout(d) && ok;
}
