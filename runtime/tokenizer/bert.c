// BERT's normaliser: clean-up, spaces round ideographs, accents, lower case, in one pass. ASCII goes
// through a table.
#include "runtime/tokenizer/encoder.h"

// One character after clean-up.
static void feed_bert(encoder *e, norm_text *out, uint32_t c, uint32_t source, unsigned flags) {
    if (flags & BERTC_BERT_STRIP)
        decompose_next(e, out, c, source, false, flags);
    else
        decompose_put(e, out, c, source, flags);
}

void normalize_bert(encoder *e, unsigned flags, const span *in, norm_text *out) {
    mark_run *r = &e->run;
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        uint32_t source = span_source(in, (size_t)(p - in->bytes));
        if (*p < 0x80) {
            uint8_t c = e->ascii_map[*p++];
            if (c == ENCODER_DROPPED) continue;
            if (r->count) decompose_flush(e, out, flags);
            if (out->size == out->capacity && !norm_room(e, out, 1)) return;
            out->bytes[out->size] = c;
            out->source[out->size++] = r->last = source;
            continue;
        }
        uint32_t c = utf8_next(&p);
        if (flags & BERTC_BERT_CLEAN) {
            unsigned is = unicode_flags(c);
            if (is & UNICODE_CONTROL) continue;
            if (is & UNICODE_SPACE) c = ' ';
        }
        bool alone = flags & BERTC_BERT_CHINESE && unicode_is_chinese(c);
        if (alone) feed_bert(e, out, ' ', source, flags);
        feed_bert(e, out, c, source, flags);
        if (alone) feed_bert(e, out, ' ', source, flags);
    }
    decompose_flush(e, out, flags);
}

void bert_open(encoder *e) {
    unsigned flags = 0;
    for (uint32_t i = 0; i < e->t->table->normalizer.count; i++)
        if (e->t->normalizer[i].kind == BERTC_STEP_BERT_NORMALIZER) flags = e->t->normalizer[i].flags;
    for (uint32_t c = 0; c < 128; c++) {
        unsigned is = flags & BERTC_BERT_CLEAN ? unicode_flags(c) : 0;
        uint32_t lower[2] = {c};
        if (flags & BERTC_BERT_LOWERCASE) unicode_lower(c, lower);
        e->ascii_map[c] = is & UNICODE_CONTROL ? ENCODER_DROPPED
                          : is & UNICODE_SPACE ? ' '
                                               : (uint8_t)lower[0];
    }
}
