// What the names of entity labels say: "B-PER" begins an entity of type PER.
#ifndef BERTC_LABEL_H
#define BERTC_LABEL_H

#include "runtime/load/model.h"

typedef enum label_place {
    LABEL_INSIDE, // goes on with an entity of its type, or begins one; so does a label without a mark
    LABEL_BEGINS,
    LABEL_ENDS,
    LABEL_SINGLE // begins and ends one
} label_place;

typedef struct label_mark {
    const char *type; // NULL: outside of entities
    label_place place;
} label_mark;

// Reads the model's labels into out[label_count]. The marks are B-, I-, E-, S- and, of other schemes, M-, L-,
// U-. They count where a label begins with B- or I-; small letters where none does, and there are both b- and
// i-.
void label_marks(const bertc_model *m, label_mark *out);

#endif
