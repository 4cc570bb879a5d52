#include "frontend/cli/train/rates.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define PI 3.14159265358979323846

bool rate_find(const char *name, rate_kind *out) {
    static const struct {
        const char *name;
        rate_kind kind;
    } known[] = {{"linear", RATE_LINEAR},
                 {"cosine", RATE_COSINE},
                 {"constant", RATE_CONSTANT},
                 {"constant_with_warmup", RATE_CONSTANT}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].name)) return *out = known[i].kind, true;
    return false;
}

int64_t rate_warmup(int64_t given, double ratio, int64_t steps) {
    return given ? given : (int64_t)ceil((double)steps * ratio);
}

double rate_at(const rate_rule *s, int64_t step) {
    double done = (double)(step - 1), warmup = (double)s->warmup;
    if (done < warmup) return s->rate * (done / warmup);
    double left = (double)(s->steps - s->warmup), share = left < 1 ? 0 : (done - warmup) / left;
    if (share > 1) share = 1;
    switch (s->kind) {
    case RATE_LINEAR: return s->rate * (1 - share);
    case RATE_COSINE: return s->rate * 0.5 * (1 + cos(PI * share));
    case RATE_CONSTANT: break;
    }
    return s->rate;
}
