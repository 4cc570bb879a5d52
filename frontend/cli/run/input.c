// `bertc run MODEL --input FILE`: a file of any size, chunk by chunk. While the workers answer one chunk,
// this thread writes the one before and reads the one after.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/run.h"
#include "frontend/cli/run/shard.h"
#include "frontend/cli/run/sink.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

// --- Answers

static bool take_json(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = bertc_result_json(result, &r->text, NULL, 0);
    r->json = memory_alloc(n + 1, 1);
    if (r->json) bertc_result_json(result, &r->text, r->json, n + 1);
    return r->json != NULL;
}

static bool take_embedding(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = (size_t)result->embedding_size * sizeof(float);
    r->embedding = memory_alloc(n, 1);
    if (r->embedding) memcpy(r->embedding, result->embedding, n);
    return r->embedding != NULL;
}

static bool take_vectors(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = (size_t)result->vector_count * (size_t)result->vector_width * sizeof(float);
    r->embedding = memory_alloc(n ? n : 1, 1);
    r->rows = result->vector_count;
    if (r->embedding && n) memcpy(r->embedding, result->vectors, n);
    return r->embedding != NULL;
}

static int by_id(const void *a, const void *b) {
    int32_t x = ((const bertc_score *)a)->id, y = ((const bertc_score *)b)->id;
    return (x > y) - (x < y);
}

// In the order of the columns, as scipy has them.
static bool take_sparse(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = (size_t)result->sparse_count;
    r->sparse = memory_alloc(n ? n : 1, sizeof *r->sparse);
    if (r->sparse && n) memcpy(r->sparse, result->sparse, n * sizeof *r->sparse);
    r->sparse_count = result->sparse_count;
    if (r->sparse) qsort(r->sparse, n, sizeof *r->sparse, by_id);
    return r->sparse != NULL;
}

static bool put_chunk(void *user, const line_source *in, const chunk *c, diag *d) {
    sink *out = user;
    for (int i = 0; i < c->count; i++) {
        if (!sink_put(out, &c->rows[i], d)) return false;
        if (c->rows[i].error) lines_report(in, &c->rows[i], out->failed, d);
    }
    return sink_flush(out, d);
}

// --- The command

static crew_take take_of(const sink *out) {
    return out->npz && out->csr ? take_sparse
           : out->npz           ? take_vectors
           : out->npy           ? take_embedding
                                : take_json;
}

static bool open_lines(const run_options *o, const shard *part, line_source *in, const sink *out, diag *d) {
    if (!lines_open(in, o->input, o->pair, d)) return false;
    if (part) {
        if (!line_reader_seek(&in->reader, part->begins, part->first + 1, d)) return false;
        in->limited = true;
        in->last = part->first + part->lines;
        in->reader.size = part->ends;
    }
    if (lines_skip(in, out->rows, d)) return true;
    return diag_error(d, o->output, "has %" PRId64 " rows, more than %s has lines", out->rows,
                      in->reader.name);
}

bool run_input(const run_options *o, const shard *part, bertc_model *model, diag *d) {
    bertc_text_options options = run_text_options(o);
    line_source in = {0};
    sink out = {0};
    crew *workers = NULL;
    int width = embedding_width(o, model);
    if (sink_is_npy(o->output) && !width)
        return diag_error(d, o->output, ".npy is for embeddings, and the model gives none: write .jsonl");
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    bool npz = sink_is_npz(o->output);
    if (npz && !info.vector_width && !info.sparse_width)
        return diag_error(
            d, o->output,
            ".npz is for sparse vectors and vectors of tokens, and the model gives none: write .jsonl%s",
            width ? " or .npy" : "");
    out.csr = npz && info.sparse_width && (!info.vector_width || hub_ends_with(o->output, ".sparse.npz"));
    if (npz) width = (int)(out.csr ? info.sparse_width : info.vector_width);
    bool ok = sink_open(&out, o->output, o->resume, width, d) && open_lines(o, part, &in, &out, d);
    if (ok) {
        int threads = o->threads ? (int)o->threads : bertc_cpu_count();
        workers = crew_open(model, threads, &options, take_of(&out), NULL, d);
        if (workers) crew_answer_by(workers, run_answer, o);
        ok = workers && crew_stream(workers, &in, put_chunk, &out, d);
    }
    crew_close(workers);
    if (ok && out.failed)
        diag_error(d, o->input, "%" PRId64 " of %" PRId64 " lines have no answer", out.failed, out.rows);
    if (part && ok && out.rows != part->lines)
        ok = diag_error(d, o->input, "has other lines than when the shard was measured");
    ok = sink_close(&out, ok, d) && ok;
    if (part && ok) ok = manifest_write(part, out.failed, d);
    lines_close(&in);
    return ok;
}
