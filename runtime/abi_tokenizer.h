// The tokenizer of an artefact, in a form that is used as it lies: no parsing, no allocation at load.
// Written by the frontend (frontend/hub), read in place by the runtime. Offsets count from the bertc_tokenizer itself.
#ifndef BERTC_ABI_TOKENIZER_H
#define BERTC_ABI_TOKENIZER_H

#include <stdint.h>

typedef enum bertc_tokenizer_model { BERTC_TOKENIZER_WORDPIECE = 1 } bertc_tokenizer_model;

typedef struct bertc_tokenizer {
    uint32_t model; // bertc_tokenizer_model
    uint32_t bytes; // of the whole table
} bertc_tokenizer;

#endif
