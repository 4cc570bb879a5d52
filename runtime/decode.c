// The answer to one text of a group that has been run, by the model's task.
#include <string.h>

#include "answer.h"
#include "check.h"
#include "tasks.h"

// What of the group and of its outputs belongs to one text.
typedef struct part {
    bertc_session *session;
    const bertc_text *text;
    const bertc_text_options *options;
    const bertc_token *tokens;
    int64_t index, first, row; // the text's number in the group, its first row in T, and in R
    int count, rows;
    bertc_result *result;
} part;

static const bertc_port *port_of(const part *p, int i) {
    return &p->session->model->outputs[p->session->text->outputs[i]];
}
static const float *output_row(const part *p, int i, int64_t r) {
    return session_output(p->session, p->session->text->outputs[i], r);
}

static bool decode_embedding(part *p) {
    int n = (int)port_width(port_of(p, 0), 0);
    float *out = store_take(&p->session->text->store, (size_t)n, sizeof *out);
    if (!out) return false;
    memcpy(out, output_row(p, 0, p->index), (size_t)n * sizeof *out);
    p->result->embedding = out;
    p->result->embedding_size = n;
    return true;
}

static bool decode_labels(part *p, bertc_task_kind kind) {
    const bertc_model *m = p->session->model;
    int n = (int)m->task->label_count,
        k = p->options->top_k > 0 && p->options->top_k < n ? p->options->top_k : n;
    const float *logits = output_row(p, 0, p->index);
    bertc_score *out = store_take(&p->session->text->store, (size_t)(k ? k : 1), sizeof *out);
    if (!out) return false;
    if (kind == BERTC_TASK_REGRESSION) // values, not ranks: in the labels' order
        for (int i = 0; i < k; i++) out[i] = (bertc_score){.id = i, .score = logits[i]};
    else
        k = task_top(logits, n, k, out);
    if (kind == BERTC_TASK_CLASSIFY && k) task_softmax(logits, n, out, k);
    if (kind == BERTC_TASK_MULTI_LABEL) task_sigmoid(out, k);
    for (int i = 0; i < k; i++) out[i].label = bertc_label(m, out[i].id);
    p->result->scores = out;
    p->result->score_count = k;
    return true;
}

static bool decode_entities(part *p) {
    store *s = &p->session->text->store;
    bertc_entity *out = store_take(s, (size_t)p->count, sizeof *out);
    if (!out) return false;
    const bertc_slot *slots = model_at(p->session->model, p->session->current->variant->outputs);
    int n = task_entities(p->session->model, p->tokens, p->count, output_row(p, 0, p->first),
                          slots[p->session->text->outputs[0]].ld, out);
    store_trim(s, out, (size_t)n * sizeof *out);
    p->result->entities = out;
    p->result->entity_count = n;
    return true;
}

static bool fill_mask(part *p, const bertc_token *t, int64_t row, bertc_mask *out) {
    const bertc_model *m = p->session->model;
    int n = (int)m->descriptor->vocab_size, k = p->options->top_k > 0 ? p->options->top_k : 5;
    const float *logits = output_row(p, 0, row);
    bertc_score *scores = store_take(&p->session->text->store, (size_t)(k < n ? k : n), sizeof *scores);
    if (!scores) return false;
    k = task_top(logits, n, k, scores);
    task_softmax(logits, n, scores, k);
    for (int i = 0; i < k; i++) scores[i].label = bertc_token_text(m, scores[i].id);
    *out = (bertc_mask){.char_start = t->char_start,
                        .char_end = t->char_end,
                        .byte_start = t->byte_start,
                        .byte_end = t->byte_end,
                        .text = t->text,
                        .score_count = k,
                        .scores = scores};
    return true;
}

static bool decode_masks(part *p) {
    bertc_mask *out = store_take(&p->session->text->store, (size_t)(p->rows ? p->rows : 1), sizeof *out);
    if (!out) return false;
    const int32_t *rows = p->session->group.inputs[INPUT_ROWS];
    for (int i = 0; i < p->rows; i++)
        if (!fill_mask(p, &p->session->text->tokens[rows[p->row + i]], p->row + i, &out[i])) return false;
    p->result->masks = out;
    p->result->mask_count = p->rows;
    return true;
}

// Index 0 says that the pair is the next sentence.
static void decode_next(part *p, int output) {
    bertc_score first = {.score = output_row(p, output, p->index)[0]};
    task_softmax(output_row(p, output, p->index), 2, &first, 1);
    p->result->next_sentence = p->text->pair ? first.score : -1;
}

static void decode_answer(part *p) {
    int most = p->options->max_answer_tokens > 0 ? p->options->max_answer_tokens : 15;
    p->result->answer =
        task_answer(p->tokens, p->count, output_row(p, 0, p->first), output_row(p, 1, p->first), most);
}

bool answer_decode(bertc_session *s, int64_t q) {
    const int32_t *bounds = s->group.inputs[INPUT_BOUNDS], *row_bounds = s->group.inputs[INPUT_ROW_BOUNDS];
    int64_t place = s->group.places[q];
    bertc_task_kind kind = (bertc_task_kind)s->model->task->kind;
    part p = {.session = s,
              .text = &s->text->texts[place],
              .options = s->text->options,
              .tokens = s->text->tokens + bounds[q],
              .index = q,
              .first = bounds[q],
              .row = row_bounds[q],
              .count = bounds[q + 1] - bounds[q],
              .rows = row_bounds[q + 1] - row_bounds[q],
              .result = &s->text->results[place]};
    *p.result = (bertc_result){.task = (int)kind, .token_count = p.count, .next_sentence = -1};
    switch (kind) {
    case BERTC_TASK_TENSORS: return true;
    case BERTC_TASK_EMBEDDING: return decode_embedding(&p);
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return decode_labels(&p, kind);
    case BERTC_TASK_ENTITIES: return decode_entities(&p);
    case BERTC_TASK_ANSWER: decode_answer(&p); return true;
    case BERTC_TASK_FILL_MASK: return decode_masks(&p);
    case BERTC_TASK_NEXT_SENTENCE: decode_next(&p, 0); return true;
    case BERTC_TASK_PRETRAINING: decode_next(&p, 1); return decode_masks(&p);
    }
    return true;
}
