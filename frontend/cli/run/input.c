// `bertc run MODEL --input FILE`: a file of any size, chunk by chunk; or `bertc run MODEL TEXT... -o FILE`. While the workers answer one chunk,
// this thread writes the one before and reads the one after.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/run.h"
#include "frontend/cli/run/shard.h"
#include "frontend/cli/run/sink.h"
#include "frontend/cli/run/take.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

// --- Rows

static bool put_chunk(void *user, const line_source *in, const chunk *c, diag *d) {
    sink *out = user;
    for (int i = 0; i < c->count; i++) {
        if (!sink_put(out, &c->rows[i], d)) return false;
        if (c->rows[i].error) lines_report(in, &c->rows[i], out->failed, d);
    }
    return sink_flush(out, d);
}

// --- The command

// The columns' names where rows are scores of labels; NULL: they are none. The caller's.
static const char **labels_of(const run_options *o, const bertc_model *model, const bertc_model_info *info) {
    bool zero_shot = o->labels != NULL;
    int n = zero_shot ? o->zero_shot.label_count : info->label_count;
    const char **names = memory_must(memory_alloc((size_t)(n ? n : 1), sizeof *names));
    if (info->task == BERTC_TASK_NEXT_SENTENCE) n = 0, names[0] = "next_sentence";
    for (int i = 0; i < n; i++) names[i] = zero_shot ? o->zero_shot.labels[i] : bertc_label(model, i);
    return names;
}

// Numbers of a text that has one row of them; 0: it hasn't.
static int64_t row_width(const run_options *o, const bertc_model *model, const bertc_model_info *info) {
    if (info->embedding_size) return embedding_width(o, model);
    switch ((bertc_task_kind)info->task) {
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return o->labels ? o->zero_shot.label_count : info->label_count;
    case BERTC_TASK_NEXT_SENTENCE: return 1;
    case BERTC_TASK_ENTITIES:
    case BERTC_TASK_ANSWER:
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_PRETRAINING:
    case BERTC_TASK_EMBEDDING:
    case BERTC_TASK_SPARSE:
    case BERTC_TASK_VECTORS:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_TENSORS: break;
    }
    return 0;
}

static bool shape_arrays(const run_options *o, const bertc_model_info *info, sink_shape *out, diag *d) {
    bool npz = o->format == FORMAT_NPZ, several = npz && (info->vector_width || info->sparse_width);
    if (o->top_k && !info->sparse_width && !info->vector_width && !info->embedding_size)
        return diag_error(d, "--top-k", "%s holds the scores of all labels", o->output);
    if (!out->width && !several)
        return diag_error(d, o->output,
                          ".%s holds a row of numbers per text (embeddings, scores of labels)%s, and the "
                          "model gives others: write .jsonl or .csv",
                          format_name(o->format), npz ? ", sparse vectors or vectors of tokens" : "");
    bool sparse = info->sparse_width && (!info->vector_width || hub_ends_with(o->output, ".sparse.npz"));
    out->kind = !npz ? SINK_NPY : !several ? SINK_ROWS : sparse ? SINK_SPARSE : SINK_VECTORS;
    if (several) out->width = sparse ? info->sparse_width : info->vector_width;
    return true;
}

static bool shape_of(const run_options *o, const bertc_model *model, const bertc_model_info *info,
                     sink_shape *out, diag *d) {
    *out = (sink_shape){.width = row_width(o, model, info)};
    if (o->format == FORMAT_NPY || o->format == FORMAT_NPZ) return shape_arrays(o, info, out, d);
    out->kind = o->format == FORMAT_CSV ? SINK_CSV : o->format == FORMAT_TEXT ? SINK_TEXT : SINK_LINES;
    return out->kind != SINK_CSV || csv_table_of(&out->table, o, model, d);
}

static bool open_lines(const run_options *o, const shard *part, line_source *in, const sink *out, diag *d) {
    if (o->words) return lines_of_words(in, o->words, o->pair), true;
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

static bool open_sink(const run_options *o, const bertc_model *model, taker *t, sink *out, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    sink_shape shape;
    bertc_model_describe(model, &info, NULL);
    if (!shape_of(o, model, &info, &shape, d)) return false;
    *t = (taker){o, shape.table, shape.width};
    const char **labels = NULL;
    if (shape.kind == SINK_ROWS && !info.embedding_size) shape.labels = labels = labels_of(o, model, &info);
    bool ok = sink_open(out, o->output, o->resume, &shape, d);
    free(labels);
    return ok;
}

bool run_input(const run_options *o, const shard *part, bertc_model *model, diag *d) {
    bertc_text_options options = run_text_options(o);
    line_source in = {0};
    sink out = {0};
    taker to;
    crew *workers = NULL;
    bool ok = open_sink(o, model, &to, &out, d) && open_lines(o, part, &in, &out, d);
    if (ok) {
        int threads = o->threads ? (int)o->threads : bertc_cpu_count();
        crew_take take = take_of(o->format, out.kind == SINK_SPARSE, out.kind == SINK_VECTORS);
        workers = crew_open(model, threads, &options, take, &to, d);
        if (workers) crew_answer_by(workers, run_answer, o);
        ok = workers && crew_stream(workers, &in, put_chunk, &out, d);
    }
    crew_close(workers);
    if (ok && out.failed)
        diag_error(d, in.reader.name, "%" PRId64 " of %" PRId64 " %s have no answer", out.failed, out.rows,
                   o->words ? "texts" : "lines");
    if (part && ok && out.rows != part->lines)
        ok = diag_error(d, o->input, "has other lines than when the shard was measured");
    ok = sink_close(&out, ok, d) && ok;
    if (part && ok) ok = manifest_write(part, out.failed, d);
    lines_close(&in);
    return ok;
}
