// The vectors of many texts as .npz: `vectors` [N,width], float32, and `bounds` [texts + 1], int64: text i has rows bounds[i] to
// bounds[i + 1]. A text without an answer has none.
#ifndef BERTC_CLI_SINK_NPZ_H
#define BERTC_CLI_SINK_NPZ_H

#include "frontend/cli/arrays/npz.h"
#include "frontend/cli/run/lines.h"

typedef struct npz_sink {
    npz_writer file;
    npz_array *vectors, *bounds;
    int64_t width, rows, texts;
} npz_sink;

bool npz_sink_begin(npz_sink *s, const char *path, int64_t width, diag *d);
// r->embedding holds r->rows vectors.
bool npz_sink_put(npz_sink *s, const row *r, diag *d);
// `whole`: all texts are there, and the file is made; else nothing is left.
bool npz_sink_end(npz_sink *s, bool whole, diag *d);

#endif
