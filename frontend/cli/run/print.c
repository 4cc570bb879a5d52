// Answers, for people and as JSON.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/run.h"
#include "ir/memory.h"

static void print_part(const bertc_text *text, bool pair, uint32_t from, uint32_t to) {
    const char *of = pair ? text->pair : text->text;
    fwrite(of + from, 1, to - from, stdout);
}

static void print_scores(const bertc_result *r, int most) {
    for (int i = 0; i < r->score_count && i < most; i++) {
        printf("%s%s %.4f", i ? "  " : "", r->scores[i].label, (double)r->scores[i].score);
    }
}

static void print_next(const run_options *o, const bertc_result *r, const char *before) {
    if (isnan(r->next_sentence) || (!o->raw_scores && r->next_sentence < 0)) return;
    printf("%sis next %.4f", before, (double)r->next_sentence);
}

static void print_masks(const bertc_result *r) {
    for (int i = 0; i < r->mask_count; i++) {
        const bertc_mask *m = &r->masks[i];
        for (int k = 0; k < m->score_count; k++)
            printf("%s%s %.4f", k ? "  " : "", m->scores[k].label, (double)m->scores[k].score);
        if (i + 1 < r->mask_count) putchar('\n');
    }
}

static void print_entities(const bertc_result *r, const bertc_text *text) {
    for (int i = 0; i < r->entity_count; i++) {
        const bertc_entity *e = &r->entities[i];
        printf("%s%s \"", i ? "  " : "", e->type);
        print_part(text, false, e->byte_start, e->byte_end);
        printf("\" %.4f [%" PRIu32 ",%" PRIu32 "]", (double)e->score, e->char_start, e->char_end);
    }
    if (!r->entity_count) printf("(no entities)");
}

static void print_answers(const bertc_result *r, const bertc_text *text) {
    for (int i = 0; i < r->answer_count; i++) {
        const bertc_answer *a = &r->answers[i];
        if (i) putchar('\n');
        if (a->found)
            print_part(text, true, a->byte_start, a->byte_end);
        else
            printf("(no answer)");
        printf("  %.4f [%" PRIu32 ",%" PRIu32 "]", (double)a->score, a->char_start, a->char_end);
    }
}

// {token: weight}, as sentence-transformers decodes it, the largest weight first.
static void print_sparse(const bertc_result *r) {
    putchar('{');
    for (int i = 0; i < r->sparse_count; i++) {
        const bertc_score *e = &r->sparse[i];
        fputs(i ? ", " : "", stdout);
        if (e->label)
            printf("%s", e->label);
        else
            printf("[%d]", e->id); // the vocabulary is larger than the tokenizer's
        printf(": %.4f", (double)e->score);
    }
    putchar('}');
}

// A line a vector.
static void print_vectors(const bertc_result *r) {
    for (int i = 0; i < r->vector_count; i++)
        for (int k = 0; k < r->vector_width; k++)
            printf("%s%.7g", k ? " " : i ? "\n" : "", (double)r->vectors[i * r->vector_width + k]);
}

static void print_embedding(const bertc_result *r) {
    for (int i = 0; i < r->embedding_size; i++) printf("%s%.7g", i ? " " : "", (double)r->embedding[i]);
}

// Each answer begins a line.
static void print_several(const bertc_result *r) {
    if (r->embedding) print_embedding(r);
    if (r->sparse) fputs(r->embedding ? "\n" : "", stdout), print_sparse(r);
    if (r->vectors) fputs(r->embedding || r->sparse ? "\n" : "", stdout), print_vectors(r);
}

void print_result(const run_options *o, const bertc_result *r, const bertc_text *text, bool several) {
    switch ((bertc_task_kind)r->task) {
    case BERTC_TASK_CLASSIFY:
        print_scores(r, r->zero_shot ? r->score_count : o->top_k ? (int)o->top_k : 1);
        break;
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: print_scores(r, r->score_count); break;
    case BERTC_TASK_ENTITIES: print_entities(r, text); break;
    case BERTC_TASK_ANSWER: print_answers(r, text); break;
    case BERTC_TASK_FILL_MASK: print_masks(r); break;
    case BERTC_TASK_NEXT_SENTENCE: printf("is next %.4f", (double)r->next_sentence); break;
    case BERTC_TASK_PRETRAINING:
        print_masks(r);
        print_next(o, r, r->mask_count ? "\n" : "");
        break;
    case BERTC_TASK_SPARSE: print_sparse(r); break;
    case BERTC_TASK_VECTORS: print_vectors(r); break;
    case BERTC_TASK_SEVERAL: print_several(r); break;
    case BERTC_TASK_EMBEDDING: print_embedding(r); break;
    case BERTC_TASK_TENSORS: break;
    }
    if (several && (r->task == BERTC_TASK_VECTORS || r->task == BERTC_TASK_SEVERAL)) {
        putchar('\n'); // an empty line behind each text's
    } else if (several && r->task != BERTC_TASK_EMBEDDING) {
        putchar('\t');
        fwrite(text->text, 1, text->size, stdout);
    }
    putchar('\n');
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
