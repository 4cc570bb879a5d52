// The models that a server answers with: each has a name, a session that answers, and one that reads tokens.
#ifndef BERTC_CLI_SERVE_MODELS_H
#define BERTC_CLI_SERVE_MODELS_H

#include <pthread.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/serve/decode.h"
#include "frontend/cli/serve/pace.h"

typedef struct served {
    char *name; // in paths, in the key `model` and in logs
    const char *path;
    opened opened;
    bertc_model *model;
    bertc_model_info info;
    const char *dtype;      // as the artefact says; NULL: unknown
    bool unit;              // its embeddings have length 1 as they are
    bertc_session *session; // of the thread that answers
    bertc_session *reader;  // tokens, under `reading`
    pthread_mutex_t reading;
    cJSON *description;
    decode_kind decodes;
    pace pace;
} served;

typedef struct served_options {
    const build_options *build;
    int threads;
    bool huge_pages;
} served_options;

// `word`: PATH, or NAME=PATH; the name is else the file's without its ending. served_close in both cases.
bool served_open(served *m, const char *word, const served_options *o, diag *d);
void served_close(served *m);

// What can be asked of a model.
typedef enum ability {
    ABLE_ANY,
    ABLE_EMBED,
    ABLE_SPARSE,
    ABLE_VECTORS, // one for each token: of late interaction, or the output last_hidden_state
    ABLE_LABELS,
    ABLE_RANK,
    ABLE_ENTITIES,
    ABLE_ANSWER,
    ABLE_FILL_MASK,
    ABLE_ZERO_SHOT,
    ABLE_ATTENTION,
    ABLE_TEXT // any answer to a text
} ability;
bool served_can(const served *m, ability what);
// "an embedding model", for messages.
const char *ability_name(ability what);
// The number of an output, -1: the model has none of that name.
int served_output(const served *m, const char *name);

#endif
