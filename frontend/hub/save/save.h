// Writes a trained model as a folder of its task's class, which Transformers or sentence-transformers opens: weights,
// config.json, the tokenizer's files as they were, README.md.
#ifndef BERTC_HUB_SAVE_H
#define BERTC_HUB_SAVE_H

#include "frontend/hub/encoder/lora.h"
#include "frontend/hub/files/file.h"

// Where an opened model came from. Kept with it.
typedef struct hub_origin {
    const char *model;     // what was opened: a folder, or a file of weights
    const char *folder;    // of its weights
    const char *tokenizer; // a file or folder; NULL: none was named
    int64_t longest;       // tokens of the longest text
    const hub_config *config;
    const hub_weights *weights;
    int parameter_count;
    const char **parameters; // tensors that are states of its graph
    int fixed_count;
    const char **fixed; // and tensors that its other constants are made of
} hub_origin;
// Notes the tensors of the graph's states and constants.
void hub_origin_parameters(hub_origin *o, const graph *g, arena *a);

typedef struct saving {
    const hub_origin *from;
    const hub_save *to;
    arena *a;
    diag *d;
    elem e;
    const char *dtype, *config_dtype; // as safetensors and config.json have it
    const char *weights;              // folder of the transformer's files in the output
    const hub_adapted_layers *lora;   // NULL: there are none
} saving;

// The saved model in the folder save->folder; nothing is renamed behind it.
bool hub_save_folder(const hub_origin *from, const hub_save *to, diag *d);

// --- adapter.c
bool save_adapter(saving *s);

// --- tensors.c, settings.c, modules.c, files.c
bool save_weights(saving *s);
// adapter_model.safetensors: the factors and what is trained whole.
bool save_adapter_weights(saving *s);
bool save_config(saving *s);
// modules.json with what it names: the folder's own, or of a plain model one of a Transformer and a Pooling.
bool save_modules(saving *s);
// Is the output a sentence-transformers folder?
bool save_has_modules(const saving *s);
// The folder of its transformer below the output's, "" where that is the output itself.
const char *save_transformer(saving *s);
bool save_make_folder(const char *path, diag *d);
// Copies a file where there is one, whatever it is.
bool save_copy(saving *s, const char *from, const char *to);
bool save_json(saving *s, const char *path, cJSON *json); // deletes it

#endif
