// The normaliser: text to text, each byte with the character that it comes from, aligned as Hugging Face
// tokenizers aligns them (its NormalizedString::transform).
#include "runtime/tokenizer/encoder.h"

void normalize_open(encoder *e) {
    charsmap_open(e);
    bert_open(e);
}

static void run_step(encoder *e, const bertc_step *step, const span *in, norm_text *out) {
    switch ((bertc_normalizer_kind)step->kind) {
    case BERTC_STEP_NFD: normalize_decompose(e, false, in, out); break;
    case BERTC_STEP_NFKD: normalize_decompose(e, true, in, out); break;
    case BERTC_STEP_LOWERCASE: normalize_lowercase(e, in, out); break;
    case BERTC_STEP_STRIP_ACCENTS: normalize_strip_accents(e, in, out); break;
    case BERTC_STEP_REPLACE: normalize_replace(e, step, 1, in, out); break;
    case BERTC_STEP_COLLAPSE: normalize_replace(e, step, 2, in, out); break;
    case BERTC_STEP_STRIP: normalize_strip(e, step->flags, in, out); break;
    case BERTC_STEP_PREPEND: normalize_prepend(e, step, in, out); break;
    case BERTC_STEP_NFC: normalize_compose(e, false, in, out); break;
    case BERTC_STEP_NFKC: normalize_compose(e, true, in, out); break;
    case BERTC_STEP_NMT: normalize_nmt(e, in, out); break;
    case BERTC_STEP_REPLACE_PATTERN: normalize_replace_pattern(e, step, in, out); break;
    case BERTC_STEP_CHARSMAP: normalize_charsmap(e, in, out); break;
    case BERTC_STEP_NORMALIZE_BYTES: normalize_bytes(e, in, out); break;
    case BERTC_STEP_BERT_NORMALIZER: normalize_bert(e, step->flags, in, out); break;
    }
}

void normalize(encoder *e, const span *in, span *out) {
    *out = *in;
    for (uint32_t i = 0; i < e->t->table->normalizer.count && !e->failed; i++) {
        const bertc_step *step = &e->t->normalizer[i];
        if (normalize_keeps(e, step, out)) continue;
        norm_text *to = &e->norm[e->norm_next];
        to->size = 0;
        e->step = step;
        encoder_work(e, out->size);
        run_step(e, step, out, to);
        *out = (span){.bytes = to->bytes, .source = to->source, .size = to->size};
        e->norm_next = !e->norm_next;
        encoder_work(e, to->size);
        budget_length(e, to->size);
    }
    e->step = NULL;
    budget_length(e, e->grown += out->size);
}
