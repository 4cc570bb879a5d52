// A set's entries: what set.c, which fills it, and passage.c both need.
#include <inttypes.h>
#include <stdio.h>

#include "frontend/cli/train/chance.h"
#include "frontend/cli/train/set.h"
#include "ir/memory.h"

#define ROOM_FIRST 1024

void set_add(train_set *s, set_entry entry, int64_t tokens) {
    bool full = !(s->count & (s->count - 1)) && s->count >= ROOM_FIRST; // rooms are powers of two
    if (full || !s->count) {
        size_t room = s->count ? 2 * (size_t)s->count : ROOM_FIRST;
        s->entries = memory_must(memory_grow(s->entries, room, sizeof *s->entries));
        s->lengths = memory_must(memory_grow(s->lengths, room, sizeof *s->lengths));
    }
    s->entries[s->count] = entry;
    s->lengths[s->count++] = (int32_t)tokens;
    s->print = chance_mix(s->print ^ (uint64_t)entry.offset) + (uint64_t)tokens;
}

bool set_changed(const train_set *s, int64_t line, diag *d) {
    char spot[4200];
    snprintf(spot, sizeof spot, "%s:%" PRId64, data_name(s->source), line);
    return diag_error(d, spot, "is not what it was when the run began");
}

bool set_line(train_set *s, int64_t i, feature_list *out, arena *a, diag *d) {
    const set_entry *at = &s->entries[i];
    data_example e;
    if (!data_at(s->source, at->offset, at->line, &e, a, d))
        return diag_failed(d) ? false : set_changed(s, at->line, d);
    if (e.error || features_of(s->rule, &e, out, a) || out->count <= at->part)
        return set_changed(s, at->line, d);
    return true;
}
