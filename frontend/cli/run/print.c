// Answers, for people and as JSON.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/run.h"
#include "ir/memory.h"

static void print_part(FILE *out, const bertc_text *text, bool pair, uint32_t from, uint32_t to) {
    const char *of = pair ? text->pair : text->text;
    fwrite(of + from, 1, to - from, out);
}

static void print_scores(FILE *out, const bertc_result *r, int most) {
    for (int i = 0; i < r->score_count && i < most; i++) {
        fprintf(out, "%s%s %.4f", i ? "  " : "", r->scores[i].label, (double)r->scores[i].score);
    }
}

static void print_next(FILE *out, const run_options *o, const bertc_result *r, const char *before) {
    if (isnan(r->next_sentence) || (!o->raw_scores && r->next_sentence < 0)) return;
    fprintf(out, "%sis next %.4f", before, (double)r->next_sentence);
}

static void print_masks(FILE *out, const bertc_result *r) {
    for (int i = 0; i < r->mask_count; i++) {
        const bertc_mask *m = &r->masks[i];
        for (int k = 0; k < m->score_count; k++)
            fprintf(out, "%s%s %.4f", k ? "  " : "", m->scores[k].label, (double)m->scores[k].score);
        if (i + 1 < r->mask_count) putc('\n', out);
    }
}

static void print_entities(FILE *out, const bertc_result *r, const bertc_text *text) {
    for (int i = 0; i < r->entity_count; i++) {
        const bertc_entity *e = &r->entities[i];
        fprintf(out, "%s%s \"", i ? "  " : "", e->type);
        print_part(out, text, false, e->byte_start, e->byte_end);
        fprintf(out, "\" %.4f [%" PRIu32 ",%" PRIu32 "]", (double)e->score, e->char_start, e->char_end);
    }
    if (!r->entity_count) fprintf(out, "(no entities)");
}

static void print_answers(FILE *out, const bertc_result *r, const bertc_text *text) {
    for (int i = 0; i < r->answer_count; i++) {
        const bertc_answer *a = &r->answers[i];
        if (i) putc('\n', out);
        if (a->found)
            print_part(out, text, true, a->byte_start, a->byte_end);
        else
            fprintf(out, "(no answer)");
        fprintf(out, "  %.4f [%" PRIu32 ",%" PRIu32 "]", (double)a->score, a->char_start, a->char_end);
    }
}

// {token: weight}, as sentence-transformers decodes it, the largest weight first.
static void print_sparse(FILE *out, const bertc_result *r) {
    putc('{', out);
    for (int i = 0; i < r->sparse_count; i++) {
        const bertc_score *e = &r->sparse[i];
        fputs(i ? ", " : "", out);
        if (e->label)
            fprintf(out, "%s", e->label);
        else
            fprintf(out, "[%d]", e->id); // the vocabulary is larger than the tokenizer's
        fprintf(out, ": %.4f", (double)e->score);
    }
    putc('}', out);
}

// A line a vector.
static void print_vectors(FILE *out, const bertc_result *r) {
    for (int i = 0; i < r->vector_count; i++)
        for (int k = 0; k < r->vector_width; k++)
            fprintf(out, "%s%.7g", k ? " " : i ? "\n" : "", (double)r->vectors[i * r->vector_width + k]);
}

static void print_embedding(FILE *out, const bertc_result *r) {
    for (int i = 0; i < r->embedding_size; i++) fprintf(out, "%s%.7g", i ? " " : "", (double)r->embedding[i]);
}

// Each answer begins a line.
static void print_several(FILE *out, const bertc_result *r) {
    if (r->embedding) print_embedding(out, r);
    if (r->sparse) fputs(r->embedding ? "\n" : "", out), print_sparse(out, r);
    if (r->vectors) fputs(r->embedding || r->sparse ? "\n" : "", out), print_vectors(out, r);
}

void print_result(FILE *out, const run_options *o, const bertc_result *r, const bertc_text *text,
                  bool several) {
    switch ((bertc_task_kind)r->task) {
    case BERTC_TASK_CLASSIFY:
        print_scores(out, r, r->zero_shot ? r->score_count : o->top_k ? (int)o->top_k : 1);
        break;
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: print_scores(out, r, r->score_count); break;
    case BERTC_TASK_ENTITIES: print_entities(out, r, text); break;
    case BERTC_TASK_ANSWER: print_answers(out, r, text); break;
    case BERTC_TASK_FILL_MASK: print_masks(out, r); break;
    case BERTC_TASK_NEXT_SENTENCE: fprintf(out, "is next %.4f", (double)r->next_sentence); break;
    case BERTC_TASK_PRETRAINING:
        print_masks(out, r);
        print_next(out, o, r, r->mask_count ? "\n" : "");
        break;
    case BERTC_TASK_SPARSE: print_sparse(out, r); break;
    case BERTC_TASK_VECTORS: print_vectors(out, r); break;
    case BERTC_TASK_SEVERAL: print_several(out, r); break;
    case BERTC_TASK_EMBEDDING: print_embedding(out, r); break;
    case BERTC_TASK_TENSORS: break;
    }
    if (several && (r->task == BERTC_TASK_VECTORS || r->task == BERTC_TASK_SEVERAL)) {
        putc('\n', out); // an empty line behind each text's
    } else if (several && r->task != BERTC_TASK_EMBEDDING) {
        putc('\t', out);
        fwrite(text->text, 1, text->size, out);
    }
    putc('\n', out);
}

bool print_result_json(const bertc_result *r, const bertc_text *text, diag *d) {
    size_t n = bertc_result_json(r, text, NULL, 0);
    char *buffer = memory_alloc(n + 1, 1);
    if (!buffer) return diag_error(d, NULL, "out of memory: %zu bytes for an answer", n);
    bertc_result_json(r, text, buffer, n + 1);
    puts(buffer);
    free(buffer);
    return true;
}
