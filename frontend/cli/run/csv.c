#include "frontend/cli/run/csv.h"

#include <inttypes.h>
#include <string.h>

#define END "\r\n"

static void put_word(FILE *out, const char *word) {
    if (word) csv_field(out, word, strlen(word));
    putc(',', out);
}

static void put_part(FILE *out, const char *text, size_t from, size_t to) {
    csv_field(out, text + from, to - from);
    putc(',', out);
}

static void put_score(FILE *out, float x) {
    csv_number(out, x);
    putc(',', out);
}

// --- Columns

// Between `line` and `error`; of embeddings and vectors the numbers stand behind them. NULL: no table.
static const char *columns_of(bertc_task_kind task) {
    switch (task) {
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return "text,label,score";
    case BERTC_TASK_ENTITIES: return "type,entity,score,start,end";
    case BERTC_TASK_ANSWER: return "question,answer,score,start,end";
    case BERTC_TASK_FILL_MASK: return "mask,token,score";
    case BERTC_TASK_NEXT_SENTENCE: return "text,pair,next_sentence";
    case BERTC_TASK_EMBEDDING: return "";
    case BERTC_TASK_VECTORS: return "vector";
    case BERTC_TASK_SPARSE: return "id,token,weight";
    case BERTC_TASK_PRETRAINING:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_TENSORS: break;
    }
    return NULL;
}

bool csv_table_of(csv_table *t, const run_options *o, const bertc_model *model, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    *t = (csv_table){.task = (bertc_task_kind)info.task};
    if (t->task == BERTC_TASK_EMBEDDING) t->width = embedding_width(o, model);
    if (t->task == BERTC_TASK_VECTORS) t->width = info.vector_width;
    return columns_of(t->task) ||
           diag_error(d, o->output ? o->output : "--format csv",
                      "the model's answers are of several kinds, which have no columns in common: write "
                      ".jsonl");
}

void csv_header(FILE *out, const csv_table *t) {
    const char *columns = columns_of(t->task);
    fprintf(out, "line,%s%s", columns, *columns ? "," : "");
    for (int64_t i = 0; i < t->width; i++) fprintf(out, "v%" PRId64 ",", i);
    fputs("error" END, out);
}

// --- Rows

static void put_labels(FILE *out, const run_options *o, int64_t line, const bertc_text *text,
                       const bertc_result *r) {
    int most = r->score_count;
    if (r->task == BERTC_TASK_CLASSIFY && !r->zero_shot) most = o->top_k ? (int)o->top_k : 1;
    for (int i = 0; i < r->score_count && i < most; i++) {
        fprintf(out, "%" PRId64 ",", line);
        put_part(out, text->text, 0, text->size);
        put_word(out, r->scores[i].label);
        put_score(out, r->scores[i].score);
        fputs(END, out);
    }
}

static void put_entities(FILE *out, int64_t line, const bertc_text *text, const bertc_result *r) {
    for (int i = 0; i < r->entity_count; i++) {
        const bertc_entity *e = &r->entities[i];
        fprintf(out, "%" PRId64 ",", line);
        put_word(out, e->type);
        put_part(out, text->text, e->byte_start, e->byte_end);
        put_score(out, e->score);
        fprintf(out, "%" PRIu32 ",%" PRIu32 "," END, e->char_start, e->char_end);
    }
}

static void put_answers(FILE *out, int64_t line, const bertc_text *text, const bertc_result *r) {
    for (int i = 0; i < r->answer_count; i++) {
        const bertc_answer *a = &r->answers[i];
        fprintf(out, "%" PRId64 ",", line);
        put_part(out, text->text, 0, text->size);
        put_part(out, a->found ? text->pair : "", a->byte_start, a->byte_end);
        put_score(out, a->score);
        if (a->found)
            fprintf(out, "%" PRIu32 ",%" PRIu32 "," END, a->char_start, a->char_end);
        else
            fputs(",," END, out);
    }
}

static void put_masks(FILE *out, int64_t line, const bertc_result *r) {
    for (int i = 0; i < r->mask_count; i++)
        for (int k = 0; k < r->masks[i].score_count; k++) {
            fprintf(out, "%" PRId64 ",%d,", line, i);
            put_word(out, r->masks[i].scores[k].label);
            put_score(out, r->masks[i].scores[k].score);
            fputs(END, out);
        }
}

static void put_next(FILE *out, int64_t line, const bertc_text *text, const bertc_result *r) {
    fprintf(out, "%" PRId64 ",", line);
    put_part(out, text->text, 0, text->size);
    put_part(out, text->pair ? text->pair : "", 0, text->pair ? text->pair_size : 0);
    if (text->pair) csv_number(out, r->next_sentence);
    fputs("," END, out);
}

static void put_weights(FILE *out, int64_t line, const bertc_result *r) {
    for (int i = 0; i < r->sparse_count; i++) {
        fprintf(out, "%" PRId64 ",%" PRId32 ",", line, r->sparse[i].id);
        put_word(out, r->sparse[i].label);
        put_score(out, r->sparse[i].score);
        fputs(END, out);
    }
}

static void put_numbers(FILE *out, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) put_score(out, x[i]);
    fputs(END, out);
}

static void put_vectors(FILE *out, int64_t line, const bertc_result *r) {
    for (int i = 0; i < r->vector_count; i++) {
        fprintf(out, "%" PRId64 ",%d,", line, i);
        put_numbers(out, r->vectors + (int64_t)i * r->vector_width, r->vector_width);
    }
}

void csv_answer(FILE *out, const csv_table *t, const run_options *o, int64_t line, const bertc_text *text,
                const bertc_result *r) {
    switch (t->task) {
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: put_labels(out, o, line, text, r); break;
    case BERTC_TASK_ENTITIES: put_entities(out, line, text, r); break;
    case BERTC_TASK_ANSWER: put_answers(out, line, text, r); break;
    case BERTC_TASK_FILL_MASK: put_masks(out, line, r); break;
    case BERTC_TASK_NEXT_SENTENCE: put_next(out, line, text, r); break;
    case BERTC_TASK_SPARSE: put_weights(out, line, r); break;
    case BERTC_TASK_VECTORS: put_vectors(out, line, r); break;
    case BERTC_TASK_EMBEDDING:
        fprintf(out, "%" PRId64 ",", line);
        put_numbers(out, r->embedding, r->embedding_size);
        break;
    case BERTC_TASK_PRETRAINING:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_TENSORS: break;
    }
}

void csv_put_failure(FILE *out, const csv_table *t, int64_t line, const bertc_text *text, const char *why) {
    const char *columns = columns_of(t->task);
    bool texts = !strncmp(columns, "text,", 5) || !strncmp(columns, "question,", 9);
    fprintf(out, "%" PRId64 ",", line);
    if (texts && text->text) csv_field(out, text->text, text->size);
    for (const char *at = columns; *at; at++)
        if (*at == ',') putc(',', out);
    if (*columns) putc(',', out);
    for (int64_t i = 0; i < t->width; i++) putc(',', out);
    csv_field(out, why, strlen(why));
    fputs(END, out);
}
