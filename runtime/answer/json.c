// bertc_result_json: an answer as one JSON object, under the names that Transformers' pipelines use.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/abi_task.h"
#include "runtime/bertc.h"
#include "runtime/json_text.h"
#include "runtime/sized.h"
#include "runtime/tokenizer/unicode.h"

// Writes as much as fits, and counts the bytes that it needs.
typedef struct json_writer {
    char *buffer;
    size_t size, used;
} json_writer;

static void put_bytes(json_writer *w, const char *s, size_t n) {
    if (w->used < w->size) memcpy(w->buffer + w->used, s, n < w->size - w->used ? n : w->size - w->used);
    w->used += n;
}
static void put_raw(json_writer *w, const char *s) {
    put_bytes(w, s, strlen(s));
}

static void put_int(json_writer *w, long long n) {
    char text[32];
    put_bytes(w, text, (size_t)snprintf(text, sizeof text, "%lld", n));
}

static void put_float(json_writer *w, float x) {
    char text[JSON_NUMBER_ROOM];
    put_bytes(w, text, json_print_float(x, text));
}

static void put_string(json_writer *w, const char *s, size_t n) {
    put_raw(w, "\"");
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t bad, length = utf8_check((const uint8_t *)s + i, n - i, &bad);
        char escape[8];
        if (!length)
            put_raw(w, "\xef\xbf\xbd");
        else if (json_print_escape(c, escape))
            put_raw(w, escape);
        else
            put_bytes(w, s + i, length);
        i += length ? length : bad; // as much as one U+FFFD stands for
    }
    put_raw(w, "\"");
}
static void put_text(json_writer *w, const char *s) {
    put_string(w, s ? s : "", s ? strlen(s) : 0);
}

// The piece [from, to) of a text.
static void put_piece(json_writer *w, const char *text, size_t size, uint32_t from, uint32_t to) {
    if (to > size) to = (uint32_t)size;
    if (from > to) from = to;
    put_string(w, text ? text + from : "", text ? to - from : 0);
}

static void put_scores(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"label\": ");
    put_text(w, r->score_count ? r->scores[0].label : NULL);
    put_raw(w, ", \"score\": ");
    put_float(w, r->score_count ? r->scores[0].score : NAN);
    put_raw(w, ", \"scores\": [");
    for (int i = 0; i < r->score_count; i++) {
        put_raw(w, i ? ", {\"label\": " : "{\"label\": ");
        put_text(w, r->scores[i].label);
        put_raw(w, ", \"score\": ");
        put_float(w, r->scores[i].score);
        put_raw(w, "}");
    }
    put_raw(w, "]");
}

static void put_zero_shot(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"labels\": [");
    for (int i = 0; i < r->score_count; i++) {
        put_raw(w, i ? ", " : "");
        put_text(w, r->scores[i].label);
    }
    put_raw(w, "], \"scores\": [");
    for (int i = 0; i < r->score_count; i++) {
        put_raw(w, i ? ", " : "");
        put_float(w, r->scores[i].score);
    }
    put_raw(w, "]");
}

static void put_span(json_writer *w, uint32_t start, uint32_t end) {
    put_raw(w, "\"start\": ");
    put_int(w, start);
    put_raw(w, ", \"end\": ");
    put_int(w, end);
}

static void put_entities(json_writer *w, const bertc_result *r, const bertc_text *text) {
    put_raw(w, "\"entities\": [");
    for (int i = 0; i < r->entity_count; i++) {
        const bertc_entity *e = &r->entities[i];
        put_raw(w, i ? ", {" : "{");
        put_raw(w, e->single ? "\"entity\": " : "\"entity_group\": ");
        put_text(w, e->type);
        put_raw(w, ", \"score\": ");
        put_float(w, e->score);
        if (e->single) {
            put_raw(w, ", \"index\": ");
            put_int(w, e->index);
        }
        put_raw(w, ", \"word\": ");
        if (e->token)
            put_text(w, e->token);
        else
            put_piece(w, text->text, text->size, e->byte_start, e->byte_end);
        put_raw(w, ", ");
        put_span(w, e->char_start, e->char_end);
        put_raw(w, "}");
    }
    put_raw(w, "]");
    if (!r->words) return;
    put_raw(w, ", \"labels\": [");
    for (int i = 0; i < r->word_count; i++) {
        put_raw(w, i ? ", " : "");
        if (r->words[i].label)
            put_text(w, r->words[i].label);
        else
            put_raw(w, "null");
    }
    put_raw(w, "]");
}

static void put_answer(json_writer *w, const bertc_answer *a, const bertc_text *text) {
    put_raw(w, "\"answer\": ");
    put_piece(w, text->pair, text->pair_size, a->byte_start, a->byte_end);
    put_raw(w, ", ");
    put_span(w, a->char_start, a->char_end);
    put_raw(w, ", \"score\": ");
    put_float(w, a->score);
    put_raw(w, ", \"logit_score\": ");
    put_float(w, a->logit_score);
}

static void put_answers(json_writer *w, const bertc_result *r, const bertc_text *text) {
    put_answer(w, &r->answer, text);
    if (r->answer_count < 2) return;
    put_raw(w, ", \"answers\": [");
    for (int i = 0; i < r->answer_count; i++) {
        put_raw(w, i ? ", {" : "{");
        put_answer(w, &r->answers[i], text);
        put_raw(w, "}");
    }
    put_raw(w, "]");
}

static void put_masks(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"masks\": [");
    for (int i = 0; i < r->mask_count; i++) {
        const bertc_mask *m = &r->masks[i];
        put_raw(w, i ? ", {" : "{");
        put_span(w, m->char_start, m->char_end);
        if (m->text == 1) put_raw(w, ", \"text\": 1"); // in the pair
        put_raw(w, ", \"scores\": [");
        for (int k = 0; k < m->score_count; k++) {
            put_raw(w, k ? ", {\"token_str\": " : "{\"token_str\": ");
            put_text(w, m->scores[k].label);
            put_raw(w, ", \"token\": ");
            put_int(w, m->scores[k].id);
            put_raw(w, ", \"score\": ");
            put_float(w, m->scores[k].score);
            put_raw(w, "}");
        }
        put_raw(w, "]}");
    }
    put_raw(w, "]");
}

static void put_next_sentence(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"next_sentence\": ");
    put_float(w, r->raw_scores || r->next_sentence >= 0 ? r->next_sentence : NAN);
}

static void put_embedding(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"embedding\": [");
    for (int i = 0; i < r->embedding_size; i++) {
        if (i) put_raw(w, ", ");
        put_float(w, r->embedding[i]);
    }
    put_raw(w, "]");
}

static void put_vectors(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"vectors\": [");
    for (int i = 0; i < r->vector_count; i++) {
        put_raw(w, i ? ", [" : "[");
        for (int k = 0; k < r->vector_width; k++) {
            if (k) put_raw(w, ", ");
            put_float(w, r->vectors[(size_t)i * (size_t)r->vector_width + (size_t)k]);
        }
        put_raw(w, "]");
    }
    put_raw(w, "]");
}

static void put_sparse(json_writer *w, const bertc_result *r) {
    put_raw(w, "\"sparse\": [");
    for (int i = 0; i < r->sparse_count; i++) {
        put_raw(w, i ? ", {\"id\": " : "{\"id\": ");
        put_int(w, r->sparse[i].id);
        put_raw(w, ", \"token\": ");
        put_text(w, r->sparse[i].label);
        put_raw(w, ", \"weight\": ");
        put_float(w, r->sparse[i].score);
        put_raw(w, "}");
    }
    put_raw(w, "]");
}

static void put_sentences(json_writer *w, const bertc_result *r, const bertc_text *text) {
    put_raw(w, "\"sentences\": [");
    for (int64_t i = 0; i < r->sentence_count; i++) {
        const bertc_sentence *x = &r->sentences[i];
        put_raw(w, i ? ", {\"text\": " : "{\"text\": ");
        put_piece(w, text->text, text->size, x->byte_start, x->byte_end);
        put_raw(w, ", ");
        put_span(w, x->char_start, x->char_end);
        put_raw(w, ", \"score\": ");
        put_float(w, x->score);
        put_raw(w, "}");
    }
    put_raw(w, "]");
}

// Those of the answers that the model gives.
static void put_several(json_writer *w, const bertc_result *r) {
    if (r->embedding) put_embedding(w, r);
    if (r->sparse) put_raw(w, r->embedding ? ", " : ""), put_sparse(w, r);
    if (r->vectors) put_raw(w, r->embedding || r->sparse ? ", " : ""), put_vectors(w, r);
}

static void put_answer_of_task(json_writer *w, const bertc_result *r, const bertc_text *text) {
    switch ((bertc_task_kind)r->task) {
    case BERTC_TASK_TENSORS: break;
    case BERTC_TASK_EMBEDDING: put_embedding(w, r); break;
    case BERTC_TASK_SPARSE: put_sparse(w, r); break;
    case BERTC_TASK_VECTORS: put_vectors(w, r); break;
    case BERTC_TASK_SEVERAL: put_several(w, r); break;
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: r->zero_shot ? put_zero_shot(w, r) : put_scores(w, r); break;
    case BERTC_TASK_ENTITIES: put_entities(w, r, text); break;
    case BERTC_TASK_ANSWER: put_answers(w, r, text); break;
    case BERTC_TASK_FILL_MASK: put_masks(w, r); break;
    case BERTC_TASK_NEXT_SENTENCE: put_next_sentence(w, r); break;
    case BERTC_TASK_PRETRAINING:
        put_masks(w, r);
        put_raw(w, ", ");
        put_next_sentence(w, r);
        break;
    }
}

size_t bertc_result_json(const bertc_result *given, const bertc_text *text, char *buffer, size_t size) {
    static const bertc_text none;
    bertc_result own, *r = &own;
    if (!buffer) size = 0;
    if (!text) text = &none;
    if (size) *buffer = 0;
    if (!given || !sized_take(SIZED_bertc_result, given, r, NULL)) return 0;
    json_writer w = {buffer, size ? size - 1 : 0, 0};
    put_raw(&w, "{");
    if (r->sentences)
        put_sentences(&w, r, text);
    else
        put_answer_of_task(&w, r, text);
    put_raw(&w, "}");
    if (size) buffer[w.used < w.size ? w.used : w.size] = 0;
    return w.used;
}
