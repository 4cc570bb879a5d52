#include "runtime/answer/label.h"

#include <string.h>

static bool marked(const char *label, char mark) {
    return label[0] == mark && label[1] == '-' && label[2];
}

// Which letters are marks.
typedef struct label_scheme {
    bool capital, small;
} label_scheme;

static label_scheme scheme_of(const bertc_model *m) {
    bool capital = false, begins = false, inside = false;
    for (uint32_t i = 0; i < m->task->label_count; i++) {
        const char *label = bertc_label(m, (int)i);
        capital |= marked(label, 'B') || marked(label, 'I');
        begins |= marked(label, 'b');
        inside |= marked(label, 'i');
    }
    return (label_scheme){capital, !capital && begins && inside};
}

static label_mark mark_of(const char *label, label_scheme s) {
    static const char capital[] = "BIMELSU", small[] = "bimelsu";
    static const label_place places[] = {LABEL_BEGINS, LABEL_INSIDE, LABEL_INSIDE, LABEL_ENDS,
                                         LABEL_ENDS,   LABEL_SINGLE, LABEL_SINGLE};
    const char *letters = s.capital ? capital : s.small ? small : "";
    for (int i = 0; letters[i]; i++)
        if (marked(label, letters[i])) return (label_mark){label + 2, places[i]};
    bool outside = !strcmp(label, "O") || (s.small && !strcmp(label, "o"));
    return (label_mark){outside ? NULL : label, LABEL_INSIDE};
}

void label_marks(const bertc_model *m, label_mark *out) {
    label_scheme s = scheme_of(m);
    for (uint32_t i = 0; i < m->task->label_count; i++) out[i] = mark_of(bertc_label(m, (int)i), s);
}
