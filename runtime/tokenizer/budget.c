// What a call may cost: how long its texts may become, and how much work they may make. Errors name the step
// that went beyond.
#include <stdio.h>

#include "runtime/error.h"
#include "runtime/tokenizer/encoder.h"

#define WORK      ((uint64_t)1 << 27) // of a call, some tenths of a second
#define WORK_BYTE 256u                // and a byte of its texts
#define WIDEST    ((size_t)1 << 31)   // places in a text have 32 bits

static size_t most_bytes(size_t size) {
    size_t most = ENCODER_GROWTH * size + ENCODER_GROWTH_LEAST;
    return most < WIDEST ? most : WIDEST;
}

void budget_open(encoder *e, size_t size) {
    e->work = WORK + WORK_BYTE * (uint64_t)size;
    e->failed = false;
    e->failure = ENCODER_NO_MEMORY;
    e->step = e->failed_step = NULL;
}

void budget_text(encoder *e, size_t size) {
    e->longest = most_bytes(size);
    e->grown = e->rewritten = 0;
}

bool encoder_fail(encoder *e, encoder_failure failure) {
    if (!e->failed) {
        e->failure = failure;
        e->failed_step = e->step;
    }
    e->failed = e->stopped = true;
    return false;
}

bool budget_length(encoder *e, size_t bytes) {
    return bytes <= e->longest || encoder_fail(e, ENCODER_TOO_LONG);
}

// Bytes that a step makes of one at most, with what it puts before or between; that of valid text, and of
// what U+FFFD stands for.
static double step_growth(const bertc_step *step, bool replaced) {
    double size = (double)(step->size ? step->size : 1), size2 = (double)step->size2;
    switch ((int)step->kind) {
    case BERTC_STEP_BERT_NORMALIZER:
    case BERTC_STEP_NFD:
    case BERTC_STEP_NFC: return replaced ? 1 : 3;
    case BERTC_STEP_NFKD:
    case BERTC_STEP_NFKC: return replaced ? 1 : 11;
    case BERTC_STEP_LOWERCASE: return replaced ? 1 : 1.5;
    case BERTC_STEP_REPLACE: return size2 > size ? size2 / size : 1;
    case BERTC_STEP_COLLAPSE: return size2 > 2 * size ? size2 / (2 * size) : 1;
    case BERTC_STEP_REPLACE_PATTERN: return 1 + 2 * size2;
    case BERTC_STEP_PREPEND:
    case BERTC_STEP_METASPACE: return 1 + (double)step->size;
    case BERTC_STEP_CHARSMAP: return ENCODER_GROWTH;
    case BERTC_STEP_NORMALIZE_BYTES:
    case BERTC_STEP_SPLIT_BYTES: return 2;
    case BERTC_STEP_BYTE_LEVEL: return step->flags & BERTC_BYTE_LEVEL_PREFIX ? 2 : 1;
    default: return 1;
    }
}

size_t budget_room(const tokenizer *t, size_t size) {
    double valid = 1, replaced = 3; // a byte that is no UTF-8 becomes U+FFFD, three bytes
    for (uint32_t i = 0; i < t->table->normalizer.count; i++) {
        valid *= step_growth(&t->normalizer[i], false);
        replaced *= step_growth(&t->normalizer[i], true);
    }
    for (uint32_t i = 0; i < t->table->pretokenizer.count; i++) {
        valid *= step_growth(&t->pretokenizer[i], false);
        replaced *= step_growth(&t->pretokenizer[i], true);
    }
    double growth = valid > replaced ? valid : replaced;
    size_t most = most_bytes(size);
    return growth * (double)size + 16 < (double)most ? (size_t)(growth * (double)size) + 16 : most;
}

static const char *step_name(const bertc_step *step) {
    static const char *const normalizers[] = {
        [BERTC_STEP_BERT_NORMALIZER] = "BertNormalizer",
        [BERTC_STEP_NFD] = "NFD",
        [BERTC_STEP_NFKD] = "NFKD",
        [BERTC_STEP_LOWERCASE] = "Lowercase",
        [BERTC_STEP_STRIP_ACCENTS] = "StripAccents",
        [BERTC_STEP_REPLACE] = "Replace",
        [BERTC_STEP_COLLAPSE] = "Replace",
        [BERTC_STEP_STRIP] = "Strip",
        [BERTC_STEP_PREPEND] = "Prepend",
        [BERTC_STEP_CHARSMAP] = "Precompiled",
        [BERTC_STEP_NFC] = "NFC",
        [BERTC_STEP_NFKC] = "NFKC",
        [BERTC_STEP_NMT] = "Nmt",
        [BERTC_STEP_REPLACE_PATTERN] = "Replace",
        [BERTC_STEP_NORMALIZE_BYTES] = "ByteLevel",
    };
    static const char *const splits[] = {
        "BertPreTokenizer", "WhitespaceSplit", "Metaspace", "ByteLevel", "Whitespace", "Punctuation",
        "Digits",           "Split",           "Split",     "ByteLevel", "FixedLength"};
    return step->kind < BERTC_STEP_BERT_SPLIT ? normalizers[step->kind]
                                              : splits[step->kind - BERTC_STEP_BERT_SPLIT];
}

bool budget_error(const encoder *e, size_t size, bertc_error *error) {
    const bertc_step *step = e->failed_step;
    char where[80];
    snprintf(where, sizeof where, "%s",
             e->failure == ENCODER_TOO_LONG ? "the normaliser in all" : "the model");
    if (step && step->kind < BERTC_STEP_BERT_SPLIT)
        snprintf(where, sizeof where, "step %d of the normaliser (%s)", (int)(step - e->t->normalizer) + 1,
                 step_name(step));
    else if (step)
        snprintf(where, sizeof where, "step %d of the pre-tokeniser (%s)",
                 (int)(step - e->t->pretokenizer) + 1, step_name(step));
    switch (e->failure) {
    case ENCODER_TOO_LONG:
        return error_set(error,
                         "tokenizer: %s makes more than %zu bytes of a text of %zu, the most that is allowed",
                         where, e->longest, size);
    case ENCODER_WORK_DONE:
        return error_set(error, "tokenizer: %s takes too long for a text of %zu bytes", where, size);
    case ENCODER_UNKNOWN:
        return error_set(error, "the text holds what is no piece, and the tokenizer has no unknown token");
    case ENCODER_NO_MEMORY: break;
    }
    return error_set(error, "out of memory for a text of %zu bytes", size);
}
