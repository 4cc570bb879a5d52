// The labels that a folder's head has, before it is opened for training.
#include "frontend/hub/files/text.h"
#include "frontend/hub/hub.h"

static bool is_drawn(const hub_model *m, const char *end) {
    for (int i = 0; i < m->drawn_count; i++)
        if (hub_ends_with(m->drawn[i], end)) return true;
    return false;
}

bool hub_labels(const hub_options *options, const char *of, arena *a, const char *const **names,
                int64_t *count, diag *d) {
    hub_options o = *options;
    hub_model m;
    diag own; // what is noted will be said when the model is opened
    diag_init(&own);
    o.train = (hub_training){.task = of};
    bool ok = hub_open(&o, a, &m, &own);
    for (int i = 0; !ok && i < own.count; i++)
        if (own.items[i].kind == DIAG_ERROR) diag_error(d, NULL, "%s", own.items[i].text);
    bool has = ok && !is_drawn(&m, "classifier.weight") && !is_drawn(&m, "out_proj.weight");
    *names = has ? m.labels : NULL;
    *count = has ? m.label_count : 0;
    if (ok) hub_close(&m);
    diag_free(&own);
    return ok;
}
