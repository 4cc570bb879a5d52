// The ids of special added tokens, which plain text never becomes. The unknown token is none of them: text that
// is no piece becomes it.
#include <stdlib.h>

#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

static int by_id(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

bool special_open(encoder *e) {
    const tokenizer *t = e->t;
    e->special_ids = heap_alloc(t->table->added.count + 1, sizeof *e->special_ids);
    if (!e->special_ids) return false;
    for (uint32_t i = 0; i < t->table->added.count; i++)
        if (t->added[i].flags & BERTC_ADDED_SPECIAL && t->added[i].id != (uint32_t)t->table->unk_id)
            e->special_ids[e->special_count++] = t->added[i].id;
    qsort(e->special_ids, e->special_count, sizeof *e->special_ids, by_id);
    return true;
}

bool encoder_takes_piece(const encoder *e, uint32_t id) {
    return !bsearch(&id, e->special_ids, e->special_count, sizeof id, by_id);
}
