// Outputs that Transformers gave, read from a case's safetensors file, against what a session gives for the
// same inputs.
#ifndef BERTC_TESTS_REFERENCE_H
#define BERTC_TESTS_REFERENCE_H

#include "frontend/cli/cli.h"

typedef struct reference {
    safetensors *file;
    int64_t batch, length;
    int32_t *ids, *mask, *types;                 // [batch,length]; types NULL where the file has none
    int32_t *positions, *tasks, *global, *boxes; // NULL where the file has none; boxes [batch,length,4]
} reference;

// Aborts the running test where the file can't be read.
void reference_open(reference *r, const char *path);
void reference_close(reference *r);
// Does the file hold hidden states and attentions too?
bool reference_holds_all(const char *path);
// Does a row's mask hide its first column?
bool reference_hides_first(const reference *r);

// Runs the model on the reference's inputs and compares every output that the file holds ("out.NAME" or
// NAME), over the rows that the mask shows: |difference| <= max(absolute, relative x largest value). Outputs
// that read a hidden first column are left out. Where `same_choice`, the largest value of each row's last
// axis must stand at the same place. Returns the largest difference over its bound; the test fails where it
// is above 1, or where nothing was compared.
typedef struct tolerance {
    double absolute, relative;
    bool same_choice;
    double *largest; // NULL, or where the largest difference is kept, if it is larger than what stands there
    // Above 0: holds the root mean square of the differences over that of the reference, in place of the largest one.
    double mean;
} tolerance;
double reference_check(const reference *r, bertc_model *model, int threads, tolerance t, const char *what);

// A test's way out where something failed: the first diagnostic, or the runtime's message.
void must_diag(bool ok, const diag *d, const char *what);

#endif
